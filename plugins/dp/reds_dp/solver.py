"""The solver `dp`."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from reds_core.knapsack import (
    Answer,
    Claim,
    Control,
    Controls,
    Feature,
    KnapsackProblem,
    Solver,
    cheapest_where_memory_ends,
)
from reds_core.knapsack.inference import largest_table
from reds_dp.answer import answer
from reds_dp.search import SearchLimits


@dataclass(frozen=True)
class DpOptions:
    """Options of `dp`.

    Attributes:
        table_limit: the largest number of entries that a table may have; problems that need larger ones are refused.
        label_limit: the largest number of labels (partial choices) at one step; the solver stops above it, with a
            choice and a bound.
    """

    table_limit: int = 2**24
    label_limit: int = 2**21


class DpSolver(Solver):
    """Exact dynamic programming that drops partial choices by Lagrangian bounds.

    Groups are decided one after the other. At each step, one label is kept for every way in which the groups decided so
    far can matter to the others (label setting). This finds a proven optimum of every problem in which few groups are
    linked to each other at a time (whose group graph has a small treewidth); other problems are refused.
    """

    name = "dp"
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.TIME_LIMIT | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    auto_rank = 10
    memory_bounds_work = True
    Options = DpOptions

    def refusal(self, problem: KnapsackProblem) -> str | None:
        entries = largest_table(problem)
        if entries <= self.options.table_limit:
            return None
        return (
            f"its groups are linked so densely that a table would have about 10^{math.log10(entries):.1f} entries, "
            f"more than the option table_limit ({self.options.table_limit}) allows"
        )

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        deadline = math.inf if controls.time_limit_s is None else time.perf_counter() + controls.time_limit_s
        limits = SearchLimits(deadline, self.options.label_limit, controls.memory_limit(), controls.gap or 0.0)
        return cheapest_where_memory_ends(
            problem, controls.hint, lambda: answer(problem, self.options.table_limit, limits, controls)
        )
