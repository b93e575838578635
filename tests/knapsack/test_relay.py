"""Solvers in turn under one clock: what each of them is told, and what they prove together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import pytest

from reds_core.errors import ContractViolation
from reds_core.knapsack import relay
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relay import solve_in_turn
from reds_core.knapsack.solution import Answer, Limit, Solution, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import roomy

ALL_CLAIMS = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
ALL_CONTROLS = Control.TIME_LIMIT | Control.HINT | Control.GAP | Control.KNOWN_BOUND

PROBLEM = roomy(0, Feature.PAIR_TERMS)
BEST = brute_force(PROBLEM)
LEAST = PROBLEM.floors


class Scripted(Solver):
    """Gives its answers one after the other, and keeps the controls that it was asked with."""

    name = "scripted"
    features = Feature.ALL
    claims: ClassVar[Claim] = ALL_CLAIMS
    controls: ClassVar[Control] = ALL_CONTROLS

    def __init__(self, *answers: Answer, name: str = "scripted", controls: Control | None = None) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        if controls is not None:
            self.controls = controls  # type: ignore[misc]
        self.answers = list(answers)
        self.heard: list[Controls] = []

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        self.heard.append(controls)
        return self.answers[len(self.heard) - 1]


def value(choice: Sequence[int]) -> int:
    return PROBLEM.evaluate(choice).value


def optimum() -> tuple[tuple[int, ...], int]:
    assert BEST.value is not None
    return tuple(int(k) for k in BEST.optima[0]), BEST.value


def feasible(choice: tuple[int, ...], bound: int | None = None, limit: Limit | None = None) -> Answer:
    return Answer(Status.FEASIBLE, choice, bound, limit)


def run(controls: Controls, *solvers: Solver) -> Solution:
    return solve_in_turn(PROBLEM, solvers, controls)


def test_a_first_solver_that_proves_is_the_only_one_asked() -> None:
    best, most = optimum()
    first, second = Scripted(Answer(Status.OPTIMAL, best, most)), Scripted()
    found = run(Controls(60.0, seed=3), first, second)
    assert (found.status, found.value, found.detail) == (Status.OPTIMAL, most, ("does not honour seed",))
    assert first.heard == [Controls(relay.ALONE_MOST_S, seed=3)]
    assert second.heard == []


def test_stopped_by_the_clock_it_continues_from_what_the_next_one_found() -> None:
    best, most = optimum()
    first = Scripted(feasible(LEAST, most + 9, Limit.TIME), Answer(Status.OPTIMAL, best, most), name="exact")
    quick = Scripted(feasible(best, most + 3), name="quick")
    found = run(Controls(20.0), first, quick)
    assert (found.solver, found.status, found.bound) == ("exact", Status.OPTIMAL, most)
    assert quick.heard == [Controls(relay.PARTNER_MOST_S, hint=LEAST, known_bound=most + 9)]
    alone, again = first.heard
    assert alone == Controls(relay.ALONE_MOST_S)
    assert (again.hint, again.known_bound) == (best, most + 3)
    assert again.time_limit_s is not None
    assert 19 < again.time_limit_s <= 20
    assert found.detail == (
        f"run 1 of 3, by exact, stopped at its time limit with a choice worth {value(LEAST):,} and the bound "
        f"{most + 9:,}",
        f"run 2 of 3, by quick, stopped with a choice worth {most:,} and the bound {most + 3:,}",
    )


def test_the_choice_of_one_and_the_bound_of_another_prove_together() -> None:
    best, most = optimum()
    first = Scripted(feasible(LEAST, most, Limit.TIME), name="exact")
    quick = Scripted(feasible(best, most + 3), name="quick")
    found = run(Controls(20.0), first, quick)
    assert (found.solver, found.status, found.bound, found.limit) == ("quick", Status.OPTIMAL, most, None)
    assert len(first.heard) == 1
    assert found.detail == (
        f"run 1 of 2, by exact, stopped at its time limit with a choice worth {value(LEAST):,} and the bound {most:,}",
    )


def test_together_they_stop_at_the_gap() -> None:
    best, most = optimum()
    first = Scripted(feasible(LEAST, most + 1, Limit.TIME), name="exact")
    quick = Scripted(feasible(best, most + 3), name="quick")
    found = run(Controls(20.0, gap=2 / most), first, quick)
    assert (found.solver, found.status, found.bound) == ("quick", Status.FEASIBLE, most + 1)
    assert (found.limit, found.gap) == (Limit.GAP, pytest.approx(1 / most))
    assert len(first.heard) == 1


@pytest.mark.parametrize("limit", [Limit.NODES, Limit.MEMORY])
def test_a_solver_that_ends_early_hands_on_its_choice_and_its_bound(limit: Limit) -> None:
    best, most = optimum()
    for time_limit_s in (None, 20.0):
        first = Scripted(feasible(best, most + 9, limit), name="exact")
        second = Scripted(feasible(best, most + 3), name="second")
        found = run(Controls(time_limit_s), first, second)
        assert [(c.hint, c.known_bound) for c in second.heard] == [(best, most + 9)]
        assert (found.solver, found.bound, found.limit) == ("second", most + 3, limit)
        assert len(first.heard) == 1


def test_a_limit_that_stopped_a_proof_is_told_though_another_found_the_choice() -> None:
    best, most = optimum()
    first, second = Scripted(feasible(LEAST, most + 9, Limit.MEMORY)), Scripted(Answer(Status.FEASIBLE, best))
    assert run(Controls(), first, second).limit is Limit.MEMORY


def test_only_what_a_solver_honours_is_passed_on() -> None:
    best, most = optimum()
    first = Scripted(feasible(best, most + 9, Limit.MEMORY))
    second = Scripted(feasible(LEAST, most + 12), name="second", controls=Control.TIME_LIMIT)
    found = run(Controls(20.0), first, second)
    assert [(c.hint, c.known_bound) for c in second.heard] == [(None, None)]
    assert (found.solver, found.bound) == ("scripted", most + 9)
    assert not any("honour" in remark for remark in found.detail)


def test_without_a_time_limit_nobody_is_stopped_by_the_clock() -> None:
    _, most = optimum()
    first, second = Scripted(feasible(LEAST, most + 9)), Scripted()
    run(Controls(), first, second)
    assert first.heard == [Controls()]
    assert second.heard == []


@pytest.mark.parametrize("controls", [Control.TIME_LIMIT, Control.HINT])
def test_a_solver_that_cannot_continue_has_all_the_time(controls: Control) -> None:
    _, most = optimum()
    first, second = Scripted(feasible(LEAST, most + 9, Limit.TIME), controls=controls), Scripted()
    run(Controls(20.0), first, second)
    assert [c.time_limit_s for c in first.heard] == [20.0]
    assert second.heard == []


def test_under_a_short_limit_the_first_solver_has_all_the_time() -> None:
    _, most = optimum()
    first, second = Scripted(feasible(LEAST, most + 9, Limit.TIME)), Scripted()
    run(Controls(relay.LEAST_S / 2), first, second)
    assert [c.time_limit_s for c in first.heard] == [relay.LEAST_S / 2]
    assert second.heard == []


def test_where_nobody_else_has_a_bound_the_first_solver_continues_from_its_own_choice() -> None:
    best, most = optimum()
    for others in ((), (Scripted(),)):
        for other in others:
            other.claims = Claim.NONE  # type: ignore[misc]
        first = Scripted(feasible(best, most + 9, Limit.TIME), feasible(best, most + 1, Limit.TIME))
        found = run(Controls(20.0), first, *others)
        assert (first.heard[1].hint, first.heard[1].known_bound) == (best, most + 9)
        assert (found.value, found.bound, found.limit) == (most, most + 1, Limit.TIME)
        assert all(other.heard == [] for other in others)


def test_a_hint_and_a_bound_of_the_caller_are_kept_where_nothing_better_is_known() -> None:
    best, most = optimum()
    first = Scripted(Answer(Status.NO_SOLUTION, bound=most + 9, limit=Limit.MEMORY))
    second = Scripted(feasible(best, most + 3))
    found = run(Controls(20.0, hint=best, known_bound=most + 4), first, second)
    assert [(c.hint, c.known_bound) for c in second.heard] == [(best, most + 4)]
    assert found.bound == most + 3


def test_a_partner_that_fails_does_not_end_the_search() -> None:
    class Failing(Scripted):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            raise KeyError("x")

    best, most = optimum()
    first = Scripted(feasible(LEAST, most + 9, Limit.TIME), Answer(Status.OPTIMAL, best, most), name="exact")
    found = run(Controls(20.0), first, Failing(name="failing"))
    assert (found.solver, found.status) == ("exact", Status.OPTIMAL)
    assert any(remark.startswith("run 2 of 3, by failing, failed: ") for remark in found.detail)


def test_answers_that_contradict_each_other_are_an_error() -> None:
    best, most = optimum()
    first = Scripted(feasible(LEAST, most - 1, Limit.TIME), name="exact")
    with pytest.raises(ContractViolation, match=r"'quick' found a choice worth .* which solver 'exact' ruled out"):
        run(Controls(20.0), first, Scripted(feasible(best, most + 3), name="quick"))


def test_all_solvers_share_one_clock() -> None:
    class Sleeping(Scripted):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            assert controls.time_limit_s is not None
            time.sleep(controls.time_limit_s)
            return super().solve(problem, controls)

    best, most = optimum()
    stopped = feasible(best, most + 9, Limit.TIME)
    started = time.perf_counter()
    found = run(Controls(2.0), Sleeping(stopped, stopped), Sleeping(stopped))
    assert 1.9 < found.wall_s <= time.perf_counter() - started < 3


def test_at_a_tiny_gap_the_first_solver_continues_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    best, most = optimum()
    monkeypatch.setattr(relay, "SMALL_GAP", 1 / most)
    first = Scripted(feasible(best, most + 1, Limit.TIME), Answer(Status.OPTIMAL, best, most))
    second = Scripted()
    assert run(Controls(20.0), first, second).status is Status.OPTIMAL
    assert (first.heard[1].hint, first.heard[1].known_bound) == (best, most + 1)
    assert second.heard == []


def test_a_partner_that_overruns_its_time_leaves_none() -> None:
    class Slow(Scripted):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            time.sleep(2.0)
            return super().solve(problem, controls)

    best, most = optimum()
    first = Scripted(feasible(LEAST, most + 9, Limit.TIME), name="exact")
    found = run(Controls(2.0), first, Slow(feasible(best, most + 3, Limit.TIME), name="slow"))
    assert (found.solver, found.value, found.limit) == ("slow", most, Limit.TIME)
    assert len(first.heard) == 1


def test_a_choice_that_reaches_the_bound_of_the_caller_is_optimal() -> None:
    best, most = optimum()
    found = run(Controls(known_bound=most), Scripted(feasible(best, most + 3)))
    assert (found.status, found.bound, found.gap) == (Status.OPTIMAL, most, 0.0)
