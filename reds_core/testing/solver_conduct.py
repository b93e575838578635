"""Checks of how a solver behaves, apart from whether its answers are true.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from reds_core.errors import UnsupportedError
from reds_core.knapsack.cheapest import trivial_bound
from reds_core.knapsack.problem import KnapsackProblem, SumResource
from reds_core.knapsack.solution import Answer, Limit, Status, relative_gap
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, solve, why_not
from reds_core.testing import problems
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.oracle import brute_force, chain_optimum
from reds_core.testing.plugin_checks import check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check
from reds_core.testing.solver_answers import FOUNDATIONS
from reds_core.testing.subject import SolverSubject, described, fresh

GRACE_S = 2.5
"""The time that a solver may exceed its limit by: one step of its search on a busy machine."""


def declares_what_it_is(subject: SolverSubject) -> None:
    """Discovery, `reds plugins` and `--solver auto` rely on these declarations alone, so they must be well formed."""
    solver = subject.solver
    check_declaration(solver)
    for attribute, wanted in (("features", Feature), ("claims", Claim), ("controls", Control), ("auto_rank", int)):
        if not isinstance(getattr(solver, attribute, None), wanted):
            raise Failure(f"{attribute} is {getattr(solver, attribute, None)!r}, not a {wanted.__name__}")
    if not isinstance(solver.exact_below, int | None):
        raise Failure(f"exact_below is {solver.exact_below!r}, neither an integer nor None")
    if not isinstance(solver.memory_bounds_work, bool):
        raise Failure(f"memory_bounds_work is {solver.memory_bounds_work!r}, not a bool")


def refuses_in_words(subject: SolverSubject) -> None:
    """A refusal is shown to the user and makes `auto` try the next solver, so it must be a text, not an exception."""
    for problem in (problems.roomy(0, f) for f in subject.feature_sets):
        reason = subject.solver.refusal(problem)
        if reason is not None and (not isinstance(reason, str) or not reason):
            raise Failure(f"refusal returned {reason!r}, neither a text nor None, on {described(problem)}")


def is_not_asked_what_it_does_not_declare(subject: SolverSubject) -> None:
    """A problem with a feature that is not declared must be refused; ignoring the feature gives wrong answers."""
    missing = [f for f in Feature if f.name and f not in subject.solver.features]
    if not missing:
        raise Skip("declares every feature")
    for feature in missing:
        problem = problems.random_problem(0, feature)
        if why_not(subject.solver, problem) is None:
            raise Failure(f"is asked {described(problem)}, although it does not declare {feature.name}")
        try:
            solve(problem, subject.solver)
        except UnsupportedError:
            continue
        raise Failure(f"answered {described(problem)}, although it does not declare {feature.name}")


def answers_the_same_twice(subject: SolverSubject) -> None:
    """A benchmark solves many problems with one object, so no state of one solve may change the result of the next."""
    cases = [problem for problem, _ in subject.plain_problems[:8]]
    first = [subject.ask(p, solver=subject.make()) for p in cases]
    solver = subject.make()
    for _ in range(2):
        for problem, expected in zip(cases, first, strict=True):
            again = subject.ask(problem, solver=solver)
            if (again.status, again.choice, again.bound) != (expected.status, expected.choice, expected.bound):
                raise Failure(
                    f"a used object answers {again.status.value} {again.choice}, bound {again.bound}, but a new one "
                    f"answers {expected.status.value} {expected.choice}, bound {expected.bound} "
                    f"on {described(problem)} (limits met: {again.limit}, {expected.limit})"
                )


def repeats_itself_with_one_seed(subject: SolverSubject) -> None:
    """Published results must be reproducible, so the same seed must give the same choice."""
    subject.needs(Control.SEED)
    for problem in subject.fitting([problems.long_chain(0, groups=5, options=6), problems.ties(0)]):
        controls = dataclasses.replace(subject.controls, seed=7)
        choices = {subject.ask(problem, controls, subject.make()).choice for _ in range(3)}
        if len(choices) > 1:
            raise Failure(f"gave {len(choices)} different choices under one seed on {described(problem)}")


def _tables(problem: KnapsackProblem) -> list[bytes | str]:
    """All numbers of a problem, for a comparison before and after a solve."""
    found: list[bytes | str] = [repr((problem.name, problem.floors, problem.ceilings))]

    def add(tables: Sequence[object]) -> None:
        found.extend(b"" if t is None else np.asarray(t).tobytes() for t in tables)

    for group in problem.groups:
        add((group.widths, group.values))
    for pair in problem.pairs:
        add((pair.values, pair.kernel))
    for resource in problem.resources:
        found.append(repr((resource.name, resource.capacity)))
        if isinstance(resource, SumResource):
            found.append(repr((resource.base, resource.bilinear)))
            add((*resource.costs, *resource.pair_costs))
            add([problem.pair_cost(resource, k) for k in range(len(problem.pairs))])
        else:
            for step in resource.steps:
                found.append(repr((step.base, step.groups)))
                add(step.costs)
    return found


def leaves_the_problem_unchanged(subject: SolverSubject) -> None:
    """reds passes the same problem to several solvers and evaluates choices with it, so no solver may change it."""
    for problem, _ in subject.plain_problems[-6:]:
        given = fresh(problem)
        before = _tables(given)
        subject.solver.solve(given, subject.controls)
        if _tables(given) != before:
            raise Failure(f"changed the problem {described(problem)}")


def honours_the_time_limit(subject: SolverSubject) -> None:
    """Users rely on the time limit to bound a run, so it must include building the model, presolve and clean-up."""
    subject.needs(Control.TIME_LIMIT)
    features = subject.solver.features
    subject.ask(problems.one_option())  # imports what the solver imports
    for problem in subject.fitting([problems.large(0, features), problems.large(1, features, groups=80)]):
        limit_s = 0.5
        answer, seconds = subject.timed(problem, dataclasses.replace(subject.controls, time_limit_s=limit_s))
        if seconds > limit_s + GRACE_S:
            raise Failure(f"took {seconds:.1f} s under a time limit of {limit_s} s on {described(problem)}")
        if seconds > limit_s and answer.status is Status.FEASIBLE and answer.limit is None:
            raise Failure(f"took {seconds:.1f} s of {limit_s} s and does not report that it was stopped")


def is_sane_when_time_is_short(subject: SolverSubject) -> None:
    """An answer must be true even if the solver is stopped before it has found a first choice or a first bound."""
    subject.needs(Control.TIME_LIMIT)
    shapes = [problems.long_chain(0), problems.long_chain(1, groups=16, linked=True)]
    for problem in subject.fitting(shapes):
        optimum = chain_optimum(problem)
        for limit_s in (1e-9, 0.001, 0.01, 0.05):
            answer = subject.ask(problem, dataclasses.replace(subject.controls, time_limit_s=limit_s))
            if answer.status is Status.NO_SOLUTION and answer.limit is None:
                raise Failure(f"found nothing in {limit_s} s and names no limit on {described(problem)}")
            subject.judge_truth(problem, answer, optimum)


def starts_from_the_hint(subject: SolverSubject) -> None:
    """A hint is a choice that is already known: the answer must not be worse, and a bad hint must do no harm."""
    subject.needs(Control.HINT)
    for problem, truth in subject.plain_problems[:12]:
        hints = [problem.ceilings, problem.floors, *(tuple(int(k) for k in c) for c in truth.optima[:1])]
        for hint in hints:
            answer = subject.ask(problem, dataclasses.replace(subject.controls, hint=hint))
            subject.judge_truth(problem, answer, truth.value)
            known = problem.evaluate(hint)
            found = None if answer.choice is None else problem.evaluate(answer.choice).value
            if known.feasible and (found is None or found < known.value):
                raise Failure(f"found {found} from a hint of value {known.value} on {described(problem)}")


def stops_at_the_gap(subject: SolverSubject) -> None:
    """A proven gap ends a search when it is as small as the user asked for, and the answer must say so truthfully."""
    subject.needs(Control.GAP)
    for problem, truth in subject.plain_problems[:6]:
        for gap in (1e-3, 0.1, 10.0):
            answer = subject.ask(problem, dataclasses.replace(subject.controls, gap=gap))
            subject.judge_truth(problem, answer, truth.value)
            _judge_gap(problem, answer, gap)
    features = subject.solver.features
    for problem in subject.fitting([problems.large(0, features), problems.roomy(0, features)]):
        answer = subject.ask(problem, dataclasses.replace(subject.controls, gap=1e9))
        _judge_gap(problem, answer, 1e9)


def _judge_gap(problem: KnapsackProblem, answer: Answer, gap: float | None) -> None:
    """Compare the gap that an answer proves with what it says about it.

    Raises:
        Failure: if it claims a gap that it has not reached, or has reached it without saying so.
    """
    value = None if answer.choice is None else problem.evaluate(answer.choice).value
    reached = relative_gap(value, answer.bound)
    is_reached = reached is not None and reached <= (gap or 0.0)
    if answer.limit is Limit.GAP and not is_reached:
        raise Failure(f"says that it stopped at the gap {gap}, but has proven {reached} on {described(problem)}")
    if gap and is_reached and answer.status is Status.FEASIBLE and answer.limit is not Limit.GAP:
        stop = "no limit" if answer.limit is None else f"its {answer.limit.value} limit"
        raise Failure(
            f"continued to {stop} with a gap of {reached:g}, though {gap:g} suffices, on {described(problem)}"
        )


def takes_a_known_bound(subject: SolverSubject) -> None:
    """A bound that another solver has proven ends a search that reaches it, and must not be lost on the way."""
    subject.needs(Control.KNOWN_BOUND)
    solver = subject.solver
    for problem, truth in subject.plain_problems[:6]:
        for known in (0, 2**40) if truth.value is None else (truth.value, truth.value + 1000):
            answer = subject.ask(problem, dataclasses.replace(subject.controls, known_bound=known))
            subject.judge_truth(problem, answer, truth.value)
            stated = Claim.BOUND in solver.claims and answer.status is Status.FEASIBLE
            if stated and (answer.bound is None or answer.bound > known):
                raise Failure(f"its bound {answer.bound} is above the known bound {known} on {described(problem)}")
        proves = Control.HINT in solver.controls and Claim.OPTIMAL in solver.claims
        if truth.value is None or not proves or problem.magnitude >= (solver.exact_below or math.inf):
            continue
        best = tuple(int(k) for k in truth.optima[0])
        answer = subject.ask(problem, dataclasses.replace(subject.controls, hint=best, known_bound=truth.value))
        if answer.status is not Status.OPTIMAL:
            raise Failure(
                f"says {answer.status.value} with bound {answer.bound}, though the hint has the value of the known "
                f"bound {truth.value}, on {described(problem)}"
            )


def takes_every_control(subject: SolverSubject) -> None:
    """Callers set the same controls for every solver, so one that a solver does not honour must not be an error."""
    for problem in subject.fitting([problems.roomy(0, subject.solver.features), problems.roomy(0, Feature.NONE)]):
        controls = Controls(
            time_limit_s=subject.settings.time_limit_s,
            seed=11,
            threads=2,
            hint=problem.ceilings,
            memory_limit_bytes=2**30,
            gap=1e-9,
            known_bound=trivial_bound(problem),
        )
        subject.judge_truth(problem, subject.ask(problem, controls), brute_force(problem).value)


def prints_nothing(subject: SolverSubject) -> None:
    """With --json, stdout must contain nothing but JSON; a banner printed by a library would make it invalid."""
    cases = [problem for problem, _ in subject.plain_problems[:4]] + [problems.infeasible(subject.solver.features)]
    for problem in subject.fitting(cases):
        with captured_stdout() as captured:
            subject.ask(problem)
        if captured.text:
            raise Failure(f"printed {captured.text[:80]!r} on {described(problem)}")


_GROUND = tuple(check.name for check in FOUNDATIONS)
DECLARATIONS: tuple[Check[SolverSubject], ...] = (Check(declares_what_it_is), Check(imports_nothing_heavy))
CONDUCT = tuple(
    Check(run, _GROUND)
    for run in (
        refuses_in_words,
        is_not_asked_what_it_does_not_declare,
        answers_the_same_twice,
        repeats_itself_with_one_seed,
        leaves_the_problem_unchanged,
        honours_the_time_limit,
        is_sane_when_time_is_short,
        starts_from_the_hint,
        stops_at_the_gap,
        takes_a_known_bound,
        takes_every_control,
        prints_nothing,
    )
)
