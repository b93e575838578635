"""The multiple-choice knapsack problem with pairwise terms, as it is given to solvers.

Maximise    V(x) = sum_g value_g[x_g] + sum_(a,b) pair_value_ab[x_a, x_b]
subject to  base_r + sum_g cost_rg[x_g] + sum_(a,b) (bilinear_rab width_a[x_a] width_b[x_b] + pair_cost_rab[x_a, x_b])
            <= capacity_r                                                   for each sum resource r,
            max_s (base_rs + sum_(g in s) cost_rsg[x_g]) <= capacity_r      for each peak resource r,
            floor_g <= x_g <= ceiling_g.

x_g is an option index. All numbers are int64; values and costs may be negative and need not rise with the option. An
option is a width, or a row of levels of several dimensions.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from reds_core.arrays import BoolArray, IntArray, Table
from reds_core.knapsack.checks import checked_pair, checked_resource
from reds_core.knapsack.integers import MAGNITUDE_LIMIT as MAGNITUDE_LIMIT
from reds_core.knapsack.integers import as_integer, check_name, counted, largest, refused
from reds_core.knapsack.levels import LevelSettings, Nesting
from reds_core.knapsack.nesting import checked_nesting, order_of
from reds_core.knapsack.pair_terms import ALL, PairTerm
from reds_core.knapsack.parts import Group as Group
from reds_core.knapsack.parts import Pair as Pair
from reds_core.knapsack.parts import PeakResource as PeakResource
from reds_core.knapsack.parts import PeakStep as PeakStep
from reds_core.knapsack.parts import Resource as Resource
from reds_core.knapsack.parts import SumResource as SumResource
from reds_core.knapsack.restriction import kept_options, restricted_parts

_SHOWN = 8
"""The most groups, and the most resources, that a problem shows as text."""


@dataclass(frozen=True)
class Evaluation:
    """The value and the usage of a choice.

    Attributes:
        value: V(x).
        usage: usage of each resource, by resource name.
        feasible: whether every usage is within its capacity, and every option within its floor and ceiling.
    """

    value: int
    usage: Mapping[str, int]
    feasible: bool


@dataclass(frozen=True, eq=False, repr=False)
class KnapsackProblem:
    """A validated, read-only multiple-choice knapsack problem with pairwise terms.

    A solution chooses one option x_g of each group g. It maximises

        sum over groups of value_g[x_g] + sum over pairs of pair_value_ab[x_a, x_b]

    subject to the capacity of each resource and to floor_g <= x_g <= ceiling_g. All numbers are 64-bit integers.
    `reds_core.ProblemBuilder` builds a problem by the names of its groups, `load_problem` and `save_problem` read and
    write files, `evaluate` computes the value and usage of a choice, and `reds_core.solve` solves a problem.

    Attributes:
        name: name of the problem, for messages.
        groups: the groups, at least one.
        pairs: pairs of groups with pairwise terms; each two groups form at most one pair.
        resources: sum and peak resources.
        floors, ceilings: the smallest and the largest option index allowed for each group; empty for no restriction.
        nesting: how the levels of the members of a family must agree, for each kind of dimension that groups have.
            Entries for kinds that no group has are dropped. Widths are RISING unless stated otherwise.

    Raises:
        InputError: if names, pairs or dimensions repeat, shapes disagree, a kind of dimension has no nesting, or a sum
            of its numbers could exceed 2^62.
    """

    name: str
    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    floors: tuple[int, ...] = ()
    ceilings: tuple[int, ...] = ()
    nesting: Mapping[str, Nesting] = field(default_factory=dict)
    _caches: dict[tuple[str, int], Table] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for part in ("groups", "pairs", "resources"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
        check_name(self.name)
        if not self.groups:
            raise refused("it has no groups")
        for names in ([g.name for g in self.groups], [r.name for r in self.resources]):
            seen: set[str] = set()
            for name in names:
                check_name(name)
                if not name or name in seen:
                    raise refused(f"the name '{name}' is empty or used twice")
                seen.add(name)
        object.__setattr__(self, "nesting", checked_nesting(self.groups, self.nesting))
        counts = [g.options for g in self.groups]
        floors = tuple(as_integer(f, "a floor") for f in self.floors) or (0,) * len(counts)
        ceilings = tuple(as_integer(c, "a ceiling") for c in self.ceilings) or tuple(n - 1 for n in counts)
        object.__setattr__(self, "floors", floors)
        object.__setattr__(self, "ceilings", ceilings)
        for bounds in (self.floors, self.ceilings):
            if len(bounds) != len(counts) or any(not 0 <= b < n for b, n in zip(bounds, counts, strict=True)):
                raise refused("a floor or ceiling is not an option index of its group")
        object.__setattr__(self, "pairs", tuple(checked_pair(self.groups, p) for p in self.pairs))
        joined = [frozenset((p.first, p.second)) for p in self.pairs]
        if len(set(joined)) != len(joined):
            raise refused("two pairs join the same groups", "add their tables up into one pair")
        object.__setattr__(
            self, "resources", tuple(checked_resource(self.groups, self.pairs, r) for r in self.resources)
        )
        if self.magnitude > MAGNITUDE_LIMIT:
            raise refused("a sum of its numbers could pass 2^62", "scale the values or costs down")

    @cached_property
    def magnitude(self) -> int:
        """An upper bound on the absolute value of any partial sum of values, or of the costs of one resource."""
        sums = [sum(largest(g.values) for g in self.groups) + sum(largest(p.values) for p in self.pairs)]
        for r in self.resources:
            sums.append(abs(r.capacity))
            if isinstance(r, SumResource):
                terms = (self._cost_term(r, k) for k in range(len(self.pairs)))
                sums.append(
                    abs(r.base) + sum(largest(c) for c in r.costs) + sum(t.magnitude() for t in terms if t is not None)
                )
            else:
                sums += [abs(s.base) + sum(largest(c) for c in s.costs) for s in r.steps]
        return max(sums)

    def __repr__(self) -> str:
        limits = [f"{r.name} <= {r.capacity}" for r in self.resources[:_SHOWN]] or ["no resources"]
        limits += ["..."] if len(self.resources) > _SHOWN else []
        return f"<KnapsackProblem {self.name!r}: {self._sizes}, {', '.join(limits)}>"

    def __str__(self) -> str:
        """The sizes, the resources and the groups, in at most about twenty lines."""
        lines = [f"problem '{self.name}': {self._sizes}"]
        for resource in self.resources[:_SHOWN]:
            kind = "sum" if isinstance(resource, SumResource) else f"peak, {counted(len(resource.steps), 'step')}"
            lines.append(f"  {resource.name} ({kind}): at most {resource.capacity:,}")
        for group, low, high in list(zip(self.groups, self.floors, self.ceilings, strict=True))[:_SHOWN]:
            allowed = "" if (low, high) == (0, group.options - 1) else f" ({low} to {high} allowed)"
            lines.append(
                f"  {group.name}: {counted(group.options, 'option')}{allowed}, {_shown_levels(group)}, "
                f"values {group.values.min():,} to {group.values.max():,}"
            )
        return "\n".join(lines) + self._more("resource") + self._more("group")

    @property
    def _sizes(self) -> str:
        options = counted(sum(group.options for group in self.groups), "option")
        return f"{counted(len(self.groups), 'group')}, {options}, {counted(len(self.pairs), 'pair')}"

    def _more(self, part: str) -> str:
        """How many resources or groups are not shown; empty if all are."""
        count = len(self.resources if part == "resource" else self.groups) - _SHOWN
        return f"\n  and {counted(count, f'more {part}')}" if count > 0 else ""

    # --- tables -------------------------------------------------------------------------------------------------

    @cached_property
    def sum_resources(self) -> tuple[SumResource, ...]:
        """The sum resources, in the order of `resources`."""
        return tuple(r for r in self.resources if isinstance(r, SumResource))

    @cached_property
    def peak_resources(self) -> tuple[PeakResource, ...]:
        """The peak resources, in the order of `resources`."""
        return tuple(r for r in self.resources if isinstance(r, PeakResource))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Group index by name."""
        return {g.name: i for i, g in enumerate(self.groups)}

    @cached_property
    def pair_terms(self) -> tuple[tuple[PairTerm | None, ...], ...]:
        """For each pair, its term in the value and then in each sum resource; None where it adds nothing."""
        return tuple(
            (self._value_term(k), *(self._cost_term(r, k) for r in self.sum_resources)) for k in range(len(self.pairs))
        )

    def _value_term(self, pair: int) -> PairTerm | None:
        joined = self.pairs[pair]
        if joined.values is None:
            return None
        return PairTerm(0, self.groups[joined.first].widths, self.groups[joined.second].widths, joined.values)

    def _cost_term(self, resource: SumResource, pair: int) -> PairTerm | None:
        joined, coefficient, table = self.pairs[pair], resource.bilinear[pair], resource.pair_costs[pair]
        if not coefficient and table is None:
            return None
        return PairTerm(coefficient, self.groups[joined.first].widths, self.groups[joined.second].widths, table)

    def pair_cost(self, resource: SumResource, pair: int) -> Table:
        """The bilinear term and the pair costs of one pair as one table.

        Returns:
            int64 (options of first, options of second), or None if all entries are zero.
        """
        key = (resource.name, pair)
        if key not in self._caches:
            table, term = resource.pair_costs[pair], self._cost_term(resource, pair)
            if term is not None and term.coefficient:
                table = term.block(ALL, ALL)
                table.setflags(write=False)
            self._caches[key] = table
        return self._caches[key]

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        """The number of options of each group."""
        return tuple(g.options for g in self.groups)

    # --- evaluation ---------------------------------------------------------------------------------------------

    def evaluate(self, choice: Sequence[int]) -> Evaluation:
        """Compute value and usage of `choice` in exact integers.

        Args:
            choice: one option index for each group, in the order of `groups`.

        Raises:
            InputError: if `choice` does not hold one valid option index for each group.
        """
        try:
            x = [operator.index(i) for i in choice]
        except TypeError:  # not even a sequence of integers
            x = []
        if len(x) != len(self._counts) or min(x) < 0 or any(map(operator.ge, x, self._counts)):
            raise refused("a choice does not hold one option index for each group", "give one index for each group")
        value = sum([g.values.item(i) for g, i in zip(self.groups, x, strict=True)])
        value += sum([p.values.item(x[p.first], x[p.second]) for p in self.pairs if p.values is not None])
        usage = {r.name: self._usage(r, x) for r in self.resources}
        feasible = (
            all(usage[r.name] <= r.capacity for r in self.resources)
            and all(map(operator.le, self.floors, x))
            and all(map(operator.le, x, self.ceilings))
        )
        return Evaluation(value, usage, feasible)

    def _usage(self, resource: Resource, x: list[int]) -> int:
        if isinstance(resource, PeakResource):
            totals = (
                s.base + sum(int(c[x[g]]) for g, c in zip(s.groups, s.costs, strict=True) if c is not None)
                for s in resource.steps
            )
            return max(totals, default=0)
        total = resource.base + sum([c.item(i) for c, i in zip(resource.costs, x, strict=True) if c is not None])
        row = 1 + self.sum_resources.index(resource)
        for pair, terms in zip(self.pairs, self.pair_terms, strict=True):
            term = terms[row]
            if term is not None:
                total += term.at(x[pair.first], x[pair.second])
        return total

    def widths(self, choice: Sequence[int]) -> dict[str, int]:
        """The number of channels that each group keeps under `choice`, by group name; only groups that have widths."""
        return {g.name: int(g.widths[i]) for g, i in zip(self.groups, choice, strict=True) if g.has_widths}

    # --- levels -------------------------------------------------------------------------------------------------

    @property
    def has_levels(self) -> bool:
        """Whether a group has options that are rows of levels rather than widths alone."""
        return any(g.dimensions for g in self.groups)

    def settings(self, choice: Sequence[int]) -> LevelSettings:
        """The level of each dimension besides widths under `choice`."""
        return LevelSettings.of(
            (dimension, int(level))
            for g, i in zip(self.groups, choice, strict=True)
            if g.levels is not None
            for dimension, level in zip(g.dimensions, g.levels[i], strict=True)
        )

    def within(self, group: int) -> BoolArray:
        """Which options of a smaller member of a family may lie within which options of a larger one.

        Without dimensions, options are ordered by their widths. With dimensions, one option lies within another if the
        levels of every dimension agree as its nesting demands.

        Args:
            group: index of the group.

        Returns:
            bool (options, options). Entry [i, j] says whether option i may lie within option j.
        """
        return order_of(self.groups[group], self.nesting)

    # --- variants -----------------------------------------------------------------------------------------------

    def with_bounds(
        self, floors: Iterable[int] | None = None, ceilings: Iterable[int] | None = None
    ) -> KnapsackProblem:
        """The same problem with other floors or ceilings. None keeps the present ones."""
        return self._sharing(
            replace(
                self,
                floors=self.floors if floors is None else tuple(floors),
                ceilings=self.ceilings if ceilings is None else tuple(ceilings),
            )
        )

    def restricted(self, options: Sequence[IntArray | Sequence[int]]) -> Restricted:
        """The problem in which each group has only the given options; see `Restricted`.

        Options that the floors and ceilings of this problem exclude are left out too. The result has no floors and
        ceilings.

        Args:
            options: for each group, the indices of the options that it keeps, int64 (kept,), rising.

        Raises:
            InputError: if a group keeps no option, or its indices do not rise or are not those of options.
        """
        kept = kept_options(self.groups, self.floors, self.ceilings, options)
        parts = restricted_parts(self.groups, self.pairs, self.resources, kept)
        return Restricted(KnapsackProblem(self.name, *parts, nesting=self.nesting), kept)

    def with_capacities(self, capacities: Mapping[str, int]) -> KnapsackProblem:
        """The same problem with other capacities.

        Args:
            capacities: new capacities by resource name; other resources keep theirs.

        Raises:
            InputError: if the problem has no resource of a given name.
        """
        unknown = set(capacities) - {r.name for r in self.resources}
        if unknown:
            raise refused(f"it has no resource '{min(unknown)}'", "name one of its resources")
        resources = tuple(replace(r, capacity=capacities.get(r.name, r.capacity)) for r in self.resources)
        return self._sharing(replace(self, resources=resources))

    def _sharing(self, variant: KnapsackProblem) -> KnapsackProblem:
        """`variant`, which has the same tables, with the tables that were computed so far."""
        variant._caches.update(self._caches)
        return variant


