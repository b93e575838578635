"""The two rules with one dial, against definitions written out in loops."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from reds_baselines import GlobalThresholdSolver, RedsKernelSolver, UniformWidthSolver
from reds_baselines.threshold import channel_scores, cuts

from reds_core import Registry
from reds_core.bench import chain, knapsack, suite
from reds_core.errors import UnsupportedError
from reds_core.knapsack import (
    Dimension,
    Group,
    KnapsackProblem,
    Nesting,
    Pair,
    PeakResource,
    PeakStep,
    Solver,
    Status,
    SumResource,
    solve,
)
from reds_core.testing.strategies import knapsack_problems

TINY = [i for i in suite("tiny") if i.problem.name != "tiny-infeasible"]


def ordered(problem: KnapsackProblem) -> bool:
    return all(low <= high for low, high in zip(problem.floors, problem.ceilings, strict=True))


# --- one ratio --------------------------------------------------------------------------------------------------------


def at_ratio(problem: KnapsackProblem, ratio: Fraction) -> tuple[int, ...]:
    """The widest option of each group of at most `ratio` of its width; the definition, in exact fractions."""
    choice = []
    for group, low, high in zip(problem.groups, problem.floors, problem.ceilings, strict=True):
        fitting = [k for k, w in enumerate(group.widths.tolist()) if Fraction(w, int(group.widths[-1])) <= ratio]
        choice.append(min(max(max(fitting, default=0), low), high))
    return tuple(choice)


@given(problem=knapsack_problems())
@settings(max_examples=150, deadline=None)
def test_uniform_width_takes_the_largest_ratio(problem: KnapsackProblem) -> None:
    if not ordered(problem):
        return
    ratios = {Fraction(int(w), int(g.widths[-1])) for g in problem.groups for w in g.widths} | {Fraction(0)}
    # between two such ratios no group changes: a ratio in each gap stands for all
    dense = sorted(ratios | {(a + b) / 2 for a in ratios for b in ratios}, reverse=True)
    expected = next((c for r in dense if problem.evaluate(c := at_ratio(problem, r)).feasible), None)
    assert solve(problem, UniformWidthSolver()).choice == expected


def test_uniform_width_passes_over_ratios_above_a_gap() -> None:
    """Costs need not rise with width: the full network is over budget, half of it too, two thirds are not."""
    group = Group("a", np.array([2, 3, 4, 6]), np.arange(4))
    problem = KnapsackProblem("gap", (group,), (), (SumResource("macs", 5, 0, (np.array([1, 9, 5, 9]),)),))
    assert solve(problem, UniformWidthSolver()).choice == (2,)


# --- one threshold ----------------------------------------------------------------------------------------------------


def cut_one_by_one(problem: KnapsackProblem) -> tuple[int, ...] | None:
    """Global pruning as a loop: of the channels that are last in their group the lowest goes."""
    scores = channel_scores(problem)
    x = list(problem.ceilings)
    while not problem.evaluate(x).feasible:
        candidates = []
        for g, low in enumerate(problem.floors):
            if x[g] > low:
                candidates.append((float(scores[g][x[g] - 1]), -g))
        if not candidates:
            return None
        x[-min(candidates)[1]] -= 1
    return tuple(x)


@pytest.mark.parametrize("seed", range(40))
def test_the_lowest_channel_goes_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, costs = [], []
    for g in range(4):
        widths = np.cumsum(rng.integers(1, 4, 6))
        scores = rng.permutation(1000)[:6] + g / 8  # no two alike
        if seed % 2:
            scores = np.sort(scores)[::-1]  # as in networks
        groups.append(Group(f"g{g}", widths, np.cumsum(np.rint(8 * scores * np.diff(widths, prepend=0)))))
        costs.append(np.cumsum(rng.integers(1, 50, 6)))
    pairs = (Pair(0, 1, np.outer(np.arange(6), np.arange(6))),)
    resource = SumResource("macs", int(sum(c[-1] for c in costs) * rng.uniform(0.2, 0.9)), 0, tuple(costs), (1,))
    problem = KnapsackProblem("falling", tuple(groups), pairs, (resource,), (1, 0, 0, 2), (5, 4, 5, 5))
    assert solve(problem, GlobalThresholdSolver()).choice == cut_one_by_one(problem)


def test_a_channel_stays_as_long_as_those_behind_it() -> None:
    """Scores 9, 1, 5 of one group and 3 of the other: the 3 goes first, and the 1 right after the 5."""
    groups = (
        Group("a", np.array([1, 2, 3, 4]), np.array([0, 9, 10, 15])),
        Group("b", np.array([1, 2]), np.array([0, 3])),
    )
    problem = KnapsackProblem("behind", groups)
    assert cuts(problem, problem.ceilings).tolist() == [[3, 1], [3, 0], [2, 0], [1, 0], [0, 0]]


def test_costs_play_no_part() -> None:
    """The channel of a is worth 5 and costs 100, that of b 4 and 1: the threshold cuts b, then has to cut a too."""
    groups = (Group("a", np.array([1, 2]), np.array([0, 5])), Group("b", np.array([1, 2]), np.array([0, 4])))
    problem = KnapsackProblem("dear", groups, (), (SumResource("macs", 50, 0, (np.array([0, 100]), np.array([0, 1]))),))
    assert solve(problem, GlobalThresholdSolver()).choice == (0, 0)
    assert solve(problem, Registry().create(Solver, "greedy")).choice == (0, 1)


def test_scores_are_marginal_in_the_full_network() -> None:
    groups = (Group("a", np.array([2, 4]), np.array([1, 3])), Group("b", np.array([1, 2]), np.array([0, 7])))
    pair = Pair(0, 1, np.array([[1, 2], [3, 10]]))
    scores = channel_scores(KnapsackProblem("marginal", groups, (pair,)))
    assert [s.tolist() for s in scores] == [[(3 - 1 + 10 - 2) / 2], [7 + 10 - 3]]


def test_scores_of_a_network_fall_from_channel_to_channel() -> None:
    """Where channels stand in the order of their scores, cutting by score and cutting the last are one."""
    problem = knapsack(chain(3, 16), kernels=True)
    kernels = [p.kernel for p in problem.pairs]
    assert all(k is not None for k in kernels)
    middle = channel_scores(problem)[1]
    first, second = kernels
    assert first is not None
    assert second is not None
    own = np.diff(problem.groups[1].values)
    scale = problem.pairs[0].values
    assert scale is not None
    factor = float(scale[-1, -1]) / float(first.sum())
    assert np.allclose(middle, own + factor * (first.sum(axis=0) + second.sum(axis=1))[1:], atol=4)


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [UniformWidthSolver(), GlobalThresholdSolver()], ids=lambda s: str(s.name))
def test_neither_passes_the_optimum_nor_promises_anything(solver: Solver) -> None:
    below = 0
    for instance in TINY:
        found = solve(instance.problem, solver)
        assert found.status is Status.FEASIBLE
        assert found.bound is None
        assert found.value is not None
        optimum = solve(instance.problem, Registry().create(Solver, "dp")).value
        assert optimum is not None
        assert found.value <= optimum
        below += found.value < optimum
    assert below > 4, "a baseline that is optimal everywhere shows nothing"


@pytest.mark.parametrize("solver", [UniformWidthSolver(), GlobalThresholdSolver()], ids=lambda s: str(s.name))
def test_an_infeasible_problem_has_no_solution_and_says_so(solver: Solver) -> None:
    groups = (Group("a", np.array([1, 2]), np.array([0, 1])),)
    step = PeakStep(0, (0,), (np.array([5, 6]),))
    found = solve(KnapsackProblem("none", groups, (), (PeakResource("peak", 4, (step,)),)), solver)
    assert found.status is Status.NO_SOLUTION
    assert "budgets" in found.detail[0]


def test_auto_takes_others_first() -> None:
    registry = Registry()
    ranks = {name: cls.auto_rank for name, cls in registry.available(Solver).items()}
    own = {"uniform-width", "global-threshold", "reds-kernel"}
    assert min(ranks[n] for n in own) > max(r for n, r in ranks.items() if n not in own)


# --- rows of levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [GlobalThresholdSolver, UniformWidthSolver, RedsKernelSolver])
def test_problems_with_levels_are_refused_in_a_sentence(solver: type[Solver]) -> None:
    levels = np.array([[4], [8]])
    group = Group("conv", [0, 0], [0, 1], (Dimension("conv/1", "bits"),), levels)
    problem = KnapsackProblem("levels", (group, Group("plain", [1, 2], [0, 1])), nesting={"bits": Nesting.FREE})
    with pytest.raises(UnsupportedError, match="it chooses numbers of channels alone, and the options of group 'conv'"):
        solve(problem, solver())
