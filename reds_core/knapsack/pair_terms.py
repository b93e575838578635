"""Pairwise terms: what two groups together contribute to the value or to the usage of a resource.

Every pairwise term has the form coefficient x width of the first x width of the second + table. Only this module
expands it. The table of all joint options, which may take gigabytes, is built only on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from reds_core.arrays import FloatArray, IntArray, Table
from reds_core.knapsack.integers import largest

ALL = slice(None)
"""Every option of a group, in order."""

_Index = TypeVar("_Index", slice, IntArray)


@dataclass(frozen=True, eq=False)
class PairTerm:
    """One pairwise term of a problem: coefficient x first x second + table.

    Attributes:
        coefficient: coefficient of the product of widths; may be 0.
        first, second: widths of the options of the two groups, int64 (options,), in any order.
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

    def at(self, first: int, second: int) -> int:
        """The term for one option of each group."""
        value = 0 if self.table is None else self.table.item(first, second)
        if self.coefficient:
            value += self.coefficient * self.first.item(first) * self.second.item(second)
        return value

    def along(self, first: int | IntArray, second: slice | IntArray) -> IntArray:
        """The term for a list of joint options.

        Args:
            first: Option indices of the first group, int64 (n,); or one option.
            second: Option indices of the second group, int64 (n,); any of them if `first` is one option.

        Returns:
            int64 (n,).
        """
        if not self.coefficient and self.table is not None:
            listed: IntArray = self.table[first, second]
            return listed
        product: IntArray = self.coefficient * self.first[first] * self.second[second]
        return product if self.table is None else product + self.table[first, second]

    def row(self, option: int, second: slice | IntArray = ALL) -> IntArray:
        """The term for one option of the first group and some of the second, int64 (options of second,)."""
        return self.along(option, second)

    def block(self, first: _Index, second: _Index) -> IntArray:
        """The term for some options of each group, int64 (options of first, options of second)."""
        if not self.coefficient and self.table is not None:
            return self._cut(self.table, first, second)
        product: IntArray = self.coefficient * np.multiply.outer(self.first[first], self.second[second])
        return product if self.table is None else product + self._cut(self.table, first, second)

    def floats(self, first: IntArray | slice, second: IntArray | slice, out: FloatArray) -> None:
        """Write the term for some options of each group to `out`, float64 (options of first, options of second).

        This needs no intermediate table of integers. Products above 2^53 are rounded.
        """
        if self.table is not None:
            out[...] = self.table[first][:, second]
        if self.coefficient:
            wide = float(self.coefficient) * self.first[first].astype(np.float64)
            tall = self.second[second].astype(np.float64)
            if self.table is None:
                np.multiply.outer(wide, tall, out=out)
            else:
                out += np.multiply.outer(wide, tall)
        elif self.table is None:
            out[...] = 0.0

    @cached_property
    def _largest_entry(self) -> int:
        return largest(self.table)

    def magnitude(self, first: IntArray | slice = ALL, second: IntArray | slice = ALL) -> int:
        """An upper bound on the absolute value of the term for some options of each group.

        All entries of the table count, whichever options are given. The result is a Python integer of any size.
        """
        product = 0
        if self.coefficient:
            product = abs(self.coefficient) * largest(self.first[first]) * largest(self.second[second])
        return product + self._largest_entry

    @staticmethod
    def _cut(table: IntArray, first: _Index, second: _Index) -> IntArray:
        chosen: IntArray = table[first, second] if isinstance(first, slice) else table[first[:, None], second]
        return chosen
