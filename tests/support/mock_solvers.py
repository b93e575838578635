"""A correct solver and many with one fault each, which the conformance kit must find."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import count
from typing import ClassVar

import numpy as np

from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver
from reds_core.testing.oracle import all_choices, brute_force, usages_of, values_of

ALL_CLAIMS = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND


def choices_by_value(problem: KnapsackProblem) -> list[tuple[int, ...]]:
    """Every feasible choice, the worst first."""
    choices = all_choices(problem)
    fits = np.ones(len(choices), bool)
    for resource, use in zip(problem.resources, usages_of(problem, choices).values(), strict=True):
        fits &= use <= resource.capacity
    choices = choices[fits]
    return [tuple(int(k) for k in c) for c in choices[np.argsort(values_of(problem, choices), kind="stable")]]


class Honest(Solver):
    """Tries every choice of a small problem; of a large one it knows only the floors."""

    name = "honest"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = ALL_CLAIMS
    controls: ClassVar[Control] = (
        Control.TIME_LIMIT | Control.SEED | Control.THREADS | Control.HINT | Control.GAP | Control.KNOWN_BOUND
    )

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if np.prod([float(g.options) for g in problem.groups]) > 1e5:
            return Answer(Status.FEASIBLE, problem.floors, limit=Limit.NODES)
        truth = brute_force(problem)
        if truth.value is None:
            return Answer(Status.INFEASIBLE)
        return Answer(Status.OPTIMAL, tuple(int(k) for k in truth.optima[0]), bound=truth.value)


class Modest(Honest):
    """Finds the optimum of small problems and claims nothing."""

    name = "modest"
    claims = Claim.NONE
    controls = Control.TIME_LIMIT | Control.SEED | Control.THREADS | Control.HINT

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.choice is None:
            return Answer(Status.NO_SOLUTION)
        return Answer(Status.FEASIBLE, answer.choice, limit=answer.limit)


class Narrow(Modest):
    """Takes no pair terms, peaks or bounds."""

    name = "narrow"
    features = Feature.MULTI_RESOURCE


class Misnamed(Honest):
    name = "Bad Name"


class Malformed(Honest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.FEASIBLE)


class Crashing(Honest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        raise ZeroDivisionError("oops")


class Boastful(Modest):
    """Gives a bound that it does not declare."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return replace(super().solve(problem, controls), bound=10**9)


class OverBudget(Modest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.FEASIBLE, problem.ceilings)


class OutOfBounds(Modest):
    """Forgets floors and ceilings."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        free = problem.with_bounds((), ())
        return super().solve(free, controls)


class FalseOptimum(Honest):
    """Calls the worst choice optimal."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.status is not Status.OPTIMAL:
            return answer
        worst = choices_by_value(problem)[0]
        return Answer(Status.OPTIMAL, worst, bound=problem.evaluate(worst).value)


class LowBound(Honest):
    """Gives the value of its choice for a bound."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.status is not Status.OPTIMAL:
            return answer
        worst = choices_by_value(problem)[0]
        return Answer(Status.FEASIBLE, worst, bound=problem.evaluate(worst).value)


class Despairing(Honest):
    """Calls infeasible what is merely tight."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        tight = answer.status is Status.OPTIMAL and len(choices_by_value(problem)) < 20
        return Answer(Status.INFEASIBLE) if tight else answer


class Timid(Honest):
    """Proves some problems only."""

    controls = Control.TIME_LIMIT | Control.SEED | Control.THREADS | Control.HINT

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.status is Status.OPTIMAL and len(problem.resources) > 1:
            return replace(answer, status=Status.FEASIBLE)
        return answer


class Unassertive(Modest):
    """Declares claims that it never makes."""

    claims = ALL_CLAIMS


class Fruitless(Solver):
    name = "fruitless"
    features = Feature.ALL
    claims = Claim.NONE
    controls = Control.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.NO_SOLUTION)


class Tolerant(Honest):
    """Lets a budget be exceeded by a millionth, as floating-point solvers do."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        relaxed = {r.name: r.capacity + abs(r.capacity) // 1_000_000 for r in problem.resources}
        return super().solve(problem.with_capacities(relaxed), controls)


class GapStopper(Honest):
    """Stops at a relative gap of 1e-4 and calls that optimal, as MILP solvers do unless told 0."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.status is not Status.OPTIMAL or answer.bound is None or not 10**8 < answer.bound < 2**50:
            return answer
        for choice in choices_by_value(problem):
            value = problem.evaluate(choice).value
            if answer.bound - value <= 1e-4 * abs(answer.bound):
                return Answer(Status.OPTIMAL, choice, bound=value)
        return answer


