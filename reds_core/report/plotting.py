"""Figures that readers can explore: built with Plotly in Python, and drawn in the page by plotly.js.

A page holds each figure as JSON, and `templates/report.js` draws it. How to add a figure to a page:

    figure = new_plot(height=320, x="MACs (M)", y="Accuracy (%)")
    for label, style in trace_styles(labels).items():
        figure.add_scatter(x=..., y=..., name=plain(label), **style.of_line())
    picture = interactive(figure, "accuracy-macs", "Accuracy against MACs", "Accuracy against MACs. full: 94.1 % ...")

The template shows it with the macro `picture`. Rules that every figure keeps:

- Colours are names of CSS variables, such as `INK`. The page replaces them by the colours of the theme that it shows.
- Series differ by marker, line or hatch, not only by colour; `trace_styles` and `fills` give such styles.
- Names that users choose pass through `plain`, because plotly.js reads text as a simple markup.
- Figures are written by Python as text (`customdata`, `text`), in the same units as in the tables.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reds_core.report import units
from reds_core.report.drawing import unavailable

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Content: TypeAlias = dict[str, Any]
"""The series and layout of a figure as JSON values."""
INK, SOFT, LINE, PAPER, ACCENT = (f"var(--{name})" for name in ("ink", "soft", "line", "paper", "accent"))
"""Colours of the theme: text, secondary text, rules, the ground of a section, and emphasis."""
NO_COLOUR = "rgba(0,0,0,0)"

_COLOURS = 8
"""How many variables --series-0, --series-1, ... the style sheet has."""
SHADES = 5
"""How many variables --shade-0 (the strongest), --shade-1, ... the style sheet has."""
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "pentagon", "star", "hexagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_HATCHES = ("", "/", "\\", "x", "-", "|", "+", ".")


@dataclass(frozen=True)
class Picture:
    """A figure of a page.

    Attributes:
        html: the element that shows it, which is trusted and contains an alternative text.
        caption: the caption.
    """

    html: str
    caption: str


@dataclass(frozen=True)
class TraceStyle:
    """The style of a series in every interactive figure of a report.

    Attributes:
        colour: a CSS variable of the page.
        symbol, dash: marker and line, by plotly's names.
        hatch: hatch of bars, by plotly's name; empty for none.
    """

    colour: str
    symbol: str
    dash: str
    hatch: str

    def of_markers(self, size: float = 9) -> dict[str, Any]:
        """Return the arguments of `add_scatter` that draw markers of `size` pixels alone."""
        marker = {"color": self.colour, "symbol": self.symbol, "size": size, "line": {"color": PAPER, "width": 1}}
        return {"mode": "markers", "marker": marker}

    def of_line(self, *, has_markers: bool = True) -> dict[str, Any]:
        """Return the arguments of `add_scatter` that draw a line."""
        mode = "lines+markers" if has_markers else "lines"
        return {**self.of_markers(), "mode": mode, "line": {"color": self.colour, "dash": self.dash, "width": 1.8}}

    def of_bars(self) -> dict[str, Any]:
        """Return the arguments of `add_bar`."""
        return {"marker": bar_marker(self.colour, self.hatch)}


def trace_styles(labels: Sequence[str]) -> dict[str, TraceStyle]:
    """Return a distinct style for each label."""
    return {
        label: TraceStyle(
            f"var(--series-{i % _COLOURS})",
            _SYMBOLS[i % len(_SYMBOLS)],
            _DASHES[i % len(_DASHES)],
            _HATCHES[i % len(_HATCHES)],
        )
        for i, label in enumerate(labels)
    }


def fills(count: int) -> tuple[dict[str, Any], ...]:
    """Return arguments of `add_bar` for `count` series with an order, the strongest colour first."""
    return tuple(
        {"marker": bar_marker(f"var(--shade-{_shade(i, count)})", _HATCHES[i % len(_HATCHES)])} for i in range(count)
    )


def _shade(index: int, count: int) -> int:
    return index if count <= SHADES else round(index * (SHADES - 1) / (count - 1))


def bar_marker(colour: str, hatch: str = "") -> dict[str, Any]:
    """Return the marker of bars of a colour with a hatch, by plotly's name."""
    pattern = {"shape": hatch, "fgcolor": PAPER, "fillmode": "overlay", "size": 6, "solidity": 0.25}
    return {"color": colour, "line": {"color": SOFT, "width": 0.6}, "pattern": pattern}


def plain(text: str) -> str:
    """Return a text that plotly.js shows as it is: printable, and without markup or entities of its own."""
    return html.escape(units.printable(text), quote=False)


