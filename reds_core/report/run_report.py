"""Reports: one self-contained HTML file to look at, a short table for the terminal, figures to reuse."""

from __future__ import annotations

from pathlib import Path

from reds_core.plan import Plan
from reds_core.report.run_page import run_page
from reds_core.system.files import write_text

REPORT_FILE = "report.html"


def write_report(plan: Plan, folder: Path) -> Path:
    """Write FOLDER/report.html: the plan's figures, the details and training curves beside it, and the sizes of files.

    The same plan and files give the same bytes.

    Returns:
        The path of the report.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
        InputError: if the file cannot be written, or the details or the training curves are damaged.
    """
    path = folder / REPORT_FILE
    write_text(path, run_page(plan, folder))
    return path
