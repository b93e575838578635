"""The common part of all knapsack problems of one network: everything but the scores and the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from reds_core.cost import resources
from reds_core.cost.budget import SubnetworkBudget, smallest_first
from reds_core.cost.counting import ResourceForm
from reds_core.cost.resources import CostModel
from reds_core.formulation.formulation import Formulation, formulate
from reds_core.formulation.level_costs import LevelForm, level_form
from reds_core.formulation.nodes import MAX_NODE_OPTIONS, OptionNodes, option_nodes
from reds_core.formulation.space import DecisionSpace
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.network.axis import Kept
from reds_core.network.branches import without_branches, without_channels
from reds_core.network.description import Network
from reds_core.scoring.scorer import ScoreTable


@dataclass(frozen=True)
class Excess:
    """A resource of which a choice of widths uses more than a budget allows.

    Attributes:
        resource: The name of the resource.
        used: How much is used, in base units.
        capacity: How much the budget allows, in base units.
    """

    resource: str
    used: int
    capacity: int


@dataclass(frozen=True, eq=False)
class Statement:
    """A network, how its resources are counted, which widths are options, and what else can be decided.

    The cost of each resource is derived from the network once, when it is first asked for.

    Attributes:
        network: the network that is pruned.
        costs: how its resources are counted.
        rules: which widths are options.
        space: what can be decided besides widths; None for nothing.
        max_node_options: the most options of a group with levels; None for any number.
        whole: the statement of the network of which this one is a part that ends at an exit; None for a whole network.
        parts: the statement of the part that each exit of the network needs, by the name of the exit, and None for the
            last one; empty if the network has no early exits.
    """

    network: Network
    costs: CostModel = field(default_factory=CostModel)
    rules: WidthRules = WidthRules()
    space: DecisionSpace | None = None
    max_node_options: int | None = MAX_NODE_OPTIONS
    whole: Statement | None = None
    parts: Mapping[str | None, Statement] = field(default_factory=dict)

    def with_parts(self, parts: Mapping[str | None, Statement]) -> Statement:
        """The same statement of a network with early exits.

        Args:
            parts: The statement of the part that each exit needs, by depth, with None for the last exit.
        """
        return replace(self, parts={exit: replace(part, whole=self) for exit, part in parts.items()})

    @property
    def exits(self) -> tuple[str | None, ...]:
        """The exits at which a subnetwork may end, by depth; the last one is None."""
        return tuple(self.parts) or (None,)

    def part(self, exit: str | None) -> Statement:
        """The statement of the part that an exit needs.

        Raises:
            KeyError: if the network has no such exit.
        """
        return self if exit is None and not self.parts else self.parts[exit]

    def form(self, resource: str) -> ResourceForm:
        """The use of a resource as a function of the widths, with all layers as they are.

        Raises:
            InputError: if the resource cannot be counted.
        """
        if resource not in self._forms:
            network = self.network if self.space is None else self.space.network
            self._forms.update(resources.resource_forms(network, [resource], self.costs))
        return self._forms[resource]

    def level_form(self, resource: str) -> LevelForm:
        """The use of a resource as a function of the widths and the levels of layers.

        Raises:
            InputError: if the resource cannot be counted.
            UnsupportedError: if levels change the resource, and it does not add up over layers.
        """
        if resource not in self._level_forms:
            form = self.form(resource)
            levelled = LevelForm(form, {}) if self.space is None else level_form(self.space, resource, self.costs)
            self._level_forms[resource] = levelled
        return self._level_forms[resource]

    @cached_property
    def nodes(self) -> OptionNodes:
        """The options of each group: its widths, combined with the levels of layers."""
        return option_nodes(self.network, self.rules, self.space, self.max_node_options)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Levels and widths that are not offered although they could be, one sentence each. Empty without a space."""
        return () if self.space is None else (*self.space.warnings, *self.nodes.warnings)

    def described(self, settings: LevelSettings) -> Network:
        """The network with its layers at the levels of `settings`."""
        return self.network if self.space is None else self.space.described(settings)

    def executed(self, widths: Mapping[str, int], settings: LevelSettings = UNTOUCHED) -> Network:
        """The network with its layers at the levels of `settings`, without the residual blocks that are skipped.

        Forms of the whole network may count a little more than what is left, see `reds_core.cost.executed`.

        Args:
            widths: The number of channels of each group, 0 for those of skipped blocks.
            settings: The levels of layers.
        """
        network = self.described(settings)
        skipped = without_channels(widths)
        return replace(without_branches(network, skipped).network, skippable=()) if skipped else network

    def full_usage(self, resource: str) -> int:
        """How much of a resource the full network uses, of which budgets may be fractions.

        For a part that ends at an exit, that is the whole network with all of its exits.

        Raises:
            InputError: if the resource cannot be counted.
        """
        if self.whole is not None:
            return self.whole.full_usage(resource)
        return self.form(resource).at(self.network.channels)

    def usage(self, widths: Mapping[str, int], settings: LevelSettings | None = None) -> dict[str, int]:
        """How much of every resource that is counted is used.

        Args:
            widths: The number of channels of each group.
            settings: The levels of layers; None leaves all layers as they are.
        """
        return self._usage(self.costs.resources, widths, settings)

    def capacities(self, budget: SubnetworkBudget) -> dict[str, int]:
        """How much of each resource of a budget may be used.

        Raises:
            InputError: if a resource of the budget cannot be counted.
        """
        return budget.capacities({resource: self.full_usage(resource) for resource in budget.amounts})

    def excesses(
        self, budget: SubnetworkBudget, widths: Mapping[str, int], settings: LevelSettings | None = None
    ) -> list[Excess]:
        """The resources of which a choice uses more than the budget allows; an empty list if the budget is met.

        Args:
            budget: The budget.
            widths: The number of channels of each group.
            settings: The levels of layers; None leaves all layers as they are.
        """
        used = self._usage(budget.amounts, widths, settings)
        return [Excess(r, used[r], capacity) for r, capacity in self.capacities(budget).items() if used[r] > capacity]

    def smallest_first(self, budgets: Sequence[SubnetworkBudget]) -> tuple[SubnetworkBudget, ...]:
        """The budgets in rising order.

        Raises:
            InputError: if they are not ordered alike in every resource, or if a resource cannot be counted.
        """
        return smallest_first(budgets, {r: self.full_usage(r) for budget in budgets for r in budget.amounts})

    def formulate(
        self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None, name: str | None = None
    ) -> Formulation:
        """Formulate the problem of which width each group should have under a budget, and which levels each layer.

        Args:
            scores: The scores of the channels, and the values of levels.
            budget: The budget.
            order: The order of the channels of each group; None orders them by descending score.
            name: The name of the problem; None names it after the network and the budget.

        Raises:
            InputError: if a resource of the budget cannot be counted.
            UnsupportedError: if no group of the network can be pruned and no levels are offered, or levels change a
                resource that does not add up over layers.
        """
        return formulate(
            self.network,
            scores,
            {resource: self.level_form(resource) for resource in budget.amounts},
            self.capacities(budget),
            name or f"{self.network.name}-{budget.name}",
            order,
            nodes=self.nodes.nodes,
            nesting=None if self.space is None else self.space.nesting,
        )

    def _usage(self, names: Iterable[str], widths: Mapping[str, int], settings: LevelSettings | None) -> dict[str, int]:
        if not settings and not (self.network.skippable and without_channels(widths)):
            return {resource: self.form(resource).at(widths) for resource in names}
        network = self.executed(widths, settings or UNTOUCHED)
        return {r: form.at(widths) for r, form in resources.resource_forms(network, names, self.costs).items()}

    @cached_property
    def _forms(self) -> dict[str, ResourceForm]:
        return {}

    @cached_property
    def _level_forms(self) -> dict[str, LevelForm]:
        return {}
