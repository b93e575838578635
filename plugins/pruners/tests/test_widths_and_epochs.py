"""Widths of one ratio, epochs dealt to steps, values by the scores of the input model."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_pruners import UniformPruner
from reds_pruners.training import is_alone, spread
from reds_pruners.uniform import UniformOptions
from reds_pruners.values import measured, proven_bound
from reds_pruners.widths import uniform_choice
from remembering_tools import RememberingTools, drawn_scores, taken
from toy_framework import chain_model, describe

from reds_core.errors import InfeasibleError
from reds_core.knapsack import choice_of
from reds_core.scoring import ScoreTable

CHAIN = chain_model((4, 7, 3))
CHANNELS = describe(CHAIN).channels
SCORES = ScoreTable(drawn_scores(CHANNELS))


def meets(problem, choice) -> bool:  # type: ignore[no-untyped-def]
    return all(problem.evaluate(choice).usage[r.name] <= r.capacity for r in problem.resources)


@given(st.integers(100, 1000))
@settings(deadline=None)
def test_one_ratio_is_the_largest_that_meets_the_budget(permille: int) -> None:
    tools = RememberingTools([f"macs={permille / 1000}"], model=CHAIN)
    problem = tools.formulate(SCORES, tools.budgets[0]).problem
    ratios = sorted({Fraction(k, n) for n in CHANNELS.values() for k in range(1, n + 1)}, reverse=True)
    at = ({g: max(int(r * n), 1) for g, n in CHANNELS.items()} for r in ratios)
    expected = next((w for w in at if meets(problem, choice_of(problem, w))), None)
    if expected is None:
        with pytest.raises(InfeasibleError):
            uniform_choice(problem)
    else:
        assert problem.widths(uniform_choice(problem)) == expected


def test_a_ratio_stays_below_ceilings_and_makes_room_for_others() -> None:
    tools = RememberingTools(["macs=0.5"], model=CHAIN)
    problem = tools.formulate(SCORES, tools.budgets[0]).problem
    free = uniform_choice(problem)
    narrow = (0, *problem.ceilings[1:])
    found = uniform_choice(problem.with_bounds(ceilings=narrow))
    assert found[0] == 0
    assert meets(problem, found)
    assert all(f >= w for f, w in zip(found[1:], free[1:], strict=True))
    assert sum(found[1:]) > sum(free[1:])


def test_a_budget_below_everything_is_refused() -> None:
    tools = RememberingTools(["macs=0.5"], model=CHAIN)
    problem = tools.formulate(SCORES, tools.budgets[0]).problem.with_capacities({"macs": 1})
    with pytest.raises(InfeasibleError, match="no common ratio"):
        uniform_choice(problem)


@given(st.integers(0, 50), st.integers(1, 40))
@settings(deadline=None)
def test_epochs_are_dealt_evenly_and_the_last_step_is_never_left_out(epochs: int, steps: int) -> None:
    dealt = spread(epochs, steps)
    assert len(dealt) == steps
    assert sum(dealt) == epochs
    assert max(dealt) - min(dealt) <= 1
    assert dealt[-1] == max(dealt)


def test_who_is_trained() -> None:
    assert [is_alone("auto", n) for n in (1, 2)] == [True, False]
    assert not is_alone("joint", 1)
    assert is_alone("alone", 3)


@given(st.data())
@settings(deadline=None)
def test_no_kept_channels_are_worth_more_than_the_bound(data: st.DataObject) -> None:
    """Exactly, although sums of floats are rounded: the same sums are taken in the same order."""
    channels = {
        g: np.array(data.draw(st.lists(st.floats(0, 1e6), min_size=n, max_size=n))) for g, n in CHANNELS.items()
    }
    scores = ScoreTable(channels)
    tools = RememberingTools(["macs=0.6"], model=CHAIN)
    bound = proven_bound(scores, tools.budgets[0], tools)
    problem = tools.formulate(scores, tools.budgets[0]).problem
    choice = tools.solve(problem).choice
    assert choice is not None
    widths = problem.widths(choice)
    kept = {g: np.array(data.draw(st.permutations(range(n))))[: widths[g]] for g, n in CHANNELS.items()}
    found = measured(tools, scores, tools.budgets[0], widths, kept, bound)
    assert bound is not None
    assert found.value is not None
    assert found.value <= bound
    best = measured(tools, scores, tools.budgets[0], widths, {}, bound)
    assert best.value == bound


def test_scores_of_pairs_have_no_bound() -> None:
    scores = ScoreTable(SCORES.channels, {("dense0", "dense1"): np.ones((4, 7))})
    tools = RememberingTools(["macs=0.6"], model=CHAIN)
    assert proven_bound(scores, tools.budgets[0], tools) is None
    assert not tools.problems


def test_uniform_keeps_the_best_of_each_group_and_asks_no_solver() -> None:
    tools = RememberingTools(["macs=0.75,0.5,0.25"], model=CHAIN)
    steps, states = taken(UniformPruner(), tools)
    assert [s.name for s in steps] == ["score", "choose 25", "choose 50", "choose 75", "extract", "finetune"]
    assert not tools.problems
    final = states[-1]
    for i, choice in enumerate(final.choices):
        assert choice.solution is not None
        assert (choice.solution.solver, choice.solution.bound, choice.solution.gap) == ("none", None, None)
        for group, channels in final.kept(i).items():
            best = np.argsort(-SCORES.channels[group])[: len(channels)]
            assert set(channels) == set(best)


def test_trained_alone_every_subnetwork_has_a_step_of_its_own() -> None:
    tools = RememberingTools(["macs=0.75,0.5"], epochs=3, model=CHAIN)
    steps, _ = taken(UniformPruner(UniformOptions("alone")), tools)
    assert [s.name for s in steps[-2:]] == ["finetune 50", "finetune 75"]
    assert tools.trained == [(0, 3), (0, 3)]
