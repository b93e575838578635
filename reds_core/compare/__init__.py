"""The comparison of pruning runs: recipes are run with several pruners, scorers, solvers and seeds.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.compare.record import RESULTS, ResultRecord, RunKey

__all__ = [
    "RESULTS",
    "ResultRecord",
    "RunKey",
]
