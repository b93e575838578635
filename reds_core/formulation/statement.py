"""The common part of all knapsack problems of one network: everything but the scores and the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reds_core.cost import resources
from reds_core.cost.budget import SubnetworkBudget, smallest_first
from reds_core.cost.counting import ResourceForm
from reds_core.cost.resources import CostModel
from reds_core.formulation.formulation import Formulation, formulate
from reds_core.formulation.width_rules import WidthRules
from reds_core.network.axis import Kept
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
    """A network, how its resources are counted, and which widths are options.

    The cost of each resource is derived from the network once, when it is first asked for.

    Attributes:
        network: the network that is pruned.
        costs: how its resources are counted.
        rules: which widths are options.
    """

    network: Network
    costs: CostModel = field(default_factory=CostModel)
    rules: WidthRules = WidthRules()

    def form(self, resource: str) -> ResourceForm:
        """The use of a resource as a function of the widths.

        Raises:
            InputError: if the resource cannot be counted.
        """
        if resource not in self._forms:
            self._forms.update(resources.resource_forms(self.network, [resource], self.costs))
        return self._forms[resource]

    def full_usage(self, resource: str) -> int:
        """How much of a resource the full network uses.

        Raises:
            InputError: if the resource cannot be counted.
        """
        return self.form(resource).at(self.network.channels)

    def usage(self, widths: Mapping[str, int]) -> dict[str, int]:
        """How much of every resource that can be counted is used where group g has `widths[g]` channels."""
        return {resource: self.form(resource).at(widths) for resource in self.costs.resources}

    def capacities(self, budget: SubnetworkBudget) -> dict[str, int]:
        """How much of each resource of a budget may be used.

        Raises:
            InputError: if a resource of the budget cannot be counted.
        """
        return budget.capacities({resource: self.full_usage(resource) for resource in budget.amounts})

    def excesses(self, budget: SubnetworkBudget, widths: Mapping[str, int]) -> list[Excess]:
        """The resources of which `widths` use more than the budget allows; an empty list if the budget is met."""
        used = {resource: self.form(resource).at(widths) for resource in budget.amounts}
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
        """Formulate the problem of which width each group should have under a budget.

        Args:
            scores: The scores of the channels.
            budget: The budget.
            order: The order of the channels of each group; None orders them by descending score.
            name: The name of the problem; None names it after the network and the budget.

        Raises:
            InputError: if a resource of the budget cannot be counted.
            UnsupportedError: if no group of the network can be pruned.
        """
        return formulate(
            self.network,
            scores,
            {resource: self.form(resource) for resource in budget.amounts},
            self.capacities(budget),
            name or f"{self.network.name}-{budget.name}",
            order,
            self.rules,
        )

    @cached_property
    def _forms(self) -> dict[str, ResourceForm]:
        return {}
