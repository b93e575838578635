"""A statement: what the problems of one network share, counted once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from toy_framework import describe, residual_model

from reds_core.cost import activation_memory, counting, resources
from reds_core.cost.budget import parse_budgets
from reds_core.cost.resources import CostModel
from reds_core.errors import InfeasibleError, InputError
from reds_core.formulation.formulation import formulate
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.statement import Excess, Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.file import problem_digest
from reds_core.knapsack.problem import SumResource
from reds_core.network.description import Network
from reds_core.scoring.scorer import ScoreTable

NETWORK = describe(residual_model())
SCORES = ScoreTable({g: np.random.default_rng(0).uniform(1, 2, n) for g, n in NETWORK.channels.items()})


def test_a_problem_has_the_budget_s_resources_and_the_rules_widths() -> None:
    [budget] = parse_budgets(["macs=0.5", "peak_ram=0.75"])
    rules = WidthRules(align=2)
    stated = Statement(NETWORK, CostModel(4), rules).formulate(SCORES, budget)
    forms = {"macs": counting.macs(NETWORK, 4), "peak_ram": activation_memory.peak_ram(NETWORK, 4)}
    full = {name: form.at(NETWORK.channels) for name, form in forms.items()}
    by_hand = formulate(NETWORK, SCORES, forms, budget.capacities(full), f"{NETWORK.name}-50-75", rules=rules)
    assert problem_digest(stated.problem) == problem_digest(by_hand.problem)
    assert [r.capacity for r in stated.problem.resources] == [full["macs"] // 2, full["peak_ram"] * 3 // 4]
    assert [g.widths.tolist() for g in stated.problem.groups] == [[2, 4, 6], [2, 4, 5]]


def test_an_order_and_a_name_may_be_given() -> None:
    [budget] = parse_budgets(["params=0.5"])
    order = {g: np.arange(n)[::-1] for g, n in NETWORK.channels.items()}
    stated = Statement(NETWORK).formulate(SCORES, budget, order, "mine")
    assert stated.problem.name == "mine"
    assert stated.order is order


def test_a_resource_is_counted_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count = resources.resource_forms

    def listening(network: Network, names: Iterable[str], costs: CostModel) -> dict[str, counting.ResourceForm]:
        found = count(network, names, costs)
        counted.extend(found)
        return found

    monkeypatch.setattr(resources, "resource_forms", listening)
    statement = Statement(NETWORK)
    budgets = statement.smallest_first(parse_budgets(["macs=0.5,0.25"]))
    for budget in budgets:
        statement.formulate(SCORES, budget)
        statement.excesses(budget, NETWORK.channels)
    assert counted == ["macs"]
    expected = resources.usage(NETWORK, NETWORK.channels)
    counted[:] = ["macs"]
    assert statement.usage(NETWORK.channels) == expected
    assert counted == ["macs", "params", "peak_ram"]


def test_excesses_name_what_is_above_the_budget() -> None:
    [budget] = parse_budgets(["macs=0.5", "params=1.0"])
    statement = Statement(NETWORK)
    full = statement.full_usage("macs")
    assert statement.excesses(budget, NETWORK.channels) == [Excess("macs", full, full // 2)]
    assert statement.excesses(budget, dict.fromkeys(NETWORK.channels, 1)) == []


def test_budgets_are_ordered_by_what_they_allow() -> None:
    budgets = parse_budgets(["macs=0.5,0.75,0.25"])
    assert [b.name for b in Statement(NETWORK).smallest_first(budgets)] == ["25", "50", "75"]
    with pytest.raises(InputError, match="are not ordered alike"):
        Statement(NETWORK).smallest_first(parse_budgets(["macs=0.5,0.75", "params=0.75,0.5"]))


def test_a_budget_below_the_narrowest_network_is_refused() -> None:
    budgets = parse_budgets(["macs=0.5,0.01"])
    with pytest.raises(InfeasibleError, match="no subnetwork meets the budget '1': macs "):
        check_reachable(Statement(NETWORK), budgets)
    check_reachable(Statement(NETWORK), budgets[:1])


def test_a_resource_that_cannot_be_counted_is_refused() -> None:
    [budget] = parse_budgets(["latency=2ms"])
    for ask in (Statement(NETWORK).capacities, lambda b: Statement(NETWORK).formulate(SCORES, b)):
        with pytest.raises(InputError, match="a latency budget needs measurements"):
            ask(budget)


def test_the_element_size_counts() -> None:
    [budget] = parse_budgets(["params=1.0"])
    capacities = [Statement(NETWORK, CostModel(size)).capacities(budget)["params"] for size in (1, 4)]
    assert capacities[1] == 4 * capacities[0]
    [resource] = Statement(NETWORK, CostModel(4)).formulate(SCORES, budget).problem.resources
    assert isinstance(resource, SumResource)
    assert resource.capacity == capacities[1]
