"""Max-sum over the group graph: elimination orders, sweeps, multipliers by cutting planes, and local search.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.knapsack.inference.ascent import Ascent
from reds_core.knapsack.inference.cutting_planes import CuttingPlanes
from reds_core.knapsack.inference.elimination import (
    Elimination,
    Scope,
    eliminate,
    largest_table,
    open_sizes,
    pair_scopes,
    peak_scopes,
)
from reds_core.knapsack.inference.factors import (
    POSSIBLE,
    Factors,
    Mask,
    build_factors,
    peak_masks,
    possible_options,
    table_bytes,
    unchecked,
)
from reds_core.knapsack.inference.maxsum import MaxSum, mix, original, positions
from reds_core.knapsack.inference.messages import Messages

__all__ = [
    "POSSIBLE",
    "Ascent",
    "CuttingPlanes",
    "Elimination",
    "Factors",
    "Mask",
    "MaxSum",
    "Messages",
    "Scope",
    "build_factors",
    "eliminate",
    "largest_table",
    "mix",
    "open_sizes",
    "original",
    "pair_scopes",
    "peak_masks",
    "peak_scopes",
    "positions",
    "possible_options",
    "table_bytes",
    "unchecked",
]
