"""A solver under test, called without the validation by reds so that every check sees the original answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from reds_core.arrays import Table
from reds_core.knapsack.problem import KnapsackProblem, PeakResource, Resource
from reds_core.knapsack.solution import Answer, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver, malformed, why_not
from reds_core.testing import problems
from reds_core.testing.oracle import Truth, brute_force
from reds_core.testing.plugin_checks import PluginSubject
from reds_core.testing.report import Failure, Settings, Skip


@dataclass(frozen=True)
class Asked:
    """A problem, its proven optimum, and the answer of the solver.

    Attributes:
        optimum: the proven optimum, or None if the problem is infeasible.
    """

    problem: KnapsackProblem
    optimum: int | None
    answer: Answer


def fresh(problem: KnapsackProblem) -> KnapsackProblem:
    """A copy that shares no table with `problem`: read-only tables would be taken over as they are."""

    def copied(tables: Iterable[Table]) -> tuple[Table, ...]:
        return tuple(None if table is None else table.copy() for table in tables)

    resources: list[Resource] = []
    for r in problem.resources:
        if isinstance(r, PeakResource):
            steps = tuple(replace(s, costs=copied(s.costs)) for s in r.steps)
            resources.append(replace(r, steps=steps))
        else:
            resources.append(replace(r, costs=copied(r.costs), pair_costs=copied(r.pair_costs)))
    return replace(
        problem,
        groups=tuple(replace(g, widths=g.widths.copy(), values=g.values.copy()) for g in problem.groups),
        pairs=tuple(
            replace(
                p,
                values=None if p.values is None else p.values.copy(),
                kernel=None if p.kernel is None else p.kernel.copy(),
            )
            for p in problem.pairs
        ),
        resources=tuple(resources),
    )


def described(problem: KnapsackProblem) -> str:
    """The problem in one line, in full if it is small."""
    if problem.name != "generated":
        return problem.name

    def plain(table: object) -> str:
        return "0" if table is None else str(getattr(table, "tolist")())  # noqa: B009

    groups = "; ".join(
        f"{g.name} widths {plain(g.widths)} values {plain(g.values)}"
        + ("" if g.levels is None else f" levels {plain(g.levels)}")
        for g in problem.groups
    )
    pairs = "; ".join(f"pair {p.first}-{p.second} values {plain(p.values)}" for p in problem.pairs)
    resources = []
    for r in problem.resources:
        if isinstance(r, PeakResource):
            steps = ", ".join(f"{s.base} + {s.groups} {[plain(c) for c in s.costs]}" for s in r.steps)
            resources.append(f"peak {r.name} <= {r.capacity}: {steps}")
        else:
            costs = f"costs {[plain(c) for c in r.costs]} bilinear {r.bilinear} pair {[plain(c) for c in r.pair_costs]}"
            resources.append(f"sum {r.name} <= {r.capacity}: base {r.base} {costs}")
    bounds = f"floors {problem.floors} ceilings {problem.ceilings}"
    return "; ".join(part for part in (groups, pairs, *resources, bounds) if part)


def well_formed(problem: KnapsackProblem, answer: object) -> str | None:
    """What is wrong with the form of an answer, or None."""
    fault = malformed(answer)
    if fault is not None or not isinstance(answer, Answer) or answer.choice is None:
        return fault
    options = [g.options for g in problem.groups]
    if len(answer.choice) != len(options) or not all(
        hasattr(k, "__index__") and 0 <= k < n for k, n in zip(answer.choice, options, strict=True)
    ):
        return f"its choice {answer.choice!r} is not one option index for each group"
    return None


class SolverSubject(PluginSubject[Solver]):
    """A solver under test and its answers so far.

    Args:
        make: makes a solver with its options.
        settings: the expectations that the author states, such as known failures.
    """

    def __init__(self, make: Callable[[], Solver], settings: Settings) -> None:
        super().__init__(make, settings)
        self.solver = self.plugin

    # --- what applies -------------------------------------------------------------------------------------------------

    def needs(self, wanted: Claim | Control) -> None:
        """Skip the check unless the solver declares `wanted`."""
        declares = wanted in (self.solver.claims if isinstance(wanted, Claim) else self.solver.controls)
        if not declares:
            raise Skip(f"does not declare {str(wanted.name).lower()}")

    def fitting(self, cases: Iterable[KnapsackProblem]) -> list[KnapsackProblem]:
        """The `cases` that the solver accepts; skips the check if there are none."""
        found: list[KnapsackProblem] = []
        reason = "there are no problems of its features"
        for problem in cases:
            refusal = why_not(self.solver, problem)
            if refusal is None:
                found.append(problem)
            else:
                reason = refusal
        if not found:
            raise Skip(reason)
        return found

    @cached_property
    def feature_sets(self) -> list[Feature]:
        """Every combination of declared features."""
        single = [f for f in Feature if f in self.solver.features and f.name]
        sets = [combination for size in range(len(single) + 1) for combination in combinations(single, size)]
        result = []
        for combination in sets:
            features = Feature.NONE
            for feature in combination:
                features |= feature
            result.append(features)
        return result

    @property
    def seeds(self) -> range:
        """Seeds of the random kinds."""
        return range(self.settings.seeds)

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def controls(self) -> Controls:
        """What is asked with unless a check says otherwise: repeatable where the solver can be, and never endless."""
        declared = self.solver.controls
        return Controls(
            time_limit_s=self.settings.time_limit_s if Control.TIME_LIMIT in declared else None,
            seed=0 if Control.SEED in declared else None,
            threads=1 if Control.THREADS in declared else None,
        )

    def ask(self, problem: KnapsackProblem, controls: Controls | None = None, solver: Solver | None = None) -> Answer:
        """What the solver says to a copy of `problem`.

        Raises:
            Failure: if it raises an error, or its answer is malformed.
        """
        try:
            answer = (solver or self.solver).solve(fresh(problem), controls or self.controls)
        except Exception as error:
            raise Failure(f"raised {type(error).__name__}: {error} on {described(problem)}") from error
        fault = well_formed(problem, answer)
        if fault is not None:
            raise Failure(f"{fault} on {described(problem)}")
        choice, bound = answer.choice, answer.bound  # any sequence and any integers, as those of NumPy
        return replace(
            answer,
            choice=None if choice is None else tuple(int(option) for option in choice),
            bound=None if bound is None else int(bound),
        )

    def timed(self, problem: KnapsackProblem, controls: Controls) -> tuple[Answer, float]:
        """What the solver says, and after how many seconds."""
        started = time.perf_counter()
        answer = self.ask(problem, controls)
        return answer, time.perf_counter() - started

    @cached_property
    def plain_problems(self) -> list[tuple[KnapsackProblem, Truth]]:
        """Small problems of every combination of declared features, with the truth about each."""
        cases = [problems.random_problem(seed, f) for seed in self.seeds for f in self.feature_sets]
        cases += [problems.roomy(seed, f) for seed in self.seeds for f in self.feature_sets if Feature.BOUNDS not in f]
        cases.append(problems.infeasible(self.solver.features))
        return [(p, brute_force(p)) for p in self.fitting(cases)]

    @cached_property
    def plain(self) -> list[Asked]:
        """The answers to the plain problems."""
        return [Asked(p, truth.value, self.ask(p)) for p, truth in self.plain_problems]

    # --- judging ------------------------------------------------------------------------------------------------------

    def judge(self, problem: KnapsackProblem, answer: Answer, optimum: int | None) -> None:
        """Hold an answer against the truth.

        Raises:
            Failure: if anything it says is untrue, or it owes a proof and gave none.
        """
        self.judge_truth(problem, answer, optimum)
        owed = self._owed(Asked(problem, optimum, answer))
        if owed is not None:
            raise Failure(f"{owed} on {described(problem)}")

    def judge_truth(self, problem: KnapsackProblem, answer: Answer, optimum: int | None) -> None:
        """Hold an answer against the truth, whether or not a proof is due.

        Raises:
            Failure: if anything it says is untrue.
        """
        asked = Asked(problem, optimum, answer)
        for fault in (over_budget, false_optimum, false_bound, false_infeasibility):
            found = fault(asked)
            if found is not None:
                raise Failure(f"{found} on {described(problem)}")
        exact_below = self.solver.exact_below
        if answer.status is Status.OPTIMAL and exact_below is not None and problem.magnitude >= exact_below:
            raise Failure(f"claims an optimum above its exact_below of {exact_below} on {described(problem)}")

    def judge_all(self, cases: Iterable[KnapsackProblem]) -> None:
        """Ask and judge every case that fits, by brute force.

        Raises:
            Failure: as `judge`.
            Skip: if no case fits.
        """
        for problem in self.fitting(cases):
            self.judge(problem, self.ask(problem), brute_force(problem).value)

    def _owed(self, asked: Asked) -> str | None:
        exact_below = self.solver.exact_below
        if not self.settings.proves or (exact_below is not None and asked.problem.magnitude >= exact_below):
            return None
        owed = Status.INFEASIBLE if asked.optimum is None else Status.OPTIMAL
        if asked.answer.status is owed:
            return None
        return f"it says {asked.answer.status.value} (limit {asked.answer.limit}) where a proof of {owed.value} is due"


def over_budget(asked: Asked) -> str | None:
    """What is wrong with the choice, or None."""
    if asked.answer.choice is None:
        return None
    result = asked.problem.evaluate(asked.answer.choice)
    if result.feasible:
        return None
    over: Mapping[str, int] = {
        r.name: result.usage[r.name] - r.capacity for r in asked.problem.resources if result.usage[r.name] > r.capacity
    }
    excess = ", ".join(f"{name} by {by}" for name, by in over.items())
    return f"its choice exceeds {excess}" if over else "its choice lies outside floors and ceilings"


def false_optimum(asked: Asked) -> str | None:
    """What is wrong with a claim of optimality, or None."""
    if asked.answer.status is not Status.OPTIMAL or asked.answer.choice is None:
        return None
    result = asked.problem.evaluate(asked.answer.choice)
    value = result.value
    if not result.feasible or (value == asked.optimum and asked.answer.bound == value):
        return None  # an over-budget choice is another fault
    return f"it claims optimality at value {value}, bound {asked.answer.bound}, where the optimum is {asked.optimum}"


def false_bound(asked: Asked) -> str | None:
    """What is wrong with the bound of an answer that does not claim optimality, or None."""
    if asked.answer.status is Status.OPTIMAL or asked.answer.bound is None or asked.optimum is None:
        return None
    if asked.answer.bound >= asked.optimum:
        return None
    return f"its bound {asked.answer.bound} is below the optimum {asked.optimum}"


def false_infeasibility(asked: Asked) -> str | None:
    """What is wrong with a claim of infeasibility, or None."""
    if asked.answer.status is not Status.INFEASIBLE or asked.optimum is None:
        return None
    return f"it claims infeasibility where a choice of value {asked.optimum} exists"
