"""Reports: one self-contained HTML file, a short table for the terminal, figures to reuse.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.report.facts import gather
from reds_core.report.figures import accuracy_figure
from reds_core.report.markdown import escaped, markdown_table
from reds_core.report.run_report import write_report
from reds_core.report.units import byte_size, listed, many

__all__ = [
    "accuracy_figure",
    "byte_size",
    "escaped",
    "gather",
    "listed",
    "many",
    "markdown_table",
    "write_report",
]
