"""Writes the report of a finished folder again: of a run, an audit, thresholds, or a comparison."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from reds_core.audit.records import AUDIT_FILE
from reds_core.audit.result import load_audit
from reds_core.audit.writing import write_audit_report
from reds_core.bench.history import HISTORY_FILE
from reds_core.bench.report.writing import write_bench_report
from reds_core.compare.report.writing import write_compare_report
from reds_core.compare.runner import RUNS_FOLDER
from reds_core.early_exit.record import THRESHOLDS_FILE, load_thresholds
from reds_core.early_exit.writing import write_early_exit_report
from reds_core.errors import InputError, command
from reds_core.plan import PLAN_FILE, load_plan
from reds_core.report.model_card import write_model_card
from reds_core.report.run_report import REPORT_FILE
from reds_core.report.run_report import write_report as write_run_report
from reds_core.runs.publishing import complete
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.system.record_lines import RECORDS_FILE
from reds_core.watcher import Watcher


def write_report(folder: str | PathLike[str]) -> Path:
    """Write the report of a folder again, from the plan or the records and the files in it.

    This is what `reds report` does. It is useful after another version of reds was installed, or if the report is
    missing because its libraries were not installed when the folder was written.

    Args:
        folder: The folder of a finished run, of an audit, of thresholds of early exits, or of a comparison of solvers
            or of runs.

    Returns:
        The path of the report. A comparison also has a `summary.md` beside it.

    Raises:
        InputError: If the folder holds none of these, if its plan or records are damaged, or if another command is
            writing to it.
        UnavailableError: If Jinja2 or matplotlib is not installed.

    Example:
        >>> reds_core.write_report("slim")
    """
    path = given_path(folder, "folder")
    if not any((path / name).exists() for name in (PLAN_FILE, RECORDS_FILE, AUDIT_FILE, THRESHOLDS_FILE)):
        what = "holds no finished run, audit, choice of thresholds or comparison" if path.exists() else "does not exist"
        raise InputError(
            f"'{path}' {what}",
            "give a folder that "
            f"{command('prune')}, {command('audit')}, {command('thresholds')}, {command('bench')} or "
            f"{command('compare')} wrote",
        )
    with locked_folder(path, "a report", "try again when the other command has ended"):
        if (path / PLAN_FILE).exists():
            complete(path, Watcher())
            plan = load_plan(path)
            write_model_card(plan, path)
            return write_run_report(plan, path)
        if (path / AUDIT_FILE).exists():
            return write_audit_report(load_audit(path), path)
        if (path / THRESHOLDS_FILE).exists():
            return write_early_exit_report(load_thresholds(path), path)
        write_of_comparison = write_compare_report if _is_of_runs(path) else write_bench_report
        write_of_comparison(path)
        return path / REPORT_FILE


def _is_of_runs(folder: Path) -> bool:
    """Whether the records in a folder are of runs, and not of solves, by the fields of the first one."""
    with (folder / RECORDS_FILE).open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    try:
        fields = json.loads(first)
    except ValueError:  # such as an empty file
        return (folder / RUNS_FOLDER).exists() and not (folder / HISTORY_FILE).exists()
    return isinstance(fields, dict) and "run" in fields
