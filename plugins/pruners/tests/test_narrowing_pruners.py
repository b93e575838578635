"""Strategies that narrow cut by cut, driven step by step with tools that remember what they were asked."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from reds_pruners import LayerwisePruner, OneShotPruner, ProgressivePruner
from reds_pruners.layerwise import LayerwiseOptions
from reds_pruners.narrowing import NarrowingPruner
from reds_pruners.progressive import ProgressiveOptions
from reds_pruners.widths import uniform_choice
from remembering_tools import MODEL, NETWORK, RememberingTools, drawn_scores, taken
from toy_framework import chain_model, describe, forward

from reds_core.errors import InputError
from reds_core.formulation import WidthRules
from reds_core.knapsack import Status
from reds_core.pruning import PruningState

CHAIN = chain_model((4, 5, 3, 4))
GROUPS = tuple(describe(CHAIN).channels)
ONE, THREE = ["macs=0.5"], ["macs=0.8,0.5,0.3"]


def layerwise(**options: Any) -> LayerwisePruner:
    return LayerwisePruner(LayerwiseOptions(**options))


def progressive(**options: Any) -> ProgressivePruner:
    return ProgressivePruner(ProgressiveOptions(**options))


def on_chain(*budgets: str, epochs: int = 0, **more: Any) -> RememberingTools:
    return RememberingTools(budgets, epochs, CHAIN, **more)


def changing(number: int) -> Mapping[str, npt.NDArray[np.float64]]:
    """Other scores each time a network is scored."""
    return drawn_scores(describe(CHAIN).channels, seed=number)


EVERY = [
    layerwise(),
    layerwise(order="backward", horizon="local"),
    layerwise(order="sensitivity", block=3, horizon="local"),
    layerwise(block=2),
    progressive(),
    progressive(steps=2, schedule="geometric"),
    progressive(rescore=False),
]


def named(pruner: NarrowingPruner) -> str:
    changed = (f"{f.name}={getattr(pruner.options, f.name)}" for f in dataclasses.fields(pruner.options))
    return f"{pruner.name}-{','.join(changed)}"


@pytest.mark.parametrize("pruner", EVERY, ids=named)
@pytest.mark.parametrize("budgets", [ONE, THREE])
def test_networks_only_ever_lose_channels_and_meet_their_budgets(pruner: NarrowingPruner, budgets: list[str]) -> None:
    tools = on_chain(*budgets, rescored=changing)
    _, states = taken(pruner, tools)
    final = states[-1]
    assert final.family is not None
    assert len(final.choices) == len(final.family.members) == len(tools.budgets)
    for before, after in itertools.pairwise(s for s in states if s.choices):
        widths = before.choices[0].widths
        assert all(after.choices[0].widths[g] <= w for g, w in widths.items())
        gone = {g: set(before.kept(0)[g]) - set(after.kept(0)[g]) for g in widths}
        assert all(set(after.kept(0)[g]).isdisjoint(lost) for g, lost in gone.items())
    for i, (budget, choice) in enumerate(zip(tools.budgets, final.choices, strict=True)):
        assert tools.statement.excesses(budget, choice.widths) == []
        assert describe(final.family.members[i]).channels == choice.widths == final.family.widths[i]
    for smaller, larger in itertools.pairwise(range(len(final.choices))):
        assert all(set(final.kept(smaller)[g]) <= set(final.kept(larger)[g]) for g in GROUPS)


@pytest.mark.parametrize("pruner", EVERY, ids=named)
def test_models_are_those_of_the_kept_channels(pruner: NarrowingPruner) -> None:
    tools = on_chain(*THREE, rescored=changing)
    _, states = taken(pruner, tools)
    final = states[-1]
    assert final.family is not None
    assert final.order is not None
    x = np.random.default_rng(0).normal(size=(5, *CHAIN.input_shape)).astype(np.float32)
    np.testing.assert_allclose(forward(final.family.full, x)["head"], forward(CHAIN, x)["head"], atol=1e-5)
    for i, member in enumerate(final.family.members):
        again = tools.extract(CHAIN, final.kept(i))
        for name, weight in again.weights.items():
            np.testing.assert_array_equal(member.weights[name], weight)


@pytest.mark.parametrize("order", ["forward", "backward", "sensitivity"])
@pytest.mark.parametrize("block", [1, 2, 9])
@pytest.mark.parametrize("asked", [True, False], ids=["the same scores again", "scores not asked again"])
def test_without_new_knowledge_deciding_one_by_one_is_deciding_at_once(order: Any, block: int, asked: bool) -> None:
    """Scores that never change: what is settled is part of an optimum, so the rest of one is still to be had."""
    drawn = None if asked else changing
    _, states = taken(layerwise(order=order, block=block, rescore=asked), on_chain(*ONE, rescored=drawn))
    (choice,) = states[-1].choices
    assert choice.solution is not None
    assert choice.solution.status is Status.OPTIMAL
    assert choice.solution.value == choice.solution.bound == choice.bound_independent == states[-1].bounds[0]
    _, at_once = taken(OneShotPruner(), on_chain(*ONE, rescored=drawn))
    assert at_once[-1].choices[0].solution is not None
    assert choice.solution.value == at_once[-1].choices[0].solution.value


@pytest.mark.parametrize("pruner", [layerwise(block=9, horizon="local"), progressive(steps=1)], ids=named)
def test_one_cut_for_everything_is_one_shot(pruner: NarrowingPruner) -> None:
    _, states = taken(pruner, on_chain(*ONE))
    _, at_once = taken(OneShotPruner(), on_chain(*ONE))
    assert states[-1].choices[0].widths == at_once[-1].choices[0].widths


def test_a_cut_settles_its_own_groups_with_all_the_others_in_view() -> None:
    tools = on_chain(*ONE, rescored=changing)
    steps, states = taken(layerwise(), tools)
    assert [s.name for s in steps] == ["score", *(f"decide {g} ({i + 1} of 4)" for i, g in enumerate(GROUPS))]
    free, *cuts = tools.problems
    assert cuts[0].floors == free.floors
    assert cuts[0].ceilings == free.ceilings
    for i, problem in enumerate(cuts):
        state = states[i + 2]
        assert list(state.decided) == [GROUPS[i]]
        widths = state.choices[0].widths
        assert all(widths[g] == n for g, n in list(describe(CHAIN).channels.items())[i + 1 :])
        fixed = [low == high for low, high in zip(problem.floors, problem.ceilings, strict=True)]
        assert fixed[:i] == [True] * i
        assert not any(fixed[i:])


def test_each_cut_is_scored_anew_and_follows_its_scores() -> None:
    tools = on_chain(*ONE, rescored=changing)
    _, states = taken(layerwise(), tools)
    assert tools.log.count("score") == 4  # the first cut takes the scores of the input model
    assert states[-1].order is not None
    for i in range(1, 4):  # the network that cut i scored for the i-th time, before it took its group
        group, scores = GROUPS[i], changing(i)[GROUPS[i]]
        order = states[i + 2].order
        assert order is not None
        assert np.all(np.diff(scores[order[group]]) <= 0)


def test_a_local_share_is_that_of_one_ratio() -> None:
    tools = on_chain(*ONE, rescored=changing)
    _, states = taken(layerwise(horizon="local"), tools)
    share = tools.problems[0].widths(uniform_choice(tools.problems[0]))
    for group, width in states[-1].choices[0].widths.items():
        assert width >= share[group]
    fixed = [[low == high for low, high in zip(p.floors, p.ceilings, strict=True)] for p in tools.problems[1:]]
    assert fixed == [[j != i for j in range(4)] for i in range(4)]


def test_the_least_sensitive_group_is_decided_first() -> None:
    tools = on_chain(*THREE, epochs=2)
    steps, states = taken(layerwise(order="sensitivity"), tools)
    assert tools.log.count("loss") == 4
    assert states[1].sequence == GROUPS[::-1]
    assert steps[1].name == "decide by sensitivity (1 of 4) for 80"
    assert [list(s.decided) for s in states[2:6]] == [[g] for g in GROUPS[::-1]]


def test_blocks_are_named_and_settled_together() -> None:
    tools = on_chain(*ONE)
    steps, states = taken(layerwise(block=3, order="backward"), tools)
    assert [s.name for s in steps[1:]] == ["decide dense3, dense2, dense1 (1 of 2)", "decide dense0 (2 of 2)"]
    assert [list(s.decided) for s in states[2:]] == [["dense3", "dense2", "dense1"], ["dense0"]]
    assert layerwise(block=4).cuts(GROUPS) == ["decide dense0 to dense3 (1 of 1)"]


@pytest.mark.parametrize("budgets", [ONE, THREE])
@pytest.mark.parametrize("horizon", ["global", "local"])
@pytest.mark.parametrize("order", ["forward", "backward", "sensitivity"])
def test_no_cut_is_spent_on_a_group_that_stays_whole(order: Any, horizon: Any, budgets: list[str]) -> None:
    tools = on_chain(*budgets, epochs=12, rescored=changing, rules=WidthRules(keep=("relu1",)))
    steps, states = taken(layerwise(order=order, horizon=horizon), tools)
    free = ("dense0", "dense2", "dense3") if order == "forward" else ("dense3", "dense2", "dense0")
    assert states[1].sequence == free
    assert [list(s.decided) for s in states[2:-1]] == [[g] for g in free] * len(tools.budgets)
    assert [s.epochs for s in steps] == {1: [0, 2, 2, 2, 6], 3: [0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 6]}[len(tools.budgets)]
    assert tools.log.count("loss") == (3 if order == "sensitivity" else 0)
    if order != "sensitivity":
        assert steps[1].name.startswith(f"decide {free[0]} (1 of 3)")
    for choice in states[-1].choices:
        assert choice.widths["dense1"] == 5


@pytest.mark.parametrize("horizon", ["global", "local"])
def test_a_run_without_any_choice_is_one_cut_that_trains(horizon: Any) -> None:
    rules = WidthRules(keep=("dense1",), min_width=4)
    tools = on_chain("macs=1", epochs=3, rules=rules)
    assert rules.free(tools.network) == ()
    steps, states = taken(layerwise(horizon=horizon), tools)
    assert [(s.name, s.epochs) for s in steps] == [("score", 0), ("leave all groups whole", 2), ("finetune", 1)]
    assert states[-1].choices[0].widths == tools.network.channels
    assert tools.trained == [(0, 2), (0, 1)]


@pytest.mark.parametrize(
    ("schedule", "capacities"), [("linear", [0.9, 0.8, 0.65, 0.5]), ("geometric", [0.8**0.5, 0.8, 0.4**0.5, 0.5])]
)
def test_budgets_fall_step_by_step(schedule: Any, capacities: list[float]) -> None:
    tools = on_chain("macs=0.8,0.5")
    steps, states = taken(progressive(steps=2, schedule=schedule), tools)
    assert [s.name for s in steps[1:]] == [f"narrow all ({i} of 2) for {b}" for b in (80, 50) for i in (1, 2)]
    found = [p.resources[0].capacity for p in tools.problems[2:]]
    assert found == [int(round(c * tools.statement.full_usage("macs"), 6)) for c in capacities]
    used = [tools.statement.form("macs").at(s.choices[0].widths) for s in states[2:]]
    assert all(u <= c for u, c in zip(used, found, strict=True))
    assert list(states[-1].decided) == list(GROUPS)


@pytest.mark.parametrize("pruner", EVERY, ids=named)
def test_values_are_by_the_input_model_and_below_their_bounds(pruner: NarrowingPruner) -> None:
    tools = on_chain(*THREE, rescored=changing)
    _, states = taken(pruner, tools)
    final = states[-1]
    scores = changing(0)
    total = sum(s.sum() for s in scores.values())
    for i, choice in enumerate(final.choices):
        assert choice.solution is not None
        assert choice.solution.value is not None
        share = sum(scores[g][c].sum() for g, c in final.kept(i).items()) / total
        assert choice.solution.value == pytest.approx(share * 2**31, abs=4)
        assert choice.solution.bound == choice.bound_independent == final.bounds[i]
        assert choice.solution.bound is not None
        assert choice.solution.bound >= choice.solution.value
        assert choice.solution.usage == {"macs": tools.statement.form("macs").at(choice.widths)}


@pytest.mark.parametrize(
    ("options", "budgets", "members", "epochs"),
    [
        ({}, ONE, 0, [0, 1, 1, 1, 3]),
        ({"finetune": "joint"}, ONE, 1, [0, 1, 1, 1, 3]),
        ({"final": 0.0}, ONE, 0, [1, 2, 1, 2]),
        ({"final": 1.0}, ONE, 0, [0, 0, 0, 0, 6]),
        ({"block": 2}, THREE, 3, [0, 1, 0, 1, 0, 1, 3]),
    ],
)
def test_epochs_are_spread_over_the_cuts_and_the_end(
    options: dict[str, Any], budgets: list[str], members: int, epochs: list[int]
) -> None:
    tools = on_chain(*budgets, epochs=6)
    steps, _ = taken(layerwise(**options), tools)
    assert [s.epochs for s in steps[1:]] == epochs
    assert [e for _, e in tools.trained] == [e for e in epochs if e]
    assert tools.trained[-1][0] == members
    assert sum(e for _, e in tools.trained) == 6
    assert tools.log.count("recalibrate") == sum(not s.epochs for s in steps[1:])


def test_joint_training_has_every_network_that_is_decided_so_far() -> None:
    tools = on_chain(*THREE, epochs=12)
    taken(layerwise(final=0.0, block=4), tools)
    assert tools.trained == [(1, 4), (2, 4), (3, 4)]


def test_alone_is_for_one_budget() -> None:
    with pytest.raises(InputError, match=r"only for a single budget.*options={.layerwise.: {.finetune.: .joint.}}"):
        taken(layerwise(finetune="alone"), on_chain(*THREE))


@pytest.mark.parametrize(
    "options",
    [lambda: LayerwiseOptions(final=1.5), lambda: LayerwiseOptions(block=0), lambda: ProgressiveOptions(steps=0)],
)
def test_options_out_of_range_are_refused(options: Any) -> None:
    with pytest.raises(InputError, match="give"):
        options()


def test_a_network_in_training_keeps_what_is_its_own() -> None:
    """Batch-norm statistics of a member survive later cuts of another."""
    tools = RememberingTools(["macs=0.7,0.4"], 0)
    pruner = layerwise()
    state = PruningState.initial(NETWORK, MODEL)
    x = np.random.default_rng(0).normal(size=(5, *MODEL.input_shape)).astype(np.float32)
    before = None
    for step in pruner.steps(NETWORK, tools.budgets, 0):
        state = pruner.take(step, state, tools)
        if step.name == f"decide {list(NETWORK.channels)[-1]} (2 of 2) for 70":
            state.family.members[0].weights["norm/mean"] += 1
            before = forward(state.family.members[0], x)["head"]
    assert before is not None
    np.testing.assert_allclose(forward(state.family.members[1], x)["head"], before, atol=1e-5)
