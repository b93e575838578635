"""Builds knapsack problems step by step, by the names of groups and resources."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray, Table
from reds_core.errors import InputError
from reds_core.knapsack.integers import as_integer, as_integers, check_name, counted
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource


@dataclass
class _SumParts:
    capacity: int
    base: int
    costs: dict[str, IntArray]
    products: dict[tuple[str, str], int] = field(default_factory=dict)
    pair_costs: dict[tuple[str, str], IntArray] = field(default_factory=dict)


@dataclass
class _PeakParts:
    capacity: int
    steps: list[tuple[int, dict[str, IntArray]]] = field(default_factory=list)


class ProblemBuilder:
    """Builds a knapsack problem step by step.

    A problem has groups, of which each solution chooses one option. The options of a group are counted from 0. The
    value of a solution is the sum of the values of the chosen options and of the chosen pairs of options. It is limited
    by resources: a sum resource adds up costs, and a peak resource is the largest of several such sums.

    All numbers are integers, and may be negative. Each method checks its arguments at once.

    Args:
        name: The name of the problem, for messages and files.

    Raises:
        InputError: If the name is not a text.

    Example:
        >>> builder = ProblemBuilder("two layers")
        >>> builder.add_group("conv", values=[0, 40, 60], widths=[8, 16, 32])
        >>> builder.add_group("dense", values=[0, 25], widths=[10, 20])
        >>> builder.add_sum("macs", capacity=400)
        >>> builder.add_product("macs", "conv", "dense")
        >>> reds_core.solve(builder.build(), "dp").widths
        {'conv': 16, 'dense': 20}
    """

    def __init__(self, name: str = "problem") -> None:
        if not isinstance(name, str):
            raise InputError(f"{name!r} is not a name of a problem", "give a text")
        check_name(name)
        self._name = name
        self._groups: dict[str, Group] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        self._pairs: list[tuple[str, str]] = []
        self._pair_values: dict[tuple[str, str], IntArray] = {}
        self._resources: dict[str, _SumParts | _PeakParts] = {}
        self._nesting: dict[str, Nesting] = {}

    def add_group(
        self,
        name: str,
        values: npt.ArrayLike,
        widths: npt.ArrayLike | None = None,
        *,
        levels: Mapping[str, Mapping[str, npt.ArrayLike]] | None = None,
        floor: int | None = None,
        ceiling: int | None = None,
    ) -> None:
        """Add a group.

        Args:
            name: A name that no other group has.
            values: The value of each option.
            widths: The width of each option, strictly rising from 0 or more, such as the number of channels that it
                keeps. Products multiply widths. By default, they are 1, 2, 3 and so on. With `levels`, they need not
                rise, and by default they are the levels of the width of the group, if there are any.
            levels: What each option decides, as `{site: {what: levels}}` with one level for each option, where a site
                is the group itself or a layer, and `what` is "width" or another kind such as "weight_bits". No two
                options may have the same levels. `set_nesting` says how the levels of a kind nest.
            floor: The smallest option index that is allowed. By default, there is no such limit.
            ceiling: The largest option index that is allowed. By default, there is no such limit.

        Raises:
            InputError: If the name is taken, or the values, widths, levels or limits are invalid.
        """
        self._refuse_taken("group", name, self._groups)
        table = as_integers(values, f"the values of group '{name}'")
        if table.ndim != 1:
            raise InputError(
                f"the values of group '{name}' have shape {table.shape}", "give a list of one value for each option"
            )
        dimensions, rows = ((), None) if levels is None else self._levels(name, levels, table.size)
        if widths is not None:
            sizes = as_integers(widths, f"the widths of group '{name}'")
        elif rows is None:
            sizes = np.arange(1, table.size + 1)
        else:
            width = Dimension(name, WIDTH)
            sizes = rows[:, dimensions.index(width)] if width in dimensions else np.zeros(table.size, np.int64)
        if sizes.shape != table.shape:
            raise InputError(
                f"group '{name}' has {counted(table.size, 'value')}, but its widths have shape {sizes.shape}",
                "give one width for each value",
            )
        group = Group(name, sizes, table, dimensions, rows)
        low = 0 if floor is None else as_integer(floor, f"the floor of group '{name}'")
        high = group.options - 1 if ceiling is None else as_integer(ceiling, f"the ceiling of group '{name}'")
        if not 0 <= low <= high < group.options:
            raise InputError(
                f"the floor {low} and the ceiling {high} of group '{name}' leave no option",
                f"give option indices from 0 to {group.options - 1}, the floor at most the ceiling",
            )
        self._groups[name], self._bounds[name] = group, (low, high)

    def set_nesting(self, what: str, nesting: Nesting | str) -> None:
        """Say which levels of one kind the members of a family may have. Every kind but the width needs it.

        Args:
            what: The kind, such as "weight_bits".
            nesting: "rising" if a smaller member has at most the level of a larger one, "equal" if all have the same
                level, or "free".

        Raises:
            InputError: If there is no such nesting.
        """
        try:
            self._nesting[what] = Nesting(nesting)
        except ValueError:
            known = ", ".join(each.value for each in Nesting)
            raise InputError(f"{nesting!r} is not a way in which levels nest", f"give one of {known}") from None

    def add_sum(
        self, name: str, capacity: int, costs: Mapping[str, npt.ArrayLike] | None = None, *, base: int = 0
    ) -> None:
        """Add a resource whose usage is the sum of all costs, such as MACs.

        `add_costs`, `add_pair_costs` and `add_product` add further costs to it.

        Args:
            name: A name that no other resource has.
            capacity: The largest usage that is allowed.
            costs: The cost of each option, by the name of the group. Groups that are left out cost nothing.
            base: Usage that does not depend on the choice.

        Raises:
            InputError: If the name is taken, a group is unknown, or the costs do not have one number for each option.
        """
        self._refuse_taken("resource", name, self._resources)
        self._resources[name] = _SumParts(
            as_integer(capacity, f"the capacity of '{name}'"),
            as_integer(base, f"the base of '{name}'"),
            self._costs(name, costs or {}),
        )

    def add_costs(self, resource: str, costs: Mapping[str, npt.ArrayLike]) -> None:
        """Add costs of groups to a sum resource, for example of groups that were added after it.

        Args:
            resource: The name of the sum resource.
            costs: The cost of each option, by the name of the group.

        Raises:
            InputError: If there is no such sum resource, a group is unknown or has costs of it already, or the costs do
                not have one number for each option.
        """
        parts = self._sum(resource)
        checked = self._costs(resource, costs)
        for group in checked:
            if group in parts.costs:
                raise InputError(f"group '{group}' has costs of '{resource}' already", "add both up")
        parts.costs.update(checked)

    def add_peak(self, name: str, capacity: int) -> None:
        """Add a resource whose usage is that of its largest step, such as peak RAM. `add_step` adds its steps.

        Args:
            name: A name that no other resource has.
            capacity: The largest usage that is allowed.

        Raises:
            InputError: If the name is taken.
        """
        self._refuse_taken("resource", name, self._resources)
        self._resources[name] = _PeakParts(as_integer(capacity, f"the capacity of '{name}'"))

    def add_step(self, resource: str, costs: Mapping[str, npt.ArrayLike], *, base: int = 0) -> None:
        """Add a step to a peak resource.

        Args:
            resource: The name of the peak resource.
            costs: The cost of each option, by the name of the group. Groups that are left out cost nothing.
            base: Usage of the step that does not depend on the choice.

        Raises:
            InputError: If there is no such peak resource, a group is unknown, or the costs do not have one number for
                each option.
        """
        parts = self._resource(resource)
        if not isinstance(parts, _PeakParts):
            raise InputError(
                f"resource '{resource}' is a sum, which has no steps", "use add_peak to add a peak resource"
            )
        parts.steps.append((as_integer(base, f"a base of '{resource}'"), self._costs(resource, costs)))

    def add_pair_values(self, first: str, second: str, values: npt.ArrayLike) -> None:
        """Add values that depend on the options of two groups together.

        Args:
            first: The name of a group.
            second: The name of another group.
            values: The value of each pair of options, with one row for each option of `first` and one column for each
                option of `second`.

        Raises:
            InputError: If a group is unknown, the pair has values already, or the table has another shape.
        """
        pair, table = self._pair_table(first, second, values, "pair values")
        if pair in self._pair_values:
            raise InputError(f"'{first}' and '{second}' have pair values already", "add both tables up")
        self._pair_values[pair] = table

    def add_pair_costs(self, resource: str, first: str, second: str, costs: npt.ArrayLike) -> None:
        """Add costs that depend on the options of two groups together to a sum resource.

        Args:
            resource: The name of the sum resource.
            first: The name of a group.
            second: The name of another group.
            costs: The cost of each pair of options, with one row for each option of `first` and one column for each
                option of `second`.

        Raises:
            InputError: If there is no such sum resource, a group is unknown, the pair has costs already, or the table
                has another shape.
        """
        parts = self._sum(resource)
        pair, table = self._pair_table(first, second, costs, f"pair costs of '{resource}'")
        if pair in parts.pair_costs:
            raise InputError(f"'{first}' and '{second}' have pair costs of '{resource}' already", "add both tables up")
        parts.pair_costs[pair] = table

    def add_product(self, resource: str, first: str, second: str, coefficient: int = 1) -> None:
        """Add `coefficient` times the product of the widths of two groups to the usage of a sum resource.

        The MACs of a convolution have this form: input channels times output channels times a constant.

        Args:
            resource: The name of the sum resource.
            first: The name of a group.
            second: The name of another group.
            coefficient: The factor. If it is given several times for a pair, the factors add up.

        Raises:
            InputError: If there is no such sum resource or group, a group has levels without widths, or the coefficient
                is not whole.
        """
        parts = self._sum(resource)
        for group in (first, second):
            self._known("group", group, self._groups)
            if not self._groups[group].has_widths:
                raise InputError(f"group '{group}' has no widths to multiply", "give it widths, or use add_pair_costs")
        factor = as_integer(coefficient, f"a coefficient of '{resource}'")
        pair = self._pair(first, second)
        parts.products[pair] = parts.products.get(pair, 0) + factor

    def build(self) -> KnapsackProblem:
        """Return the problem. More can be added to the builder afterwards, which does not change the problem.

        Raises:
            InputError: If there is no group, two groups have the same dimension, a kind of levels has no nesting, or a
                sum of the numbers could exceed 2^62.
        """
        if not self._groups:
            raise InputError(f"problem '{self._name}' has no groups", "add one with add_group")
        for what in sorted({d.what for group in self._groups.values() for d in group.dimensions} - {WIDTH}):
            if what not in self._nesting:
                raise InputError(f"nothing says how levels of '{what}' nest", "say it with set_nesting")
        index = {name: place for place, name in enumerate(self._groups)}
        return KnapsackProblem(
            self._name,
            tuple(self._groups.values()),
            tuple(Pair(index[a], index[b], self._pair_values.get((a, b))) for a, b in self._pairs),
            tuple(self._built(name, parts, index) for name, parts in self._resources.items()),
            tuple(low for low, _ in self._bounds.values()),
            tuple(high for _, high in self._bounds.values()),
            self._nesting,
        )

    def _built(self, name: str, parts: _SumParts | _PeakParts, index: Mapping[str, int]) -> Resource:
        if isinstance(parts, _PeakParts):
            steps = (
                PeakStep(base, tuple(index[g] for g in costs), tuple(costs.values())) for base, costs in parts.steps
            )
            return PeakResource(name, parts.capacity, tuple(steps))
        costs: Iterable[Table] = (parts.costs.get(group) for group in index)
        bilinear = (parts.products.get(pair, 0) for pair in self._pairs)
        pair_costs: Iterable[Table] = (parts.pair_costs.get(pair) for pair in self._pairs)
        return SumResource(name, parts.capacity, parts.base, tuple(costs), tuple(bilinear), tuple(pair_costs))

    # --- checks -------------------------------------------------------------------------------------------------

    def _refuse_taken(self, what: str, name: str, taken: Iterable[str]) -> None:
        if not isinstance(name, str) or not name:
            raise InputError(f"{name!r} is not a name of a {what}", "give a text that is not empty")
        check_name(name)
        if name in taken:
            raise InputError(f"there is a {what} '{name}' already", "give each one a name of its own")

    def _known(self, what: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        if name not in names:
            close = difflib.get_close_matches(str(name), names, n=1)
            listed = f"known: {', '.join(names)}" if names else f"add a {what} first"
            raise InputError(f"there is no {what} '{name}'", f"did you mean '{close[0]}'?" if close else listed)

    def _resource(self, name: str) -> _SumParts | _PeakParts:
        self._known("resource", name, self._resources)
        return self._resources[name]

    def _sum(self, name: str) -> _SumParts:
        parts = self._resource(name)
        if not isinstance(parts, _SumParts):
            raise InputError(
                f"resource '{name}' is a peak, whose costs belong to its steps",
                "use add_step, or add_sum for a sum resource",
            )
        return parts

    def _levels(
        self, name: str, levels: Mapping[str, Mapping[str, npt.ArrayLike]], options: int
    ) -> tuple[tuple[Dimension, ...], IntArray]:
        """The dimensions of a group, and its levels, int64 (options, dimensions)."""
        if not isinstance(levels, Mapping) or not all(isinstance(each, Mapping) for each in levels.values()):
            raise InputError(
                f"the levels of group '{name}' are not given by site and kind",
                "give a dict such as {'conv1': {'width': [8, 8, 16], 'weight_bits': [4, 8, 8]}}",
            )
        columns = {
            Dimension(site, what): self._table(column, (options,), f"levels of '{what}' at '{site}'")
            for site, kinds in levels.items()
            for what, column in kinds.items()
        }
        if not columns:
            raise InputError(f"the levels of group '{name}' are empty", "leave them out, or give a kind of levels")
        return tuple(columns), np.stack(list(columns.values()), axis=1)

    def _costs(self, resource: str, costs: Mapping[str, npt.ArrayLike]) -> dict[str, IntArray]:
        if not isinstance(costs, Mapping):
            raise InputError(
                f"the costs of '{resource}' are not given by group", "give a dict such as {'conv1': [10, 20, 30]}"
            )
        checked = {}
        for group, table in costs.items():
            self._known("group", group, self._groups)
            checked[group] = self._table(table, (self._groups[group].options,), f"costs of '{resource}' for '{group}'")
        return checked

    def _pair(self, first: str, second: str) -> tuple[str, str]:
        """The pair of two groups, in the order in which it was named first."""
        for group in (first, second):
            self._known("group", group, self._groups)
        if first == second:
            raise InputError(
                f"a pair joins group '{first}' with itself", "add what depends on one group to its own values or costs"
            )
        if (second, first) in self._pairs:
            return second, first
        if (first, second) not in self._pairs:
            self._pairs.append((first, second))
        return first, second

    def _pair_table(self, first: str, second: str, table: npt.ArrayLike, what: str) -> tuple[tuple[str, str], IntArray]:
        """The pair of two groups and its table, turned to the order of the pair."""
        for group in (first, second):
            self._known("group", group, self._groups)
        shape = (self._groups[first].options, self._groups[second].options)
        checked = self._table(table, shape, f"{what} of '{first}' and '{second}'")
        pair = self._pair(first, second)
        return pair, checked if pair == (first, second) else checked.T

    def _table(self, table: npt.ArrayLike, shape: tuple[int, ...], what: str) -> IntArray:
        checked = as_integers(table, what)
        if checked.shape != shape:
            raise InputError(f"{what} have shape {checked.shape}", f"give an array of shape {shape}")
        return checked
