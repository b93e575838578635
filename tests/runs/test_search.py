"""Solving for a run: which solver answers, and what is said where there is no choice."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver, IdleSolver, PluginModule

from reds_core.errors import (
    ContractViolation,
    InfeasibleError,
    InputError,
    NoChoiceError,
    PluginFailure,
    UnavailableError,
    UnsupportedError,
)
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.no_choice import least_usage, without_choice
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver, features_of, solve
from reds_core.registry import Registry
from reds_core.runs.search import Search
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
    with pytest.raises(InfeasibleError, match="each can be met alone, but not all together"):
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


def test_a_floor_above_its_ceiling_is_named() -> None:
    problem = two_groups().with_bounds([1, 0], [0, 0])
    with pytest.raises(InfeasibleError, match=f"the floor of group '{problem.groups[0].name}' is above its ceiling"):
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


class ForgetfulSolver(BruteSolver):
    """Always out of memory: with the first feasible choice, where it has one, and a bound."""

    name = "forgetful"
    auto_rank = 1

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        first = problem.floors if problem.evaluate(problem.floors).feasible else None
        status = Status.NO_SOLUTION if first is None else Status.FEASIBLE
        return Answer(status, first, 10**6, Limit.MEMORY, detail=("too little memory",))


class WastefulSolver(BruteSolver):
    """Takes all the time there is and finds nothing."""

    name = "wasteful"
    auto_rank = 0

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        assert controls.time_limit_s is not None
        time.sleep(controls.time_limit_s)
        return Answer(Status.NO_SOLUTION, limit=Limit.TIME)


class MistakenSolver(BruteSolver):
    name = "mistaken"
    auto_rank = 2

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.INFEASIBLE)


def test_where_one_solver_stops_without_a_choice_the_next_is_asked() -> None:
    found = search(TiredSolver, QuickSolver).answer(two_groups())
    assert (found.solver, found.status, found.limit) == ("quick", Status.FEASIBLE, Limit.TIME)
    assert found.detail == ("run 1 of 2, by tired, stopped at its time limit without a choice",)


def test_where_a_solver_lacks_memory_the_next_is_asked_and_the_bound_is_kept() -> None:
    found = search(ForgetfulSolver, QuickSolver).answer(two_groups())
    assert (found.solver, found.status, found.bound) == ("quick", Status.FEASIBLE, 10**6)
    worth = two_groups().evaluate((0, 0)).value
    assert found.detail == (
        f"run 1 of 2, by forgetful, stopped at its memory limit with a choice worth {worth:,} and the bound 1,000,000: "
        "too little memory",
    )
    assert search(ForgetfulSolver, BruteSolver).answer(two_groups()).status is Status.OPTIMAL


def test_the_better_choice_is_taken_whoever_found_it() -> None:
    found = search(ForgetfulSolver, TiredSolver).answer(two_groups())
    assert (found.solver, found.status, found.limit) == ("forgetful", Status.FEASIBLE, Limit.MEMORY)
    assert any(d.startswith("run 2 of 2, by tired, ") for d in found.detail)


def test_a_later_solver_that_fails_takes_no_choice_away() -> None:
    class Failing(BruteSolver):
        name = "failing"
        auto_rank = 2

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            raise KeyError("x")

    found = search(ForgetfulSolver, Failing).answer(two_groups())
    assert (found.solver, found.choice, found.limit) == ("forgetful", (0, 0), Limit.MEMORY)
    assert found.detail[-1].startswith("run 2 of 2, by failing, failed: solver 'failing' failed on problem 'two'")
    found = search(ForgetfulSolver, Failing, QuickSolver).answer(two_groups())
    assert (found.solver, found.status) == ("quick", Status.FEASIBLE)
    assert any(d.startswith("run 2 of 3, by failing, failed: ") for d in found.detail)
    with pytest.raises(PluginFailure):
        search(Failing, QuickSolver).answer(two_groups())


def test_what_is_infeasible_has_no_bound() -> None:
    found = search(ForgetfulSolver, BruteSolver).answer(two_groups(capacity=4))
    assert (found.solver, found.status, found.bound) == ("brute", Status.INFEASIBLE, None)


def test_a_solver_that_is_named_is_the_only_one_asked() -> None:
    assert search(TiredSolver, BruteSolver, solver="tired").answer(two_groups()).solver == "tired"


def test_time_is_kept_for_the_next_solver_where_no_cheap_choice_is_feasible() -> None:
    """Each resource can be met by one option of each group, both by none that is cheap in either."""
    values, up = np.zeros(3, np.int64), np.array([0, 4, 9])
    groups = tuple(Group(name, np.arange(1, 4), values) for name in "ab")
    resources = (SumResource("up", 8, 0, (up, up)), SumResource("down", 10, 0, (up[::-1] + 1, up[::-1] + 1)))
    problem = KnapsackProblem("between", groups, (), resources)
    assert cheapest_choice(problem) is None
    registry = Registry([PluginModule("test", (WastefulSolver, QuickSolver))])
    started = time.perf_counter()
    found = Search(registry, controls=Controls(0.5)).answer(problem)
    assert (found.solver, found.choice) == ("quick", (1, 1))
    assert 0.4 <= found.wall_s <= time.perf_counter() - started


def test_solvers_that_contradict_each_other_are_told() -> None:
    with pytest.raises(
        ContractViolation, match=r"'forgetful' found a choice worth .* which solver 'mistaken' ruled out"
    ):
        search(ForgetfulSolver, MistakenSolver).answer(two_groups())


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