@dataclass(frozen=True, eq=False)
class Restricted:
    """A problem in which each group has only some of the options of another one.

    Attributes:
        problem: the restricted problem. Each of its choices has the value and usage that it has in the other problem.
        options: for each group, the option in the other problem of each option in `problem`, int64 (kept,), rising.
    """

    problem: KnapsackProblem
    options: tuple[IntArray, ...]

    def outer(self, choice: Sequence[int]) -> tuple[int, ...]:
        """The choice in the other problem that `choice` in `problem` represents."""
        return tuple(int(kept[i]) for kept, i in zip(self.options, choice, strict=True))

    def inner(self, choice: Sequence[int]) -> tuple[int, ...] | None:
        """The choice in `problem` that represents `choice` in the other problem; None if an option is left out."""
        found = tuple(int(np.searchsorted(kept, i)) for kept, i in zip(self.options, choice, strict=True))
        is_kept = [at < len(kept) and kept[at] == i for at, kept, i in zip(found, self.options, choice, strict=True)]
        return found if all(is_kept) else None


def _shown_levels(group: Group) -> str:
    """What the options of a group decide, in a few words."""
    if not group.dimensions:
        return f"widths {group.widths[0]:,} to {group.widths[-1]:,}"
    named = [d.what if d.site == group.name else f"{d.what} of {d.site}" for d in group.dimensions[:_SHOWN]]
    return f"levels of {', '.join(named)}{', ...' if len(group.dimensions) > _SHOWN else ''}"
