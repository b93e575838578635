"""The parts of a knapsack problem: groups, pairs of groups, and resources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.integers import as_integers, check_name, checked_table, refused
from reds_core.knapsack.levels import WIDTH, Dimension


@dataclass(frozen=True, eq=False)
class Group:
    """A group of channels that are kept or removed together, or any other decision with a list of options.

    An option of a group without dimensions is a width. An option of a group with dimensions is a row of levels, one for
    each dimension. One of the dimensions may be the width of the group, `Dimension(name, "width")`.

    Attributes:
        name: a name that is unique in the problem; may contain '/'.
        widths: number of channels that each option keeps, int64 (options,). Without dimensions they rise strictly from
            0 or more. With dimensions they are in any order, not negative, equal to the width column if there is one,
            and all 0 if the group has no widths.
        values: value of each option, int64 (options,).
        dimensions: what the columns of `levels` decide; empty for a group whose options are widths alone.
        levels: the levels of each option, int64 (options, dimensions), whose rows differ; None without dimensions. In
            a complete problem the last option leaves the network as it is.

    Raises:
        InputError: if there are no options, widths or levels break the rules above, or the shapes differ.
    """

    name: str
    widths: IntArray
    values: IntArray
    dimensions: tuple[Dimension, ...] = ()
    levels: IntArray | None = None

    def __post_init__(self) -> None:
        widths = as_integers(self.widths, f"widths of group '{self.name}'")
        if widths.ndim != 1:
            raise refused(f"widths of group '{self.name}' have the shape {widths.shape}", "give a list of integers")
        if widths.size == 0:
            raise refused(f"group '{self.name}' has no options")
        object.__setattr__(self, "widths", widths)
        object.__setattr__(self, "dimensions", tuple(self.dimensions))
        if self.dimensions:
            object.__setattr__(self, "levels", self._checked_levels())
        elif self.levels is not None:
            raise refused(f"group '{self.name}' has levels, but no dimensions")
        elif widths[0] < 0 or np.any(widths[1:] <= widths[:-1]):
            raise refused(f"widths of group '{self.name}' do not rise strictly from 0 or more")
        values = checked_table(self.values, widths.shape, f"values of group '{self.name}'")
        object.__setattr__(self, "values", np.zeros_like(widths) if values is None else values)
        self.values.setflags(write=False)

    def _checked_levels(self) -> IntArray:
        group = f"group '{self.name}'"
        if len(set(self.dimensions)) != len(self.dimensions):
            raise refused(f"{group} names a dimension twice")
        for dimension in self.dimensions:
            for part in (dimension.site, dimension.what):
                if not isinstance(part, str) or not part:
                    raise refused(f"{group} has a dimension whose site or kind is not a text")
                check_name(part)
            if dimension.what == WIDTH and dimension.site != self.name:
                raise refused(f"{group} has levels of the width of '{dimension.site}'", "state them at that group")
        if self.levels is None:
            raise refused(f"{group} has dimensions, but no levels")
        levels = checked_table(
            self.levels, (self.options, len(self.dimensions)), f"levels of {group} (options x dimensions)"
        )
        assert levels is not None
        if len(np.unique(levels, axis=0)) != len(levels):
            raise refused(f"two options of {group} have the same levels")
        if self.widths.min() < 0:
            raise refused(f"{group} has a negative width")
        column = self.column(WIDTH)
        if column is not None and not np.array_equal(levels[:, column], self.widths):
            raise refused(f"widths of {group} differ from the levels of its width")
        return levels

    def column(self, what: str, site: str | None = None) -> int | None:
        """The column of `levels` that decides `what` at `site`, or None. A `site` of None is the group itself."""
        wanted = Dimension(self.name if site is None else site, what)
        return self.dimensions.index(wanted) if wanted in self.dimensions else None

    @property
    def options(self) -> int:
        """The number of options."""
        return int(self.widths.size)

    @property
    def has_widths(self) -> bool:
        """Whether the options of the group have a number of channels."""
        return not self.dimensions or self.column(WIDTH) is not None or bool(self.widths.any())


@dataclass(frozen=True, eq=False)
class Pair:
    """Two groups that share pairwise terms.

    Attributes:
        first, second: indices of two different groups.
        values: value of each joint choice, int64 (options of first, options of second), or None for zeros.
        kernel: the kernel scores that `values` was computed from, float64 (channels of first, channels of second), or
            None. Only solvers that choose single kernels read them; `evaluate` ignores them. Both groups must be
            without dimensions, because a kernel belongs to widths.
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
