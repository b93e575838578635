"""The comparison of solvers: each solver solves each problem in a separate process, and each solve is recorded.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.bench.graphs import chain
from reds_core.bench.record import SolveRecord
from reds_core.bench.shapes import NETWORKS, LayerShape, NetworkShape, mobilenet_v2
from reds_core.bench.suites import FACTS, SUITES, Facts, read_facts, suite
from reds_core.bench.synthetic import KINDS, knapsack

__all__ = [
    "FACTS",
    "KINDS",
    "NETWORKS",
    "SUITES",
    "Facts",
    "LayerShape",
    "NetworkShape",
    "SolveRecord",
    "chain",
    "knapsack",
    "mobilenet_v2",
    "read_facts",
    "suite",
]
