"""The nested strategy, driven step by step with tools that remember what they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reds_pruners import NestedPruner
from reds_pruners.nested import NestedOptions
from toy_framework import ToyFramework, describe, forward, residual_model
from toy_plugins import BruteSolver

from reds_core import cost
from reds_core.axis import Kept
from reds_core.budget import SubnetworkBudget, parse_budgets, smallest_first
from reds_core.formulate import Formulation, formulate
from reds_core.framework import Family
from reds_core.problem import KnapsackProblem
from reds_core.pruner import PruningState, Step, Tools
from reds_core.scorer import ScoreTable
from reds_core.solution import Solution
from reds_core.solver import solve

MODEL = residual_model()
NETWORK = describe(MODEL)
FORMS = cost.resource_forms(NETWORK, ["macs"])
FULL = {"macs": FORMS["macs"].at(NETWORK.channels)}


class RememberingTools(Tools):
    def __init__(self, budgets: Sequence[str], epochs: int = 2) -> None:
        self.network, self.model, self.seed = NETWORK, MODEL, 0
        self.budgets = smallest_first(parse_budgets(budgets), FULL)
        self.epochs = epochs
        self.log: list[str] = []
        self.problems: list[KnapsackProblem] = []

    @property
    def finetune_epochs(self) -> int:
        return self.epochs

    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        self.log.append("score")
        assert model is MODEL
        rng = np.random.default_rng(3)
        return ScoreTable({g: rng.lognormal(0, 1, n) for g, n in NETWORK.channels.items()})

    def formulate(self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None) -> Formulation:
        return formulate(NETWORK, scores, FORMS, budget.capacities(FULL), budget.name, order)

    def solve(self, problem: KnapsackProblem) -> Solution:
        self.log.append("solve")
        self.problems.append(problem)
        return solve(problem, BruteSolver())

    def extract(self, model: Any, kept: Kept) -> Any:
        self.log.append("extract")
        return ToyFramework().extract(model, NETWORK, kept)

    def finetune(self, family: Family[Any]) -> Family[Any]:
        self.log.append("finetune")
        return family

    def loss(self, model: Any) -> float:
        raise AssertionError("a nested family measures no loss")


def run(pruner: NestedPruner, tools: RememberingTools) -> tuple[list[Step], list[PruningState]]:
    steps = list(pruner.steps(NETWORK, tools.budgets, tools.epochs))
    states = [PruningState()]
    for step in steps:
        states.append(pruner.take(step, replace(states[-1], decided={}), tools))
    return steps, states


def family(name: Any) -> NestedPruner:
    return NestedPruner(NestedOptions(family=name))


def test_the_steps_of_a_bottom_up_family() -> None:
    tools = RememberingTools(["macs=0.75,0.5,0.25"])
    steps, states = run(NestedPruner(), tools)
    assert [s.name for s in steps] == ["score", "choose 25", "choose 50", "choose 75", "extract", "finetune"]
    assert [list(s.decided) for s in states[2:5]] == [["stem", "inside"]] * 3
    assert [s.epochs for s in steps] == [0, 0, 0, 0, 0, 2]
    assert [len(s.choices) for s in states] == [0, 0, 1, 2, 3, 3, 3]
    assert tools.log.count("score") == tools.log.count("finetune") == 1
    assert tools.log.count("extract") == 4


def test_without_epochs_nothing_is_trained() -> None:
    tools = RememberingTools(["macs=0.5"], epochs=0)
    steps, _ = run(NestedPruner(), tools)
    assert [s.name for s in steps] == ["score", "choose 50", "extract"]
    assert "finetune" not in tools.log


@pytest.mark.parametrize("name", ["bottom-up", "top-down", "joint"])
def test_families_are_nested_within_budget_and_fit_the_models(name: str) -> None:
    tools = RememberingTools(["macs=0.8,0.5,0.3"])
    _, states = run(family(name), tools)
    final = states[-1]
    assert final.family is not None
    assert final.order is not None
    assert len(final.choices) == len(final.family.members) == 3
    for i, (budget, choice, member) in enumerate(zip(tools.budgets, final.choices, final.family.members, strict=True)):
        assert FORMS["macs"].at(choice.widths) <= budget.capacities(FULL)["macs"]
        assert describe(member).channels == choice.widths
        assert final.family.widths[i] == choice.widths
        assert choice.solution is not None
        assert choice.bound_independent is not None
        assert choice.solution.value is not None
        assert choice.bound_independent >= choice.solution.value
        if i:
            assert all(final.choices[i - 1].widths[g] <= w for g, w in choice.widths.items())
        kept = final.kept(i)
        again = ToyFramework().extract(MODEL, NETWORK, kept)
        for weight in again.weights:
            np.testing.assert_array_equal(member.weights[weight], again.weights[weight])


@pytest.mark.parametrize("name", ["bottom-up", "top-down", "joint"])
def test_the_permuted_network_computes_what_the_original_did(name: str) -> None:
    _, states = run(family(name), RememberingTools(["macs=0.5"]))
    x = np.random.default_rng(0).normal(size=(5, *MODEL.input_shape)).astype(np.float32)
    assert states[-1].family is not None
    np.testing.assert_allclose(forward(states[-1].family.full, x)["head"], forward(MODEL, x)["head"], atol=1e-5)
    assert states[-1].order is not None
    assert all(sorted(o) == list(range(NETWORK.channels[g])) for g, o in states[-1].order.items())


def test_channels_stand_by_descending_score() -> None:
    tools = RememberingTools(["macs=0.5"])
    _, states = run(NestedPruner(), tools)
    scores, order = states[-1].scores, states[-1].order
    assert scores is not None
    assert order is not None
    for group, ranking in order.items():
        assert np.all(np.diff(scores.channels[group][ranking]) <= 0)


def test_floors_are_what_the_smaller_one_keeps() -> None:
    tools = RememberingTools(["macs=0.6,0.3"])
    _, states = run(NestedPruner(), tools)
    smaller = states[2].choices[0].widths
    assert tools.problems[-1].floors in (tuple(smaller[g] - 1 for g in smaller), (0, 0))
    assert all(states[-1].choices[1].widths[g] >= w for g, w in smaller.items())


@pytest.mark.parametrize("name", ["bottom-up", "top-down", "joint"])
def test_nothing_crosses_a_step_but_the_state(name: str) -> None:
    """A fresh strategy object takes each step, as after a resume."""
    tools = RememberingTools(["macs=0.75,0.4"])
    steps, states = run(family(name), tools)
    state = PruningState()
    for step in steps:
        state = family(name).take(step, state, RememberingTools(["macs=0.75,0.4"]))
    assert [c.widths for c in state.choices] == [c.widths for c in states[-1].choices]
