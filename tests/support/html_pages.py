"""HTML pages read back, and what must hold of every page: self-contained, described, whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from typing import Any

from reds_core.report.plotting import Picture

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


def plot_of(picture: Picture) -> dict[str, Any]:
    """The series and layout of an interactive figure, as its page holds them."""
    (text,) = re.findall(r"<script[^>]* data-plot=[^>]*>(.*?)</script>", picture.html)
    content: dict[str, Any] = json.loads(text)
    return content


class Page(HTMLParser):
    """A page read back: its elements, its texts, and its tables as {caption: {row heading: [(text, value)]}}."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.data_scripts: list[str] = []
        self.columns: dict[str, list[str]] = {}
        self.tables: dict[str, dict[str, list[tuple[str, str | None]]]] = {}
        self._caption, self._block, self._heading, self._collected = "", "", "", ""
        self._value: str | None = None
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert len(found) == len(attrs)
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self._value = found["value"]
        if tag in ("caption", "th", "td", "small"):
            self._collected = "" if tag != "small" else self._collected + "|"
        if tag == "td":
            self._value = None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "caption":
            self._caption, self._block = self._collected, ""
            assert self._caption not in self.tables
            self.tables[self._caption], self.columns[self._caption] = {}, []
        elif tag == "th" and "thead" in self.open:
            self.columns[self._caption].append(self._collected)
        elif tag == "th" and self.elements[-1][0] == "span":
            self._block = self._collected
        elif tag == "th":
            self._heading = f"{self._block}: {self._collected}" if self._block else self._collected
            self.tables[self._caption][self._heading] = []
        elif tag == "td":
            self.tables[self._caption][self._heading].append((self._collected, self._value))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        elif self.open and self.open[-1] == "script":
            is_data = self.elements[-1][1].get("type") == "application/json"
            (self.data_scripts if is_data else self.scripts).append(data)
        else:
            self.texts.append(data)
            self._collected += data.strip("\n")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split(" "))

    def row(self, caption: str, heading: str) -> list[float | None]:
        """The exact figures of a row."""
        return [None if value is None else float(value) for _, value in self.tables[caption][heading]]


def assert_nothing_is_fetched(html: str) -> None:
    """No element loads anything, and nothing runs but the scripts that the policy of the page names."""
    page = Page(html)
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    tags = [tag for tag, _ in page.elements]
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in page.elements if tag == "img")
    assert not {*tags} & {"iframe", "object", "embed", "image", "form", "base", "foreignobject"}
    assert tags.count("script") == len(page.scripts) + len(page.data_scripts)
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name.rpartition(":")[2] in ("src", "href", "srcset", "action", "poster", "data", "formaction"):
                is_file = tag == "a" and not re.match(r"[\w+.-]*:|/", value)  # a link is followed, not fetched
                assert is_file or value.startswith(("#", "data:")), (tag, name, value)
            assert not re.search(r"url\((?!#)", value), (tag, name, value)
            if tag == "img" and name == "src":
                continue  # checked above
            assert tag == "meta" or name in ("title", "aria-label") or "//" not in value, (tag, name, value)
    assert page.styles
    for style in page.styles:
        assert "url(" not in style
        assert "@import" not in style


def assert_no_placeholder_shows(html: str) -> None:
    """Neither None nor nan where a figure is missing."""
    page = Page(html)
    shown = [*page.texts, *(value for _, attributes in page.elements for value in attributes.values())]
    for text in shown:
        assert not re.search(r"\b(None|nan|NaN|null|inf|Infinity)\b", text), text


def assert_drawings_are_whole(html: str) -> None:
    """Each SVG is well-formed and described, and refers to itself only."""
    body = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg\b.*?</svg>", body, re.DOTALL)]
    assert len(drawings) == body.count("<svg")
    ids: list[str] = []
    for root in drawings:
        own = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        values = [value for e in root.iter() for value in e.attrib.values()]
        referred = {i for value in values for i in re.findall(r"url\(#([^)]+)\)", value)}
        referred |= {e.attrib["href"].removeprefix("#") for e in root.iter() if "href" in e.attrib}
        assert set(own) == referred
        assert root.attrib.get("aria-hidden") == "true" or len(root.attrib["aria-label"]) > 20
        assert not list(root.iter("metadata"))
        ids += own
    assert len(set(ids)) == len(ids)


def assert_tables_and_figures_are_whole(html: str) -> None:
    """Tables have captions and a cell for each column, figures have captions, headings have a scope."""
    page = Page(html)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert tags.count("figure") == tags.count("figcaption") == html.count('class="plot"')
    described = [a for _, a in page.elements if a.get("class") == "plot"]
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 and a["id"] for a in described)
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")
    assert tags.count("h1") == 1
    for caption, rows in page.tables.items():
        for cells in rows.values():
            assert not cells or len(cells) == len(page.columns[caption]) - 1