def new_plot(height: int = 320, x: str = "", y: str = "", *, has_legend: bool = True) -> Figure:
    """Return a figure without series, in the style of reports and as wide as its place.

    Args:
        height: its height in pixels.
        x, y: titles of the axes, with units. They are trusted: pass names of users through `plain`.
        has_legend: whether it has a legend, above the plot. Clicks on its entries hide and show series.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise unavailable("plotly") from error
    axis = {
        "automargin": True, "gridcolor": LINE, "linecolor": SOFT, "tickcolor": SOFT, "zeroline": False,
        "ticks": "outside", "ticklen": 4, "exponentformat": "none", "title": {"standoff": 8},
    }  # fmt: skip
    return Figure(
        layout={
            "template": "none", "height": height, "margin": {"l": 8, "r": 36, "t": 28, "b": 8},
            "paper_bgcolor": NO_COLOUR, "plot_bgcolor": NO_COLOUR, "font": {"color": INK, "size": 13},
            "showlegend": has_legend, "dragmode": False, "hovermode": "closest", "uirevision": "kept",
            "legend": {
                "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"
            },
            "hoverlabel": {"bgcolor": PAPER, "bordercolor": SOFT, "font": {"color": INK, "size": 13}, "align": "left"},
            "modebar": {"orientation": "v", "bgcolor": NO_COLOUR, "color": SOFT, "activecolor": INK},
            "xaxis": {**axis, "title": {"text": x, "standoff": 8}},
            "yaxis": {**axis, "title": {"text": y, "standoff": 8}},
        }
    )  # fmt: skip


def interactive(figure: Figure, identifier: str, caption: str, description: str) -> Picture:
    """Return a figure for a page, with its caption.

    Args:
        figure: a figure of `new_plot`.
        identifier: the id of its element, a word of letters, digits and hyphens that no other element of the page has.
        caption: the caption.
        description: alternative text, which says what the figure shows.
    """
    text = html.escape(units.printable(description))
    height = int(figure.layout.height)
    place = f'<div class="plot" id="{identifier}" role="img" aria-label="{text}" style="min-height: {height}px">'
    return Picture(f"{place}</div>\n{data_script('plot', identifier, content_of(figure))}", caption)


def content_of(figure: Figure) -> Content:
    """Return the series and layout of a figure as JSON values, without figures that are not finite."""
    content: Content = json.loads(figure.to_json(engine="json"))
    content["layout"].pop("template", None)
    return content


def data_script(kind: str, identifier: str, content: Any) -> str:
    """Return an element that holds JSON for the script of the page, in which no text can end the element."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" data-{kind}="{identifier}">{text}</script>'


@dataclass(frozen=True)
class ControlStep:
    """One position of a control.

    Attributes:
        label: the position in words, shown beside a slider or in the list of a select box.
        texts: the text of each slot, by name. An element with `data-slot="ID/NAME"` is a slot of control ID.
        figures: the content of the figures that replace those of the page, as `content_of` returns it, by their
            identifiers. The page itself shows those of the first step to be shown.
    """

    label: str
    texts: Mapping[str, str]
    figures: Mapping[str, Content]


@dataclass(frozen=True)
class PageControl:
    """A slider or a select box of a page. The template shows it with the macro `control`.

    An element with `data-step="ID/NUMBER"` is only shown at this step of control ID, counted from 0. The page shows
    its control, slots and parts at step `start`; without JavaScript it shows all parts and no control.

    Attributes:
        html: the element that shows it, which is trusted.
    """

    html: str


def slider(identifier: str, label: str, steps: Sequence[ControlStep], start: int = 0) -> PageControl:
    """Return a slider, which arrow keys move as well.

    Args:
        identifier: the id of its element.
        label: what it chooses.
        steps: its positions, from the left to the right.
        start: the first position to be shown.
    """
    bar = f'<input type="range" id="{identifier}" min="0" max="{len(steps) - 1}" step="1" value="{start}">'
    shown = html.escape(units.printable(steps[start].label))
    return _control(identifier, label, f'{bar}<output for="{identifier}">{shown}</output>', steps, start)


def select_box(identifier: str, label: str, steps: Sequence[ControlStep], start: int = 0) -> PageControl:
    """Return a select box.

    Args:
        identifier: the id of its element.
        label: what it chooses.
        steps: its entries.
        start: the first entry to be chosen.
    """
    entries = "".join(
        f'<option value="{i}"{" selected" if i == start else ""}>{html.escape(units.printable(step.label))}</option>'
        for i, step in enumerate(steps)
    )
    return _control(identifier, label, f'<select id="{identifier}" autocomplete="off">{entries}</select>', steps, start)


def _change(before: Any, after: Any) -> dict[str, Any]:
    """Return what differs in a JSON value, so that a page need not hold a whole figure for each step.

    It is `{"=": after}` for a value to be replaced, or else an object with the changes of some entries of an object or
    of a list, by their names or numbers. The script of pages applies it.
    """
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() <= after.keys():
        return {k: _change(before.get(k), value) for k, value in after.items() if k not in before or before[k] != value}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and _are_objects(after):
        return {str(i): _change(*pair) for i, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]}
    return {"=": after}


def _are_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _control(identifier: str, label: str, element: str, steps: Sequence[ControlStep], start: int) -> PageControl:
    content = [
        {
            "label": units.printable(step.label),
            "texts": {name: units.printable(text) for name, text in step.texts.items()},
            "figures": {name: _change(steps[start].figures.get(name), figure) for name, figure in step.figures.items()},
        }
        for step in steps
    ]
    title = html.escape(units.printable(label))
    shown = f'<div class="control" hidden><label for="{identifier}">{title}</label>{element}</div>'
    return PageControl(f"{shown}\n{data_script('control', identifier, content)}")
