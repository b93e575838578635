"""The nested strategy, driven step by step with tools that remember what they were asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reds_pruners import NestedPruner
from reds_pruners.nested import NestedOptions
from remembering_tools import MODEL, NETWORK, RememberingTools, taken
from toy_framework import ToyFramework, describe, forward

from reds_core.formulation import Statement
from reds_core.pruning import PruningState


def family(name: Any) -> NestedPruner:
    return NestedPruner(NestedOptions(family=name))


def test_the_steps_of_a_bottom_up_family() -> None:
    tools = RememberingTools(["macs=0.75,0.5,0.25"])
    steps, states = taken(family("bottom-up"), tools)
    assert [s.name for s in steps] == ["score", "choose 25", "choose 50", "choose 75", "extract", "finetune"]
    assert [list(s.decided) for s in states[2:5]] == [["stem", "inside"]] * 3
    assert [s.epochs for s in steps] == [0, 0, 0, 0, 0, 2]
    assert [len(s.choices) for s in states] == [0, 0, 1, 2, 3, 3, 3]
    assert tools.log.count("score") == tools.log.count("finetune") == 1
    assert tools.log.count("extract") == 4


def test_without_epochs_nothing_is_trained() -> None:
    tools = RememberingTools(["macs=0.5"], epochs=0)
    steps, _ = taken(NestedPruner(), tools)
    assert [s.name for s in steps] == ["score", "choose 50", "extract"]
    assert "finetune" not in tools.log


@pytest.mark.parametrize("name", ["auto", "bottom-up", "top-down", "joint"])
def test_families_are_nested_within_budget_and_fit_the_models(name: str) -> None:
    tools = RememberingTools(["macs=0.8,0.5,0.3"])
    _, states = taken(family(name), tools)
    final = states[-1]
    assert final.family is not None
    assert final.order is not None
    assert len(final.choices) == len(final.family.members) == 3
    for i, (budget, choice, member) in enumerate(zip(tools.budgets, final.choices, final.family.members, strict=True)):
        assert Statement(NETWORK).excesses(budget, choice.widths) == []
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


@pytest.mark.parametrize("name", ["auto", "bottom-up", "top-down", "joint"])
def test_the_permuted_network_computes_what_the_original_did(name: str) -> None:
    _, states = taken(family(name), RememberingTools(["macs=0.5"]))
    x = np.random.default_rng(0).normal(size=(5, *MODEL.input_shape)).astype(np.float32)
    np.testing.assert_allclose(forward(states[-1].family.full, x)["head"], forward(MODEL, x)["head"], atol=1e-5)
    assert all(sorted(o) == list(range(NETWORK.channels[g])) for g, o in states[-1].order.items())


def test_channels_stand_by_descending_score() -> None:
    tools = RememberingTools(["macs=0.5"])
    _, states = taken(NestedPruner(), tools)
    scores, order = states[-1].scores, states[-1].order
    for group, ranking in order.items():
        assert np.all(np.diff(scores.channels[group][ranking]) <= 0)


def test_floors_are_what_the_smaller_one_keeps() -> None:
    tools = RememberingTools(["macs=0.6,0.3"])
    _, states = taken(family("bottom-up"), tools)
    smaller = states[2].choices[0].widths
    assert tools.problems[-1].floors in (tuple(smaller[g] - 1 for g in smaller), (0, 0))
    assert all(states[-1].choices[1].widths[g] >= w for g, w in smaller.items())


@pytest.mark.parametrize("name", ["auto", "bottom-up", "top-down", "joint"])
def test_nothing_crosses_a_step_but_the_state(name: str) -> None:
    """A fresh strategy object takes each step, as after a resume."""
    tools = RememberingTools(["macs=0.75,0.4"])
    steps, states = taken(family(name), tools)
    state = PruningState.initial(NETWORK, MODEL)
    for step in steps:
        state = family(name).take(step, state, RememberingTools(["macs=0.75,0.4"]))
    assert [c.widths for c in state.choices] == [c.widths for c in states[-1].choices]
