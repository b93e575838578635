"""The multiple-choice knapsack problem with pairwise terms, as it is given to solvers.

Maximise    V(x) = sum_g value_g[x_g] + sum_(a,b) pair_value_ab[x_a, x_b]
subject to  base_r + sum_g cost_rg[x_g] + sum_(a,b) (bilinear_rab width_a[x_a] width_b[x_b] + pair_cost_rab[x_a, x_b])
            <= capacity_r                                                   for each sum resource r,
            max_s (base_rs + sum_(g in s) cost_rsg[x_g]) <= capacity_r      for each peak resource r,
            floor_g <= x_g <= ceiling_g.

x_g is an option index. All numbers are int64; values and costs may be negative and need not rise with the option.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.integers import MAGNITUDE_LIMIT as MAGNITUDE_LIMIT
from reds_core.knapsack.integers import as_integer, as_integers, checked_table, is_sealed, largest, refused
from reds_core.knapsack.pair_terms import ALL, PairTerm


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


@dataclass(frozen=True, eq=False)
class KnapsackProblem:
    """A validated, read-only problem. The docstring of the module states it as a formula.

    Attributes:
        name: name of the problem, for messages.
        groups: the groups, at least one.
        pairs: pairs of groups with pairwise terms; each two groups form at most one pair.
        resources: sum and peak resources.
        floors, ceilings: the smallest and the largest option index allowed for each group; empty for no restriction.

    Raises:
        InputError: if names or pairs repeat, shapes disagree, or a sum of its numbers could exceed 2^62.
    """

    name: str
    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    floors: tuple[int, ...] = ()
    ceilings: tuple[int, ...] = ()
    _caches: dict[tuple[str, int], Table] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for part in ("groups", "pairs", "resources"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
        if not self.groups:
            raise refused("it has no groups")
        for names in ([g.name for g in self.groups], [r.name for r in self.resources]):
            for name in names:
                if not name or names.count(name) > 1:
                    raise refused(f"the name '{name}' is empty or used twice")
        counts = [g.options for g in self.groups]
        floors = tuple(as_integer(f, "a floor") for f in self.floors) or (0,) * len(counts)
        ceilings = tuple(as_integer(c, "a ceiling") for c in self.ceilings) or tuple(n - 1 for n in counts)
        object.__setattr__(self, "floors", floors)
        object.__setattr__(self, "ceilings", ceilings)
        for bounds in (self.floors, self.ceilings):
            if len(bounds) != len(counts) or any(not 0 <= b < n for b, n in zip(bounds, counts, strict=True)):
                raise refused("a floor or ceiling is not an option index of its group")
        object.__setattr__(self, "pairs", tuple(self._checked_pair(p) for p in self.pairs))
        joined = [frozenset((p.first, p.second)) for p in self.pairs]
        if len(set(joined)) != len(joined):
            raise refused("two pairs join the same groups", "add their tables up into one pair")
        object.__setattr__(self, "resources", tuple(self._checked_resource(r) for r in self.resources))
        if self.magnitude > MAGNITUDE_LIMIT:
            raise refused("a sum of its numbers could pass 2^62", "scale the values or costs down")

    def _checked_pair(self, pair: Pair) -> Pair:
        first, second = pair.first, pair.second
        if first == second or not (0 <= first < len(self.groups) and 0 <= second < len(self.groups)):
            raise refused(f"a pair joins groups {first} and {second}; it must join two different groups")
        a, b = self.groups[first], self.groups[second]
        what = f"pair values of '{a.name}' and '{b.name}'"
        kernel = pair.kernel
        if kernel is not None:
            kernel = kernel if is_sealed(kernel, np.float64) else np.array(kernel, dtype=np.float64)
            if kernel.shape != (largest(a.widths), largest(b.widths)) or not np.all(np.isfinite(kernel)):
                raise refused(f"kernel scores of '{a.name}' and '{b.name}' are not finite numbers, channels x channels")
            kernel.setflags(write=False)
        return Pair(first, second, checked_table(pair.values, (a.options, b.options), what), kernel)

    def _checked_resource(self, resource: Resource) -> Resource:
        if isinstance(resource, SumResource):
            return self._checked_sum(resource)
        steps = []
        for step in resource.steps:
            if len(set(step.groups)) != len(step.groups) or len(step.costs) != len(step.groups):
                raise refused(f"a step of '{resource.name}' names a group twice or lacks its costs")
            if any(not 0 <= g < len(self.groups) for g in step.groups):
                raise refused(f"a step of '{resource.name}' names a group that does not exist")
            costs = tuple(
                checked_table(c, (self.groups[g].options,), f"costs of '{resource.name}'")
                for g, c in zip(step.groups, step.costs, strict=True)
            )
            base = as_integer(step.base, f"a base of '{resource.name}'")
            steps.append(PeakStep(base, tuple(step.groups), costs))
        capacity = as_integer(resource.capacity, f"the capacity of '{resource.name}'")
        return PeakResource(resource.name, capacity, tuple(steps))

    def _checked_sum(self, resource: SumResource) -> SumResource:
        what = f"costs of '{resource.name}'"
        costs = resource.costs or (None,) * len(self.groups)
        bilinear = resource.bilinear or (0,) * len(self.pairs)
        pair_costs = resource.pair_costs or (None,) * len(self.pairs)
        if len(costs) != len(self.groups) or len(bilinear) != len(self.pairs) or len(pair_costs) != len(self.pairs):
            raise refused(f"{what} do not have one entry for each group and each pair")
        return SumResource(
            resource.name,
            as_integer(resource.capacity, f"the capacity of '{resource.name}'"),
            as_integer(resource.base, f"the base of '{resource.name}'"),
            tuple(checked_table(c, (g.options,), what) for c, g in zip(costs, self.groups, strict=True)),
            tuple(as_integer(b, f"a bilinear coefficient of '{resource.name}'") for b in bilinear),
            tuple(
                checked_table(c, (self.groups[p.first].options, self.groups[p.second].options), what)
                for c, p in zip(pair_costs, self.pairs, strict=True)
            ),
        )

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

    # --- tables -------------------------------------------------------------------------------------------------

    @property
    def sum_resources(self) -> tuple[SumResource, ...]:
        return tuple(r for r in self.resources if isinstance(r, SumResource))

    @property
    def peak_resources(self) -> tuple[PeakResource, ...]:
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
        if len(x) != len(self.groups) or any(not 0 <= i < g.options for i, g in zip(x, self.groups, strict=True)):
            raise refused("a choice does not hold one option index for each group", "give one index for each group")
        value = sum(int(g.values[i]) for g, i in zip(self.groups, x, strict=True))
        value += sum(int(p.values[x[p.first], x[p.second]]) for p in self.pairs if p.values is not None)
        usage = {r.name: self._usage(r, x) for r in self.resources}
        feasible = all(usage[r.name] <= r.capacity for r in self.resources) and all(
            low <= i <= high for low, i, high in zip(self.floors, x, self.ceilings, strict=True)
        )
        return Evaluation(value, usage, feasible)

    def _usage(self, resource: Resource, x: list[int]) -> int:
        if isinstance(resource, PeakResource):
            totals = (
                s.base + sum(int(c[x[g]]) for g, c in zip(s.groups, s.costs, strict=True) if c is not None)
                for s in resource.steps
            )
            return max(totals, default=0)
        total = resource.base + sum(int(c[i]) for c, i in zip(resource.costs, x, strict=True) if c is not None)
        row = 1 + self.sum_resources.index(resource)
        for pair, terms in zip(self.pairs, self.pair_terms, strict=True):
            term = terms[row]
            total += 0 if term is None else term.at(x[pair.first], x[pair.second])
        return total

    def widths(self, choice: Sequence[int]) -> dict[str, int]:
        """The number of channels that each group keeps under `choice`, by group name."""
        return {g.name: int(g.widths[i]) for g, i in zip(self.groups, choice, strict=True)}

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
