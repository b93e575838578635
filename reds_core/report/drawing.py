"""Drawing and saving of figures: one style, object-oriented matplotlib, and SVG that can be embedded in a page.

The output is reproducible: it uses matplotlib's defaults instead of the user's settings, hashed ids with a fixed salt,
and no date. Text is not converted to paths, so that it is accessible, searchable and in the font of the page.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reds_core.errors import UnavailableError
from reds_core.system.files import write_bytes
from reds_core.system.libraries import INSTALL_BENCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1c2733"
FAINT = "#d5dbe1"
PNG_DOTS_PER_INCH = 160
_LARGEST_SCALE = 1.15

_STYLE: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#7d8894",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "reds",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the style of reports within the context. The user's matplotlib settings are restored afterwards.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise unavailable("matplotlib") from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        # text is not converted to paths, so viewers can use other fonts for missing glyphs
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def unavailable(library: str) -> UnavailableError:
    """Return the error for a missing library that reports need."""
    return UnavailableError(f"reports need {library}, which is not installed", INSTALL_BENCH)


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of `width` x `height` inches with constrained layout, without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix of `path`.

    Raises:
        InputError: if the file cannot be written.
    """
    kind = path.suffix.lower().lstrip(".") or "png"
    no_date: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    content = io.BytesIO()
    with drawing():
        figure.savefig(content, format=kind, dpi=PNG_DOTS_PER_INCH, metadata=no_date)
    write_bytes(path, content.getvalue())


def inline_svg(figure: Figure, prefix: str, description: str) -> str:
    """Convert a figure to an <svg> element for an HTML page.

    Args:
        figure: the figure.
        prefix: prefix of each id, which makes ids of several figures on a page distinct.
        description: alternative text.
    """
    content = io.BytesIO()
    with drawing():
        figure.savefig(content, format="svg", metadata=_NO_METADATA, transparent=True)
    root = ElementTree.fromstring(content.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("}style"):  # it would apply to the whole page
                parent.remove(child)
    _own_ids(root, prefix)
    widest = _LARGEST_SCALE * float(root.attrib["viewBox"].split()[2]) * 96 / 72
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.update({"role": "img", "aria-label": description, "style": f"max-width: {widest:.0f}px"})
    root.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})
    return ElementTree.tostring(root, encoding="unicode")


def _own_ids(root: ElementTree.Element, prefix: str) -> None:
    """Keep only ids that are referenced, renamed to start with `prefix`, and remove namespaces, for HTML."""
    elements = list(root.iter())
    for element in elements:
        element.tag = element.tag.rpartition("}")[2]
        for name in [n for n in element.attrib if n.startswith("{")]:
            element.attrib[name.rpartition("}")[2]] = element.attrib.pop(name)
    used = {i for e in elements for value in e.attrib.values() for i in _REFERENCE.findall(value)}
    used |= {e.attrib["href"].removeprefix("#") for e in elements if "href" in e.attrib}
    renamed = {old: f"{prefix}-{index}" for index, old in enumerate(sorted(used))}
    for element in elements:
        if element.get("id") not in renamed:
            element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            if name == "id":
                element.attrib[name] = renamed[value]
            elif name == "href":
                element.attrib[name] = f"#{renamed[value.removeprefix('#')]}"
            else:
                element.attrib[name] = _REFERENCE.sub(lambda match: f"url(#{renamed[match[1]]})", value)
