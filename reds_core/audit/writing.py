"""Writes the files of an audit: tables as CSV, the page, and audit.json, whose presence marks it as finished."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from reds_core.audit.page import audit_page
from reds_core.audit.records import AUDIT_FILE, AuditRecord, ClassFigures, GroupFigures, save_audit
from reds_core.audit.statistics import Interval
from reds_core.errors import UnavailableError
from reds_core.report.run_report import REPORT_FILE
from reds_core.system.files import write_text
from reds_core.system.records import to_plain

BEFORE = "before"
"""The name of the uncompressed networks in tables."""
_CHANGES = ("change", "excess", "p_value", "p_adjusted", "is_hurt")


def write_audit(audit: AuditRecord, folder: Path, warn: Callable[[str], None]) -> None:
    """Write FOLDER/audit.json, the tables and the page.

    Args:
        audit: the audit.
        folder: its folder.
        warn: called with a sentence if there is no page, since a library is not installed.

    Raises:
        InputError: if a file cannot be written.
    """
    (folder / AUDIT_FILE).unlink(missing_ok=True)
    for name, text in audit_tables(audit).items():
        write_text(folder / name, text)
    try:
        write_audit_report(audit, folder)
    except UnavailableError as error:
        (folder / REPORT_FILE).unlink(missing_ok=True)
        warn(f"no report is written: {error}")
    save_audit(audit, folder)


def write_audit_report(audit: AuditRecord, folder: Path) -> Path:
    """Write FOLDER/report.html, and return its path.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
        InputError: if the file cannot be written.
    """
    path = folder / REPORT_FILE
    write_text(path, audit_page(audit, folder))
    return path


def audit_tables(audit: AuditRecord) -> dict[str, str]:
    """Return the tables of an audit as CSV by the names of their files, with a row for each figure's network.

    Missing figures are empty, and shares are from 0 to 1.
    """
    return {
        "members.csv": _members(audit),
        "classes.csv": _classes(audit),
        "groups.csv": _groups(audit),
        "exemplars.csv": _plain_rows(
            audit.exemplars, ("member", "index", "label", "modal_before", "modal_after", "flips")
        ),
        "overlaps.csv": _plain_rows(audit.overlaps, ("kind", "member", "first", "second", "jaccard")),
    }


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([to_plain(cell) for cell in row] for row in rows)
    return out.getvalue()


def _plain_rows(records: Iterable[Any], columns: Sequence[str]) -> str:
    return _csv(columns, ([getattr(each, name) for name in columns] for each in records))


def _ends(interval: Interval | None) -> Interval | tuple[None, None]:
    return (None, None) if interval is None else interval


def _changes(figures: ClassFigures | GroupFigures) -> list[Any]:
    return [getattr(figures, name) for name in _CHANGES]


def _classes(audit: AuditRecord) -> str:
    columns = ("class", "examples", "network", "recall", "recall_low", "recall_high")
    more = ("false_positive_rate", "false_positive_low", "false_positive_high", *_CHANGES)
    rows = [
        [
            *(each.name, each.examples, network),
            *(figures.recall, *_ends(figures.recall_interval)),
            *(figures.false_positive_rate, *_ends(figures.false_positive_interval), *_changes(figures)),
        ]
        for each in audit.classes
        for network, figures in {BEFORE: each.before, **each.after}.items()
    ]
    return _csv((*columns, *more), rows)


def _groups(audit: AuditRecord) -> str:
    rows = [
        [each.name, each.examples, network, figures.accuracy, *_ends(figures.interval), *_changes(figures)]
        for each in audit.groups
        for network, figures in {BEFORE: each.before, **each.after}.items()
    ]
    return _csv(("group", "examples", "network", "accuracy", "accuracy_low", "accuracy_high", *_CHANGES), rows)


def _members(audit: AuditRecord) -> str:
    columns = ("network", "networks", "accuracy", "accuracy_low", "accuracy_high", "ece", "confidence", "margin")
    more = ("changed", "lost", "won", "exemplars", "auc_attribution", "auc_margin", "auc_both", "auc_at_equal_margin")

    def figures(each: Any) -> list[Any]:
        own = each.figures
        return [len(each.files), own.accuracy, *_ends(own.accuracy_interval), own.ece, own.confidence, own.margin]

    rows: list[list[Any]] = [[BEFORE, *figures(audit.before), *[None] * len(more)]]
    for member in audit.members:
        flips, found = member.flips, member.prediction
        scores = () if found is None else (found.attribution, found.baseline, found.both, found.at_equal_margin)
        areas: list[Any] = [None if each is None else each.auc for each in scores] or [None] * 4
        exemplars = None if member.exemplars is None else member.exemplars.count
        rows.append([member.name, *figures(member), flips.changed, flips.lost, flips.won, exemplars, *areas])
    return _csv((*columns, *more), rows)
