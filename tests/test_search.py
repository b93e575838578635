"""Solving for a run: which solver answers, and what is said where there is no choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver, IdleSolver, PluginModule

from reds_core.errors import InfeasibleError, InputError, NoChoiceError, UnavailableError, UnsupportedError
from reds_core.no_choice import least_usage, without_choice
from reds_core.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.registry import Registry
from reds_core.search import Search
from reds_core.solution import Answer, Limit, Status
from reds_core.solver import Claim, Control, Controls, Feature, Solver, features_of, solve
from reds_core.testing.oracle import all_choices, usages_of
from reds_core.testing.problems import random_problem


class QuickSolver(BruteSolver):
    """Feasible only, but tried before others that rank behind it."""

    name = "quick"
    claims = Claim.NONE
    auto_rank = 90

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        return Answer(Status.NO_SOLUTION if answer.choice is None else Status.FEASIBLE, answer.choice)


class ModestSolver(BruteSolver):
    name = "modest"
    features = Feature.PAIR_TERMS
    auto_rank = 0


class FussySolver(BruteSolver):
    name = "fussy"
    auto_rank = 0

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return "it refuses everything"


class BoundingSolver(QuickSolver):
    name = "bounding"
    claims = Claim.BOUND


class FarawaySolver(BruteSolver):
    name = "faraway"
    requires = ("a_library_nobody_has",)


class TiredSolver(IdleSolver):
    name = "tired"

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.NO_SOLUTION, limit=Limit.TIME)


def search(*solvers: type[Solver], solver: str = "auto") -> Search:
    return Search(Registry([PluginModule("test", solvers)]), solver)


def two_groups(capacity: int = 10, ram: int = 100) -> KnapsackProblem:
    """macs = 2 + width + width + width x width; ram = 5 + 2 x width of a."""
    groups = (Group("a", np.array([1, 2]), np.array([1, 2])), Group("b", np.array([1, 3]), np.array([1, 5])))
    peak = PeakResource("ram", ram, (PeakStep(5, (0,), (np.array([2, 4]),)),))
    macs = SumResource("macs", capacity, 2, (np.array([1, 2]), np.array([1, 3])), (1,))
    return KnapsackProblem("two", groups, (Pair(0, 1),), (macs, peak))


def simple() -> KnapsackProblem:
    return KnapsackProblem("simple", two_groups().groups, (), ())


def test_auto_takes_an_exact_solver_before_one_with_a_bound_before_others() -> None:
    assert search(QuickSolver, BoundingSolver, BruteSolver).choose(simple()).solver == "brute"

    class Exact(BruteSolver):
        name = "zzz"
        auto_rank = 90

    assert search(QuickSolver, BoundingSolver, Exact).choose(simple()).solver == "zzz"
    assert search(QuickSolver, BoundingSolver).choose(simple()).solver == "bounding"


def test_auto_passes_by_solvers_that_lack_a_feature_or_refuse() -> None:
    found = search(ModestSolver, FussySolver, BruteSolver).choose(two_groups())
    assert (found.solver, found.status) == ("brute", Status.OPTIMAL)
    assert search(ModestSolver, BruteSolver).choose(simple()).solver == "modest"


def test_where_no_solver_takes_the_problem_the_reasons_are_given() -> None:
    with pytest.raises(UnsupportedError, match=r"modest: it does not handle peak; fussy|fussy: .*modest: it does not"):
        search(ModestSolver, FussySolver).choose(two_groups())


def test_a_named_solver_answers_or_refuses_itself() -> None:
    assert search(BruteSolver, QuickSolver, solver="quick").choose(two_groups()).solver == "quick"
    with pytest.raises(UnsupportedError, match="solver 'fussy' cannot take problem 'two': it refuses everything"):
        search(FussySolver, BruteSolver, solver="fussy").choose(two_groups())


def test_check_refuses_before_any_work() -> None:
    search(BruteSolver).check()
    with pytest.raises(InputError, match="unknown solver 'brut'; did you mean 'brute'"):
        search(BruteSolver, solver="brut").check()
    with pytest.raises(UnavailableError, match="a_library_nobody_has"):
        search(FarawaySolver, solver="faraway").check()


def test_infeasible_says_the_least_that_can_be_reached() -> None:
    with pytest.raises(InfeasibleError, match=r"macs 4, ram 100 \(the least.*macs 5, ram 7\); raise .* macs$"):
        search(BruteSolver).choose(two_groups(capacity=4))
    with pytest.raises(InfeasibleError, match=r"; raise the budget of macs, ram$"):
        search(BruteSolver).choose(two_groups(capacity=4, ram=6))
    assert InfeasibleError.exit_status == 3


def test_budgets_met_alone_but_not_together() -> None:
    groups = (Group("a", np.array([1, 2]), np.zeros(2, np.int64)),)
    up, down = SumResource("up", 0, 0, (np.array([0, 1]),)), SumResource("down", 0, 0, (np.array([1, 0]),))
    either = KnapsackProblem("either", groups, (), (up, down))
    with pytest.raises(InfeasibleError, match="each can be met alone, not all"):
        search(BruteSolver).choose(either)


def test_one_budget_that_no_choice_meets_although_each_term_could() -> None:
    """With tables that fall and rise the least of every term need not be one choice: no figure is claimed reachable."""
    groups = (Group("a", np.array([1, 2]), np.zeros(2, int)), Group("b", np.array([1]), np.zeros(1, int)))
    table = np.array([[9], [0]])
    problem = KnapsackProblem(
        "torn", groups, (Pair(0, 1),), (SumResource("macs", 5, 0, (np.array([0, 9]), None), (0,), (table,)),)
    )
    with pytest.raises(InfeasibleError, match=r"; raise the budget of macs$"):
        search(BruteSolver).choose(problem)


def test_no_choice_says_which_solver_and_why() -> None:
    with pytest.raises(NoChoiceError, match="'idle' stopped without a choice for problem 'two'; give it more"):
        search(IdleSolver).choose(two_groups())
    with pytest.raises(NoChoiceError, match="solver 'tired' stopped at its time limit without a choice"):
        search(TiredSolver).choose(two_groups())
    assert NoChoiceError.exit_status == 4


def test_answer_gives_whatever_there_is() -> None:
    assert search(IdleSolver).answer(two_groups()).status is Status.NO_SOLUTION
    solution = search(BruteSolver).answer(two_groups(capacity=4))
    assert solution.status is Status.INFEASIBLE
    assert isinstance(without_choice(two_groups(capacity=4), solution), InfeasibleError)


def test_controls_reach_the_solver() -> None:
    seen = []

    class Listening(BruteSolver):
        controls = Control.TIME_LIMIT | Control.SEED

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            seen.append(controls)
            return super().solve(problem, controls)

    controls = Controls(time_limit_s=2.0, seed=3)
    Search(Registry([PluginModule("test", (Listening,))]), controls=controls).choose(simple())
    assert seen == [controls]


@given(st.integers(0, 2**16), st.sampled_from([Feature.NONE, Feature.PAIR_TERMS, Feature.ALL]))
@settings(max_examples=100, deadline=None)
def test_least_usage_is_never_above_what_any_choice_uses(seed: int, features: Feature) -> None:
    problem = random_problem(seed, features, groups=3, options=4)
    least = least_usage(problem)
    used = usages_of(problem, all_choices(problem))
    for resource in problem.resources:
        assert least[resource.name] <= used[resource.name].min()
        if features is Feature.NONE and features_of(problem) is Feature.NONE:
            assert least[resource.name] == used[resource.name].min()


def test_least_usage_is_exact_where_costs_rise_with_widths() -> None:
    assert least_usage(two_groups()) == {"macs": 2 + 1 + 1 + 1, "ram": 7}
    above = two_groups().with_bounds(floors=[1, 0])
    assert least_usage(above) == {"macs": 2 + 2 + 1 + 2, "ram": 9}
    assert solve(two_groups(capacity=5), BruteSolver()).usage == {"macs": 5, "ram": 7}
