"""Budgets of the arena work in every command that takes budgets."""

from __future__ import annotations

import pytest
from command_line import Reds
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Workplace

from reds_core.cost.resources import CostModel, usage
from reds_core.errors import InfeasibleError
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.watcher import Watcher

COSTS = CostModel(additional=("arena",))
NETWORK = describe(residual_model())
FULL = usage(NETWORK, NETWORK.channels, COSTS)


def test_members_keep_the_budget_and_plans_state_it(place: Workplace) -> None:
    plan = place.prune(budgets={"arena": [0.8, 0.6]}, settings=NO_TRAINING, data=None)
    assert plan.full.usage["arena"] == FULL["arena"]
    for member, share in zip(plan.subnetworks, (0.6, 0.8), strict=True):
        small = describe(ToyFramework().load_model(place.out / str(member.files["keras"])))
        assert member.usage["arena"] == usage(small, small.channels, COSTS)["arena"]
        assert member.usage["peak_ram"] <= member.usage["arena"] <= int(share * FULL["arena"])


def test_a_member_is_added_to_a_family_that_was_planned_without_it(place: Workplace) -> None:
    place.prune(budgets={"macs": [0.25, 0.75]})
    member = extract(place.out, ExtractionRequest(("arena=0.7",)), toy_registry(), Watcher())
    assert member.usage["arena"] <= int(0.7 * FULL["arena"])


def test_budgets_below_the_least_are_refused_with_the_least(place: Workplace) -> None:
    least = usage(NETWORK, dict.fromkeys(NETWORK.channels, 1), COSTS)["arena"]
    with pytest.raises(InfeasibleError, match=f"arena is limited to 16, but the least that can be reached is {least}"):
        place.prune(budgets={"arena": "16B"})


def test_a_problem_of_it_is_written_and_solved(reds: Reds, place: Workplace) -> None:
    limit, problem = FULL["arena"] - 16, place.folder / "problem.npz"
    asked = ("--budget", f"arena={limit}B", "--scorer", "magnitude", "--out", problem)
    assert reds("formulate", place.model, *asked).status == 0
    solved = reds("solve", problem, "--json")
    assert solved.status == 0
    assert solved.json["usage"]["arena"] <= limit
