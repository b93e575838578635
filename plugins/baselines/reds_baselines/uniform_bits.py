"""One number of bits for all layers but the first and the last, and the best widths with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reds_baselines.bits import best, containing, end_layers, offered_bits, with_bits
from reds_baselines.widths_and_bits import WidthsAndBitsPruner
from reds_core.errors import InputError
from reds_core.knapsack import KnapsackProblem, Solution
from reds_core.pruning import Tools


@dataclass(frozen=True)
class UniformBitsOptions:
    """Options of `uniform-bits`.

    Attributes:
        level: The bits of all layers but the first and the last.
        ends: The bits of the first and the last layer with a kernel, which lose most by fewer bits.
    """

    level: int = 4
    ends: int = 8


class UniformBitsPruner(WidthsAndBitsPruner):
    """Gives all layers the same number of bits, the first and the last one more, and chooses the best widths with them.

    Widths are chosen by a knapsack under all budgets. A layer that is not offered the bits keeps its weights as they
    are. With `level=8` this is pruning with weights of 8 bits alone.
    """

    name = "uniform-bits"
    Options: ClassVar[type] = UniformBitsOptions

    def chosen(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        level = self.options.level
        offered = offered_bits(problem)
        for key, asked in (("level", level), ("ends", self.options.ends)):
            if asked not in offered:
                numbers = ", ".join(str(n) for n in sorted(offered))
                raise InputError(
                    f"option uniform-bits.{key}={asked}: no layer is offered {asked} bits", f"give one of {numbers}"
                )
        ends = dict.fromkeys(end_layers(tools.network), self.options.ends)
        allowed = [
            mask & with_bits(group, ends, level)
            for mask, group in zip(containing(problem, smaller), problem.groups, strict=True)
        ]
        return best(
            problem,
            allowed,
            tools,
            f"pruner 'uniform-bits' finds no widths that meet the budget with {level} bits",
            "give fewer bits by the option uniform-bits.level, raise the budget, or choose pruner nested, which "
            "chooses bits and widths together",
        )
