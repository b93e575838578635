"""The report of a comparison of pruning runs, and the tables that it consists of.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.compare.report.findings import comparison_findings, comparison_warnings
from reds_core.compare.report.results import compare_runs
from reds_core.compare.report.tables import accuracy_table, failures_table, time_table
from reds_core.compare.report.writing import write_compare_report

__all__ = [
    "accuracy_table",
    "compare_runs",
    "comparison_findings",
    "comparison_warnings",
    "failures_table",
    "time_table",
    "write_compare_report",
]
