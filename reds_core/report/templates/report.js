"use strict";
// Draws the figures of a page, and makes its theme, controls and tables work. Without it, the tables still say it all.
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const parsed = (selector, name) =>
    new Map(all(selector).map((element) => [element.dataset[name], JSON.parse(element.textContent)]));

  // --- figures: their colours are names of CSS variables, so that they follow the theme ---------------------------

  const specs = parsed("script[data-plot]", "plot");
  const first = new Map(specs);
  const drawn = new Set();
  const [NARROW, LONG_TITLE] = [440, 34]; // pixels, characters
  const BUTTONS = ["toImage", "zoom2d", "resetScale2d"]; // by name, since others would send the data to a service

  function coloured(value, style) {
    if (Array.isArray(value)) return value.map((item) => coloured(item, style));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    const name = typeof value === "string" && /^var\((--[\w-]+)\)$/.exec(value);
    return name ? style.getPropertyValue(name[1]).trim() : value;
  }

  // a title in two lines, broken at the space that is the nearest to its middle
  function folded(title) {
    const spaces = [...title.matchAll(/ /g)].map((found) => found.index);
    if (title.length < LONG_TITLE || !spaces.length) return title;
    const offset = (place) => Math.abs(place - title.length / 2);
    const middle = spaces.reduce((a, b) => (offset(b) < offset(a) ? b : a));
    return `${title.slice(0, middle)}<br>${title.slice(middle + 1)}`;
  }

  function draw(id) {
    const place = document.getElementById(id);
    if (typeof Plotly === "undefined" || !place.offsetWidth) return; // within closed details: drawn when they open
    const style = getComputedStyle(root);
    const { data, layout } = coloured(specs.get(id), style);
    layout.font.family = getComputedStyle(document.body).fontFamily;
    if ("printing" in root.dataset) layout.width = place.offsetWidth;
    if (place.offsetWidth < NARROW && layout.xaxis?.title) layout.xaxis.title.text = folded(layout.xaxis.title.text);
    Plotly.react(place, data, layout, {
      responsive: true,
      displaylogo: false,
      modeBarButtons: [BUTTONS],
      toImageButtonOptions: { format: "svg", filename: id },
    });
    drawn.add(id);
  }

  const drawAll = () => specs.forEach((_, id) => draw(id));
  matchMedia("(max-width: 640px)").addEventListener("change", () => drawAll());
  document.addEventListener("toggle", () => specs.forEach((_, id) => drawn.has(id) || draw(id)), true);

  // --- theme: the system's until the reader chooses ---------------------------------------------------------------

  const KEY = "reds-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  function remembered() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // pages of files have no storage in some browsers
    }
  }

  function showTheme() {
    toggle.textContent = isDark() ? "Light theme" : "Dark theme";
    drawAll();
  }

  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // the choice lasts as long as the page
    }
    showTheme();
  });
  system.addEventListener("change", showTheme);

  // paper shows the light theme, all that is folded, and figures and tables that fit its width
  const PAPER_ZOOM = 0.75;
  let before = null;

  function zoomTables(zoomOf) {
    for (const table of all(".scroller > table")) table.style.zoom = zoomOf(table.parentElement, table);
  }

  addEventListener("beforeprint", () => {
    before = { theme: root.dataset.theme ?? "", folded: all("details:not([open])") };
    root.dataset.theme = "light";
    root.dataset.printing = "";
    for (const part of before.folded) part.open = true;
    zoomTables((place, table) => Math.min(PAPER_ZOOM, place.clientWidth / (table.offsetWidth || 1)));
    drawAll();
  });
  addEventListener("afterprint", () => {
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    delete root.dataset.printing;
    zoomTables(() => "");
    drawAll();
    for (const part of before.folded) part.open = false;
  });

  // --- controls: each step sets texts, shows parts of the page, and changes figures -------------------------------

  // what `change` makes of a value, see reds_core/report/plotting.py
  function changed(before, change) {
    if ("=" in change) return change["="];
    const after = Array.isArray(before) ? [...before] : { ...before };
    for (const [name, part] of Object.entries(change)) after[name] = changed(before[name], part);
    return after;
  }

  function apply(id, index, step) {
    for (const [name, text] of Object.entries(step.texts)) {
      for (const slot of all(`[data-slot="${id}/${name}"]`)) slot.textContent = text;
    }
    for (const part of all(`[data-step^="${id}/"]`)) part.hidden = part.dataset.step !== `${id}/${index}`;
    for (const [plot, figure] of Object.entries(step.figures)) {
      specs.set(plot, changed(first.get(plot), figure));
      draw(plot);
    }
    specs.forEach((_, plot) => drawn.has(plot) || draw(plot));
  }

  const controls = parsed("script[data-control]", "control");
  function prepare(id, steps) {
    const input = document.getElementById(id);
    const output = input.parentElement.querySelector("output");
    const change = () => {
      const step = steps[Number(input.value)];
      if (output) output.textContent = step.label;
      if (input.type === "range") input.setAttribute("aria-valuetext", step.label);
      apply(id, Number(input.value), step);
    };
    input.closest(".control").hidden = false;
    input.addEventListener("input", change);
    change();
  }

  // --- tables: rows in the order of a column, and a download -------------------------------------------------------

  const shown = (cell) => cell.textContent.replace(/\s+/g, " ").trim();

  // figures by size, texts by the alphabet, empty cells last
  function sortable(table) {
    const headings = [...table.tHead.rows[0].cells];
    const key = (row, column) => {
      const figure = row.cells[column].querySelector("data");
      if (figure) return Number(figure.value);
      const text = shown(row.cells[column]);
      return text === "\u2013" ? "" : text;
    };
    const compare = (a, b) => {
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    };
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const falls = heading.getAttribute("aria-sort") === "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
        for (const body of table.tBodies) {
          const [title, others] = [[...body.rows].filter(isTitle), [...body.rows].filter((row) => !isTitle(row))];
          const rows = others.map((row) => [key(row, column), row]);
          rows.sort(([a], [b]) => (falls && a !== "" && b !== "" ? compare(b, a) : compare(a, b)));
          body.append(...title, ...rows.map(([, row]) => row));
        }
      });
    });
  }

  const isTitle = (row) => row.classList.contains("block");

  function csv(table) {
    const headings = [...table.tHead.rows[0].cells].map(shown);
    const hasTitles = Boolean(table.querySelector("tr.block"));
    const lines = [hasTitles ? ["", ...headings] : headings];
    for (const body of table.tBodies) {
      const title = [...body.rows].filter(isTitle).map(shown).join("");
      for (const row of [...body.rows].filter((other) => !isTitle(other))) {
        const cells = [...row.cells].map((cell) => cell.querySelector("data")?.value ?? guarded(shown(cell)));
        lines.push(hasTitles ? [title, ...cells] : cells);
      }
    }
    return lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
  }

  // a spreadsheet would run a text that begins like a formula
  const guarded = (text) => (/^[=+@\t-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function downloadable(table) {
    const caption = shown(table.caption);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.title = `Download the table “${caption}” as CSV`;
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
      link.download = `${caption.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
    });
    table.closest(".scroller").after(button);
  }

  root.dataset.theme = remembered() ?? "";
  if (!root.dataset.theme) delete root.dataset.theme;
  all("table.sortable").forEach(sortable);
  all("table").forEach(downloadable);
  controls.forEach((steps, id) => prepare(id, steps));
  showTheme();
})();
