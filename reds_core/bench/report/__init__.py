"""The report of a comparison of solvers.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.bench.report.writing import write_bench_report

__all__ = [
    "write_bench_report",
]
