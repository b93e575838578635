"""Drawing and saving of figures as files: one style, and object-oriented matplotlib.

The output is reproducible: it uses matplotlib's defaults instead of the user's settings, hashed ids with a fixed salt,
and no date. Text in SVG is not converted to paths, so that it is accessible and searchable.
"""

from __future__ import annotations

import io
import warnings
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