class Floating(Honest):
    """Compares values as floats."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.bound is None or answer.bound < 2**53:
            return answer
        first = max(choices_by_value(problem), key=lambda c: float(problem.evaluate(c).value))
        return Answer(Status.OPTIMAL, first, bound=problem.evaluate(first).value)


class Untyped(Honest):
    """States its seconds as a text."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return replace(super().solve(problem, controls), backend_s="0.1")  # type: ignore[arg-type]


class Unbounded(Modest):
    """Gives a bound that no value of a problem can reach."""

    claims = Claim.BOUND

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return replace(super().solve(problem, controls), bound=2**70)


class Overconfident(Honest):
    """Claims optima above the magnitude up to which it says that it is exact."""

    exact_below = 2**36


class Numeric(Honest):
    """Honest: its choice is an array and its bound a number of NumPy."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.choice is None:
            return answer
        bound = None if answer.bound is None else np.int64(answer.bound)
        return replace(answer, choice=np.array(answer.choice), bound=bound)  # type: ignore[arg-type]


@dataclass(frozen=True)
class BlindSpot:
    prefix: str = ""


class Blind(Honest):
    """Correct except on problems whose name begins with a prefix, for which its answers are wrong."""

    name = "blind"
    Options = BlindSpot

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if not problem.name.startswith(self.options.prefix):
            return answer
        return Answer(Status.FEASIBLE, problem.floors) if answer.choice is None else Answer(Status.INFEASIBLE)


class Mumbling(Honest):
    def refusal(self, problem: KnapsackProblem) -> str | None:
        return 3  # type: ignore[return-value]


class Forgetful(Modest):
    """Answers well once, and with the worst choice from then on."""

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.calls = count()

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if next(self.calls) == 0 or answer.choice is None or answer.limit is not None or controls.hint is not None:
            return answer
        return Answer(Status.FEASIBLE, choices_by_value(problem)[0])


_restless = count()


class Restless(Modest):
    """Declares that it honours the seed, and honours the clock."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if controls.seed != 7 or answer.choice is None:
            return answer
        ranked = choices_by_value(problem)
        return Answer(Status.FEASIBLE, ranked[next(_restless) % len(ranked)])


class Meddling(Honest):
    """Works in the problem's own tables."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        values = problem.groups[0].values
        values.setflags(write=True)
        values += 1
        return answer


class Sluggish(Honest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if len(problem.groups) > 20:
            time.sleep(1.5)
        return super().solve(problem, controls)


class Secretive(Honest):
    """Is stopped by its time limit and does not say so."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if len(problem.groups) > 20:
            time.sleep(0.55)
            return replace(answer, limit=None)
        return answer


class Hasty(Honest):
    """Takes the end of its time for the end of its search."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if controls.time_limit_s is not None and controls.time_limit_s < 0.1:
            return Answer(Status.INFEASIBLE)
        return super().solve(problem, controls)


class Vague(Honest):
    """Finds nothing in a short time and does not say why."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if controls.time_limit_s is not None and controls.time_limit_s < 0.1:
            return Answer(Status.NO_SOLUTION)
        return super().solve(problem, controls)


class Stubborn(Modest):
    """Declares that it honours a hint, and returns the worst choice whatever the hint."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if answer.choice is None or answer.limit is not None:
            return answer
        return Answer(Status.FEASIBLE, choices_by_value(problem)[0])


class Overeager(Honest):
    """Stops at the first choice and says that the gap is reached."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if controls.gap is None or answer.bound is None or controls.known_bound is not None:
            return answer
        return Answer(Status.FEASIBLE, choices_by_value(problem)[0], answer.bound, Limit.GAP)


class Plodding(Honest):
    """Declares that it stops at a gap, and searches on."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if controls.gap is None or answer.bound is None or controls.known_bound is not None:
            return answer
        return Answer(Status.FEASIBLE, answer.choice, answer.bound + 1, Limit.TIME)


class Deaf(Honest):
    """Declares that it takes a known bound, and keeps its own, which is worse."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if controls.known_bound is None or controls.gap is not None or answer.bound is None:
            return answer
        return Answer(Status.FEASIBLE, answer.choice, answer.bound + 1)


class Doubtful(Honest):
    """Repeats a known bound but does not see that its hint reaches it."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        if controls.known_bound is None or controls.gap is not None or answer.bound is None:
            return answer
        return Answer(Status.FEASIBLE, answer.choice, min(controls.known_bound, answer.bound + 1))


class Picky(Honest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if controls.threads == 2:
            raise ValueError("one thread only")
        return super().solve(problem, controls)


class Printing(Honest):
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        print("Welcome")
        return super().solve(problem, controls)


class Writing(Honest):
    """Prints past Python, as C libraries do."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        os.write(1, b"Welcome")
        return super().solve(problem, controls)


class Spawning(Honest):
    """Starts a program that prints."""

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        if len(problem.groups) < 5:
            subprocess.run([sys.executable, "-S", "-c", "print('Welcome')"], check=True)
        return super().solve(problem, controls)
