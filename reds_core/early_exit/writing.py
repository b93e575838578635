"""Writes chosen thresholds: as JSON, as tables in CSV, and as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from reds_core.early_exit.page import early_exit_page
from reds_core.early_exit.record import THRESHOLDS_FILE, ExitThresholds, GroupShares, save_thresholds
from reds_core.errors import UnavailableError
from reds_core.report.run_report import REPORT_FILE
from reds_core.system.files import write_text

CURVE_FILE, SHARES_FILE = "curve.csv", "shares.csv"


def write_early_exit(found: ExitThresholds, folder: Path, warn: Callable[[str], None]) -> None:
    """Write all files, and last thresholds.json, whose presence marks the choice as finished.

    Args:
        found: The thresholds.
        folder: Where to write.
        warn: Called with a warning if the page cannot be drawn.
    """
    for name in (THRESHOLDS_FILE, REPORT_FILE):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / CURVE_FILE, curve_text(found))
    write_text(folder / SHARES_FILE, shares_text(found))
    try:
        write_early_exit_report(found, folder)
    except UnavailableError as error:
        warn(f"no report is written: {error}")
    save_thresholds(found, folder / THRESHOLDS_FILE)


def write_early_exit_report(found: ExitThresholds, folder: Path) -> Path:
    """Write the page of chosen thresholds to a folder, and return its path.

    Raises:
        UnavailableError: If Jinja2 or Plotly is not installed.
    """
    write_text(folder / REPORT_FILE, early_exit_page(found))
    return folder / REPORT_FILE


def curve_text(found: ExitThresholds) -> str:
    """Return the curves of all measures as CSV, one policy in each row."""
    early = [each.name for each in found.exits[:-1]]
    header = ("measure", *(f"threshold_{name}" for name in early))
    figures = ("accuracy_held_back", "cost_held_back", "accuracy_test", "cost_test")
    rows = [
        (p.measure, *map(_text, p.thresholds), *(_text(getattr(p, figure)) for figure in figures)) for p in found.curve
    ]
    return _csv((*header, *figures), rows)


def shares_text(found: ExitThresholds) -> str:
    """Return where examples leave, by difficulty and by class, as CSV, one group and exit in each row."""
    header = ("by", "group", "examples", "accuracy", "cost", "exit", "share", "low", "high")
    groups: list[tuple[str, GroupShares]] = [("difficulty", each) for each in found.by_difficulty]
    groups += [("class", each) for each in found.by_class]
    rows = [
        (by, g.name, g.examples, _text(g.accuracy), _text(g.cost), exit_.name, _text(share), _text(low), _text(high))
        for by, g in groups
        for exit_, share, (low, high) in zip(found.exits, g.shares, g.intervals, strict=True)
    ]
    return _csv(header, rows)


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:.9g}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return written.getvalue()
