"""The parts of a knapsack problem: groups, pairs of groups, and resources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.integers import as_integers, checked_table, refused


@dataclass(frozen=True, eq=False)
class Group:
    """A group of channels that are kept or removed together.

    Attributes:
        name: a name that is unique in the problem; may contain '/'.
        widths: number of channels that each option keeps, int64 (options,), strictly rising, at least 1.
        values: value of each option, int64 (options,).

    Raises:
        InputError: if there are no options, widths do not rise strictly from 1 or more, or the shapes differ.
    """

    name: str
    widths: IntArray
    values: IntArray

    def __post_init__(self) -> None:
        widths = as_integers(self.widths, f"widths of group '{self.name}'")
        if widths.ndim != 1 or widths.size == 0:
            raise refused(f"group '{self.name}' has no options")
        if widths[0] < 1 or np.any(widths[1:] <= widths[:-1]):
            raise refused(f"widths of group '{self.name}' do not rise strictly from 1 or more")
        values = checked_table(self.values, widths.shape, f"values of group '{self.name}'")
        object.__setattr__(self, "widths", widths)
        object.__setattr__(self, "values", np.zeros_like(widths) if values is None else values)
        self.values.setflags(write=False)

    @property
    def options(self) -> int:
        """The number of options."""
        return int(self.widths.size)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two groups that share pairwise terms.

    Attributes:
        first, second: indices of two different groups.
        values: value of each joint choice, int64 (options of first, options of second), or None for zeros.
        kernel: the kernel scores that `values` was computed from, float64 (channels of first, channels of second), or
            None. Only solvers that choose single kernels read them; `evaluate` ignores them.
    """

    first: int
    second: int
    values: Table = None
    kernel: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class SumResource:
    """A resource whose usage adds up over the network, such as MACs, parameters or latency.

    Attributes:
        name: a name that is unique in the problem.
        capacity: the largest usage that is allowed.
        base: usage that does not depend on the choice.
        costs: for each group, usage of each option, int64 (options,), or None for zeros.
        bilinear: for each pair, the coefficient of the product of both widths.
        pair_costs: for each pair, int64 (options of first, options of second), or None for zeros.
    """

    name: str
    capacity: int
    base: int = 0
    costs: tuple[Table, ...] = ()
    bilinear: tuple[int, ...] = ()
    pair_costs: tuple[Table, ...] = ()


@dataclass(frozen=True, eq=False)
class PeakStep:
    """One step of a peak resource. It uses `base` plus the sum of `costs` over `groups`.

    Attributes:
        base: usage that does not depend on the choice.
        groups: indices of different groups.
        costs: for each of `groups`, usage of each option, int64 (options,), or None for zeros.
    """

    base: int
    groups: tuple[int, ...] = ()
    costs: tuple[Table, ...] = ()


@dataclass(frozen=True, eq=False)
class PeakResource:
    """A resource whose usage is that of its largest step, such as peak RAM; 0 if it has no steps."""

    name: str
    capacity: int
    steps: tuple[PeakStep, ...] = ()


Resource = SumResource | PeakResource
