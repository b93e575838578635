"""Widths first, at an assumed mean number of bits, and then the bits of each layer at these widths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from reds_baselines.assumed_bits import at_mean_bits
from reds_baselines.bits import Mask, best, containing, counterparts, untouched, with_rest_of
from reds_baselines.greedy_bits import greedy_bits
from reds_baselines.widths_and_bits import WidthsAndBitsPruner
from reds_core.errors import InputError
from reds_core.knapsack import KnapsackProblem, Solution
from reds_core.pruning import Tools


@dataclass(frozen=True)
class PruneThenBitsOptions:
    """Options of `prune-then-bits`.

    Attributes:
        bits: The mean number of bits that is assumed of all layers with a choice of bits, when widths are chosen.
        assign: How the bits of each layer are chosen. exact: by a knapsack, which finds the best bits at the chosen
            widths; greedy: one layer after the other is given fewer bits, always the one that loses least for each
            byte saved.
    """

    bits: float = 5.0
    assign: Literal["exact", "greedy"] = "exact"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bits) and self.bits > 0):
            raise InputError(
                f"option prune-then-bits.bits={self.bits} is not a number above 0", "give a number such as 5"
            )


class PruneThenBitsPruner(WidthsAndBitsPruner):
    """Chooses widths as if all weights had an assumed number of bits, and then the bits of each layer at these widths.

    With `assign=exact`, the bits are those of the integer program that Sony's Model Compression Toolkit solves for a
    network of given widths. `assign=greedy` follows HAWQ (arXiv 1905.03696, 1911.03852) in that layers are ranked by
    what fewer bits cost. HAWQ ranks them by the trace of the Hessian times the squared error of the weights; here the
    measured loss of each layer is used, as by all other strategies.
    """

    name = "prune-then-bits"
    Options: ClassVar[type] = PruneThenBitsOptions

    def chosen(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        pruned = self._pruned(problem, smaller, tools)
        assert pruned.choice is not None
        allowed = _at_widths(problem, smaller, pruned.choice)
        failure = f"the widths chosen for an assumed mean of {self.options.bits:g} bits exceed the budget at any bits"
        if self.options.assign == "greedy":
            allowed = greedy_bits(problem, allowed)
            failure = f"{failure} that are lowered greedily"
        found = best(problem, allowed, tools, f"prune-then-bits is infeasible: {failure}", self._fix, exact=True)
        return replace(found, wall_s=pruned.wall_s + found.wall_s, alignment=pruned.alignment)

    def _pruned(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        """The best widths if all layers have the assumed bits."""
        bits, within = self.options.bits, smaller
        if smaller is not None:
            pairs = zip(problem.groups, smaller, strict=True)
            within = [int(counterparts(group, most=True)[option]) for group, option in pairs]
        allowed = [
            mask & untouched(group) for mask, group in zip(containing(problem, within), problem.groups, strict=True)
        ]
        failure = f"prune-then-bits is infeasible: no widths meet the budget at an assumed mean of {bits:g} bits"
        return best(at_mean_bits(problem, bits), allowed, tools, failure, self._fix)

    @property
    def _fix(self) -> str:
        return (
            "assume another mean by the option prune-then-bits.bits, raise the budget, or choose pruner nested, which "
            "needs no assumption"
        )


def _at_widths(problem: KnapsackProblem, smaller: Sequence[int] | None, choice: Sequence[int]) -> list[Mask]:
    """The options that differ from a choice in nothing but bits, and contain those of the smaller subnetwork."""
    return [
        mask & with_rest_of(group, option)
        for mask, group, option in zip(containing(problem, smaller), problem.groups, choice, strict=True)
    ]
