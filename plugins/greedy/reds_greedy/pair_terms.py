"""What two groups add together, computed where it is looked at: a table of all joint options may take gigabytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack import KnapsackProblem


@dataclass(frozen=True, eq=False)
class PairTerm:
    """coefficient x width of the first x width of the second + table, for each option of either.

    Attributes:
        coefficient: of the product of widths; 0 for none.
        first, second: widths, int64 (options,).
        table: int64 (options of first, options of second), or None for zeros.
    """

    coefficient: int
    first: IntArray
    second: IntArray
    table: Table

    @property
    def turned(self) -> PairTerm:
        """The same term with the groups exchanged."""
        return PairTerm(self.coefficient, self.second, self.first, None if self.table is None else self.table.T)

    def row(self, option: int) -> IntArray:
        """The term for each option of the second group beside one of the first, int64 (options of second,)."""
        product: IntArray = self.coefficient * int(self.first[option]) * self.second
        return product if self.table is None else product + self.table[option]

    def block(self, first: slice, second: slice) -> IntArray:
        """The term for some options of either group, int64 (options of first, options of second)."""
        product = self.coefficient * np.multiply.outer(self.first[first], self.second[second])
        return product if self.table is None else product + self.table[first, second]


def pair_terms(problem: KnapsackProblem, k: int) -> list[tuple[int | None, PairTerm]]:
    """The terms of pair `k` that are not zero throughout: of the value (None), and of sum resources by their index."""
    pair = problem.pairs[k]
    widths = problem.groups[pair.first].widths, problem.groups[pair.second].widths
    terms: list[tuple[int | None, PairTerm]] = []
    if pair.values is not None:
        terms.append((None, PairTerm(0, *widths, pair.values)))
    for row, resource in enumerate(problem.sum_resources):
        if resource.bilinear[k] or resource.pair_costs[k] is not None:
            terms.append((row, PairTerm(resource.bilinear[k], *widths, resource.pair_costs[k])))
    return terms
