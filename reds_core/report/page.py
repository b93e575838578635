"""Pages: one self-contained HTML file from a template of this package. Every text is escaped; nothing is fetched."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from reds_core.report import units
from reds_core.report.drawing import inline_svg, unavailable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: as shown.
        value: the exact figure behind `text`, for machines and for the tooltip; None where there is none.
        note: a second, smaller line.
        tone: "proved" or "failed" where the cell is to stand out; "" for plain.
        meaning: what `text` says, where it is a mere sign.
    """

    text: str
    value: int | float | None = None
    note: str = ""
    tone: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table: its heading, then one cell a column."""

    heading: str
    cells: tuple[Cell, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything."""
        return all(cell.text == units.DASH for cell in self.cells)


@dataclass(frozen=True)
class Block:
    """Rows of a table that belong together; title "" for none."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it holds.
        corner: heading of the column of row headings.
        columns: headings of the other columns.
        is_prose: whether its cells are texts to be read, rather than figures to be compared.
        is_sortable: whether readers may want its rows in another order.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    is_prose: bool = False
    is_sortable: bool = False

    def without_empty_rows(self) -> Table:
        """The same table without rows that hold nothing, and without blocks that have no row left."""
        blocks = (Block(b.title, tuple(r for r in b.rows if not r.is_empty)) for b in self.blocks)
        return dataclasses.replace(self, blocks=tuple(b for b in blocks if b.rows))


@dataclass(frozen=True)
class Picture:
    """A figure of a page.

    Attributes:
        svg: the <svg> element, trusted; it holds a description for those who cannot see it.
        caption: what it shows.
    """

    svg: str
    caption: str


def picture(figure: Figure, prefix: str, caption: str, description: str) -> Picture:
    """A figure with its caption; prefix: starts its ids, different for each figure of a page."""
    return Picture(inline_svg(figure, prefix, units.printable(description)), caption)


@dataclass(frozen=True)
class Script:
    """A script within a page.

    Attributes:
        text: trusted.
        policy: what the page's content security policy calls it: nothing else may run.
    """

    text: str
    policy: str


def inline_script(name: str) -> Script:
    """A script of this package."""
    text = (resources.files("reds_core.report") / "templates" / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(text, f"'sha256-{digest}'")


def _shown(value: Any) -> Any:
    """What a template shows for `value`: a dash for nothing, texts printable."""
    if value is None:
        return units.DASH
    return units.printable(value) if type(value) is str else value


def render(template: str, **content: Any) -> str:
    """The page that `template` makes of `content`.

    Raises:
        UnavailableError: if Jinja2 is not installed.
    """
    try:
        import jinja2
        import markupsafe
    except ImportError as error:
        raise unavailable("jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reds_core.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["dash"] = units.DASH
    environment.filters["trusted"] = markupsafe.Markup
    return environment.get_template(template).render(**content)
