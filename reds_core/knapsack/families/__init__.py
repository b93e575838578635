"""Families of nested choices, either anchored at one budget or proven jointly optimal.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.knapsack.families.anchoring import (
    FamilySolution,
    MemberSolution,
    Solve,
    bottom_up,
    choose_above,
    top_down,
)
from reds_core.knapsack.families.joint_family import joint
from reds_core.knapsack.families.partial import between, choose_containing

__all__ = [
    "FamilySolution",
    "MemberSolution",
    "Solve",
    "between",
    "bottom_up",
    "choose_above",
    "choose_containing",
    "joint",
    "top_down",
]
