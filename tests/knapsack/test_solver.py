"""The guarded solve: what it lets through, what it refuses, what it adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from reds_core.errors import ContractViolation, InfeasibleError, InputError, PluginFailure, UnsupportedError
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.knapsack.solution import Answer, Limit, Status, relative_gap
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver, features_of, solve, why_not

ALL_CLAIMS = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
ALL_CONTROLS = Control.TIME_LIMIT | Control.SEED | Control.THREADS | Control.HINT


def problem(capacity: int = 5, **changes: Any) -> KnapsackProblem:
    """Values 0, 4, 9 at costs 1, 3, 6, twice: the optimum is 9 at capacity 7, 4 at capacity 5."""
    groups = tuple(Group(n, np.array([1, 2, 3]), np.array([0, 4, 9])) for n in ("a", "b"))
    resource = SumResource("r", capacity, 0, (np.array([1, 3, 6]), np.array([1, 3, 6])))
    return KnapsackProblem(**{"name": "small", "groups": groups, "resources": (resource,)} | changes)


class Scripted(Solver):
    """Says what it is told to."""

    name = "scripted"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = ALL_CLAIMS
    controls: ClassVar[Control] = ALL_CONTROLS

    def __init__(self, answer: Any, refuses: Any = None) -> None:
        super().__init__()
        self.answer, self.refuses = answer, refuses
        self.asked: list[Controls] = []

    def refusal(self, problem: KnapsackProblem) -> str | None:
        if isinstance(self.refuses, Exception):
            raise self.refuses
        return self.refuses

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        self.asked.append(controls)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Modest(Scripted):
    name = "modest"
    features = Feature.NONE
    claims = Claim.NONE
    controls = Control.NONE


class Floating(Scripted):
    name = "floating"
    exact_below = 10


OPTIMAL = Answer(Status.OPTIMAL, (1, 0), bound=4)


def test_an_honest_answer_is_completed() -> None:
    answer = Answer(Status.FEASIBLE, (0, 1), bound=5, limit=Limit.TIME, backend_s=0.25, detail=("a remark",))
    found = solve(problem(), Scripted(answer))
    assert (found.status, found.limit, found.choice) == (Status.FEASIBLE, Limit.TIME, (0, 1))
    assert (found.value, found.bound, found.gap) == (4, 5, 0.25)
    assert (found.widths, found.usage) == ({"a": 1, "b": 2}, {"r": 4})
    assert (found.backend_s, found.solver, found.version) == (0.25, "scripted", "unknown")
    assert found.detail == ("a remark",)
    assert found.wall_s >= 0


def test_numbers_of_numpy_become_plain() -> None:
    found = solve(problem(), Scripted(Answer(Status.OPTIMAL, tuple(np.array([1, 0])), bound=np.int64(4))))  # type: ignore[arg-type]
    assert type(found.bound) is int
    assert found.choice == (1, 0)
    assert all(type(k) is int for k in found.choice)


def test_answers_without_a_choice() -> None:
    found = solve(problem(0), Scripted(Answer(Status.INFEASIBLE)))
    assert (found.status, found.choice, found.value, found.gap, found.usage) == (Status.INFEASIBLE, *(None,) * 4)
    found = solve(problem(), Scripted(Answer(Status.NO_SOLUTION, bound=9, limit=Limit.TIME)))
    assert (found.status, found.bound, found.gap, found.limit) == (Status.NO_SOLUTION, 9, None, Limit.TIME)


@pytest.mark.parametrize(
    ("value", "bound", "gap"),
    [(4, 5, 0.25), (-4, -3, 0.25), (4, 4, 0.0), (0, 0, 0.0), (0, 3, None), (4, None, None), (None, 4, None)],
)
def test_the_gap(value: int | None, bound: int | None, gap: float | None) -> None:
    assert relative_gap(value, bound) == gap


VIOLATIONS: list[tuple[Callable[[], Solver], str]] = [
    (lambda: Scripted(None), "returned NoneType, not an Answer"),
    (lambda: Scripted({"status": "optimal"}), "returned dict, not an Answer"),
    (lambda: Scripted(Answer("optimal", (1, 0), 4)), "its status 'optimal' is not a Status"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 0), limit="time")), "its limit 'time' is not a Limit"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 0), backend_s="1")), "its backend seconds"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 0), detail="text")), "its detail"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE)), "status feasible without a choice"),
    (lambda: Scripted(Answer(Status.OPTIMAL)), "status optimal without a choice"),
    (lambda: Scripted(Answer(Status.INFEASIBLE, (0, 0))), "status infeasible with a choice"),
    (lambda: Scripted(Answer(Status.NO_SOLUTION, (0, 0))), "status no_solution with a choice"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (0,))), "does not hold one option index for each group"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (0, 3))), "does not hold one option index for each group"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (0, -1))), "does not hold one option index for each group"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (0.0, 0.9))), "does not hold one option index for each group"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE, 7)), "does not hold one option index for each group"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 1))), "over budget"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 0), bound=3)), "bound 3 is below the value 4"),
    (lambda: Scripted(Answer(Status.FEASIBLE, (1, 0), bound=4.0)), "bound 4.0 is not an integer"),  # type: ignore[arg-type]
    (lambda: Scripted(Answer(Status.OPTIMAL, (1, 0), bound=5)), "optimality at value 4 with bound 5"),
    (lambda: Scripted(Answer(Status.OPTIMAL, (1, 0))), "optimality at value 4 with bound None"),
    (lambda: Modest(Answer(Status.OPTIMAL, (1, 0))), "claimed optimality, which it does not declare"),
    (lambda: Modest(Answer(Status.FEASIBLE, (1, 0), bound=4)), "gave a bound, which it does not declare"),
    (lambda: Modest(Answer(Status.NO_SOLUTION, bound=4)), "gave a bound, which it does not declare"),
    (lambda: Modest(Answer(Status.INFEASIBLE)), "claimed infeasibility, which it does not declare"),
    (lambda: Floating(OPTIMAL), "above the magnitude 10"),
]


@pytest.mark.parametrize(("solver", "message"), VIOLATIONS, ids=[message for _, message in VIOLATIONS])
def test_broken_contracts_are_named(solver: Callable[[], Solver], message: str) -> None:
    made = solver()
    with pytest.raises(ContractViolation, match=re.escape(message)) as caught:
        solve(problem(5), made)
    assert caught.value.exit_status == 1
    assert made.name in str(caught.value)


def test_a_floating_solver_may_claim_optimality_below_its_magnitude() -> None:
    class Larger(Floating):
        exact_below = 19

    assert problem(5).magnitude == 18
    assert solve(problem(5), Larger(OPTIMAL)).status is Status.OPTIMAL
    Larger.exact_below = 18
    with pytest.raises(ContractViolation, match="magnitude 18"):
        solve(problem(5), Larger(OPTIMAL))


def test_a_choice_outside_floors_and_ceilings_is_refused() -> None:
    bounded = problem(7, floors=(0, 1))
    assert solve(bounded, Scripted(Answer(Status.FEASIBLE, (0, 1)))).value == 4
    with pytest.raises(ContractViolation, match="outside floors"):
        solve(bounded, Scripted(Answer(Status.FEASIBLE, (1, 0))))


# --- errors of the plugin --------------------------------------------------------------------------------------------


def test_an_error_of_the_solver_is_named_as_its_own() -> None:
    with pytest.raises(
        PluginFailure, match="'scripted' failed on problem 'small' with ZeroDivisionError: oops"
    ) as error:
        solve(problem(), Scripted(ZeroDivisionError("oops")))
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert error.value.exit_status == 1


def test_an_error_of_refusal_is_named_too() -> None:
    with pytest.raises(PluginFailure, match="ZeroDivisionError"):
        solve(problem(), Scripted(OPTIMAL, refuses=ZeroDivisionError("oops")))


def test_deliberate_errors_pass_through() -> None:
    with pytest.raises(InfeasibleError, match="too small"):
        solve(problem(), Scripted(InfeasibleError("too small", "ask for more")))


def test_an_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        solve(problem(), Scripted(KeyboardInterrupt()))


def test_running_out_of_memory_is_a_limit() -> None:
    found = solve(problem(), Scripted(MemoryError()))
    assert (found.status, found.limit) == (Status.NO_SOLUTION, Limit.MEMORY)


# --- features --------------------------------------------------------------------------------------------------------


def with_features(features: Feature) -> KnapsackProblem:
    changes: dict[str, Any] = {"resources": problem().resources}
    if Feature.PAIR_TERMS in features:
        changes["pairs"] = (Pair(0, 1),)
    if Feature.MULTI_RESOURCE in features:
        changes["resources"] += (SumResource("s", 9),)
    if Feature.PEAK in features:
        changes["resources"] += (PeakResource("p", 9, (PeakStep(1),)),)
    if Feature.BOUNDS in features:
        changes["ceilings"] = (1, 2)
    return problem(**changes)


@pytest.mark.parametrize("number", range(16))
def test_undeclared_features_are_refused(number: int) -> None:
    features = Feature(number)
    made = with_features(features)
    assert features_of(made) == features
    modest = Modest(Answer(Status.FEASIBLE, (0, 0)))
    if features:
        with pytest.raises(UnsupportedError, match="does not handle"):
            solve(made, modest)
        assert modest.asked == []
        reason = why_not(modest, made)
        assert reason is not None
        assert all(str(f.name).lower() in reason for f in Feature if f in features)
    else:
        assert solve(made, modest).value == 0


def test_a_floor_alone_is_a_bound() -> None:
    assert features_of(problem(floors=(0, 1))) == Feature.BOUNDS
    assert features_of(problem(floors=(0, 0), ceilings=(2, 2))) == Feature.NONE


def test_a_refused_problem_is_not_asked() -> None:
    solver = Scripted(OPTIMAL, refuses="its table would take 3 TiB")
    with pytest.raises(UnsupportedError, match="'scripted' cannot take problem 'small': its table would take 3 TiB"):
        solve(problem(), solver)
    assert solver.asked == []


def test_crossing_bounds_need_no_solver() -> None:
    solver = Scripted(OPTIMAL)
    found = solve(problem(floors=(2, 0), ceilings=(1, 2)), solver)
    assert found.status is Status.INFEASIBLE
    assert solver.asked == []


# --- controls --------------------------------------------------------------------------------------------------------


def test_controls_reach_the_solver_and_ignored_ones_are_noted() -> None:
    controls = Controls(time_limit_s=2.5, seed=3, threads=1, hint=(1, 1))
    solver = Scripted(OPTIMAL)
    assert solve(problem(), solver, controls).detail == ()
    assert solver.asked == [controls]
    deaf = Modest(Answer(Status.FEASIBLE, (1, 0)))
    assert solve(problem(), deaf, controls).detail == tuple(
        f"does not honour {word}" for word in ("time_limit", "seed", "threads", "hint")
    )
    assert solve(problem(), deaf, Controls(seed=0)).detail == ("does not honour seed",)
    assert solve(problem(), deaf).detail == ()


def test_given_controls() -> None:
    assert Controls().given() == Control.NONE
    assert Controls(seed=0, hint=()).given() == Control.SEED | Control.HINT
    assert Controls(time_limit_s=1, threads=2).given() == Control.TIME_LIMIT | Control.THREADS


@pytest.mark.parametrize(
    "bad",
    [
        {"time_limit_s": 0},
        {"time_limit_s": -1.0},
        {"time_limit_s": float("nan")},
        {"time_limit_s": float("inf")},
        {"threads": 0},
        {"seed": -1},
    ],
)
def test_bad_controls_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Controls(**bad)


def test_a_hint_may_be_infeasible_but_must_be_a_choice() -> None:
    solver = Scripted(OPTIMAL)
    solve(problem(), solver, Controls(hint=(2, 2)))
    with pytest.raises(InputError, match="one option index for each group"):
        solve(problem(), solver, Controls(hint=(2, 3)))
    assert len(solver.asked) == 1


def test_more_threads_than_any_machine_has_are_refused() -> None:
    with pytest.raises(InputError, match="threads are more than any machine has; give at most 65536"):
        Controls(threads=10**30)


def test_a_search_may_stop_at_the_gap_that_was_asked_for() -> None:
    """The choice (1, 0) is worth 4: a bound of 5 is a gap of 1/4."""
    answer = Answer(Status.FEASIBLE, (1, 0), bound=5, limit=Limit.GAP)
    found = solve(problem(), Scripted(answer), Controls(gap=0.25))
    assert (found.status, found.limit, found.gap) == (Status.FEASIBLE, Limit.GAP, 0.25)
    for controls in (Controls(gap=0.2), Controls(gap=0.0), Controls()):
        with pytest.raises(ContractViolation, match=r"it stopped at the gap 0.25, but .* was asked for"):
            solve(problem(), Scripted(answer), controls)
    with pytest.raises(ContractViolation, match="it stopped at a gap without a choice and a bound"):
        solve(problem(), Scripted(replace(answer, bound=None)), Controls(gap=1.0))


@pytest.mark.parametrize(
    ("value", "bound", "gap", "enough"),
    [(4, 5, 0.25, True), (4, 5, 0.2, False), (4, 4, None, True), (0, 1, 9.0, False)],
)
def test_what_is_close_enough(value: int, bound: int, gap: float | None, enough: bool) -> None:
    assert Controls(gap=gap).is_close_enough(value, bound) is enough
