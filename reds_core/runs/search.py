"""Selection of the solver, and solving, for runs and for `reds solve`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from reds_core.errors import ContractViolation, RedsError
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.no_choice import without_choice
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Solution, Status, relative_gap
from reds_core.knapsack.solver import Controls, Solver, solve
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry
from reds_core.watcher import LOGGER

AUTO = "auto"

RESERVED_SHARE = 0.2
"""The share of the remaining time that "auto" reserves for the next solver, if the cheapest choice is not feasible."""


@dataclass(frozen=True)
class Search:
    """Which solver solves problems, and under which limits.

    Attributes:
        registry: The plugins to choose from.
        solver: The name of a solver plugin, or "auto" for the best that accepts the problem, followed by the next one
            if that stops without a choice or runs out of memory.
        settings: Options of plugins as typed.
        controls: The limits and the seed of each solve.
    """

    registry: Registry
    solver: str = AUTO
    settings: PluginOptions | None = None
    controls: Controls = Controls()

    def check(self) -> None:
        """Refuse a solver that is unknown or unavailable before any work is done.

        Raises:
            UnavailableError: If the solver needs a library that is not installed.
            InputError: If the solver or one of its options is unknown.
        """
        if self.solver != AUTO:
            self.registry.create(Solver, self.solver, self.settings)

    def answer(self, problem: KnapsackProblem) -> Solution:
        """Solve a problem and return the solution, whatever its status.

        Raises:
            UnsupportedError: If no solver accepts the problem.
            ContractViolation: If the answer of a solver contradicts the problem or itself.
            PluginFailure: If a solver raises an error.
        """
        if self.solver == AUTO:
            solution = self._solve_in_turn(problem)
        else:
            solution = solve(problem, self.registry.create(Solver, self.solver, self.settings), self.controls)
        LOGGER.debug(
            "problem %s: %s %s by %s in %.3f s",
            *(problem.name, solution.status.value, solution.value, solution.solver, solution.wall_s),
        )
        return solution

    def choose(self, problem: KnapsackProblem) -> Solution:
        """Solve a problem and return a solution that has a choice.

        Raises:
            InfeasibleError: If no choice is feasible; the message says the least that can be reached.
            NoChoiceError: If the solver stopped before it found one.
        """
        solution = self.answer(problem)
        if solution.choice is None:
            raise without_choice(problem, solution)
        return solution

    def _solve_in_turn(self, problem: KnapsackProblem) -> Solution:
        """The solution of the first solver that does not stop early, or else the best one found within the time limit.

        If a later solver fails, the solutions of those before it are kept.
        """
        limit_s, started = self.controls.time_limit_s, time.perf_counter()
        keeps_time = limit_s is not None and cheapest_choice(problem) is None
        asked: list[Solution] = []
        failed: list[str] = []
        for solver in self.registry.solvers_for(problem, self.settings):
            left_s = limit_s
            if limit_s is not None and asked:
                left_s = limit_s - (time.perf_counter() - started)
                if left_s <= 0:
                    break
            if left_s is not None and keeps_time:
                left_s *= 1 - RESERVED_SHARE
            try:
                asked.append(solve(problem, solver, replace(self.controls, time_limit_s=left_s)))
            except RedsError as error:
                if not asked:
                    raise
                failed.append(f"{solver.name} was tried as well and failed: {error.what}")
                continue
            if not _ends_early(asked[-1]):
                break
        found = asked[0] if len(asked) == 1 else _best_of(asked)
        return replace(found, detail=(*found.detail, *failed))


def _ends_early(solution: Solution) -> bool:
    """Whether another solver may do better, because this one stopped without a choice or ran out of memory."""
    if solution.status is Status.NO_SOLUTION:
        return True
    return solution.status is Status.FEASIBLE and solution.limit is Limit.MEMORY


def _best_of(asked: list[Solution]) -> Solution:
    """The best of several solutions (the last solver's among equal ones), with the least of their proven bounds.

    Its detail names the other solvers.

    Raises:
        ContractViolation: If a solver found a choice though another proved that there is none, or a choice better than
            the bound of another.
    """
    best = asked[-1]
    for solution in asked:
        if solution.value is not None and (best.value is None or solution.value > best.value):
            best = solution
    bounds = [s.bound for s in asked if s.bound is not None]
    bound = min(bounds, default=None)
    refuted = [s for s in asked if s.status is Status.INFEASIBLE]
    if best.value is not None and bound is not None and bound < best.value:
        refuted += [s for s in asked if s.bound == bound]
    if best.choice is not None and refuted:
        raise ContractViolation(
            f"solver '{best.solver}' found a choice worth {best.value}, which solver '{refuted[0].solver}' ruled out",
            "report it to the author of the latter, or choose another solver",
        )
    if best.status is Status.INFEASIBLE:
        bound = None  # there is nothing to bound
    others = tuple(_attempt_text(s) for s in asked if s is not best)
    best = replace(
        best,
        bound=bound,
        gap=relative_gap(best.value, bound),
        wall_s=sum(s.wall_s for s in asked),
        detail=(*best.detail, *others),
    )
    if best.value is not None and best.value == bound:
        return replace(best, status=Status.OPTIMAL, limit=None)
    return best


def _attempt_text(solution: Solution) -> str:
    """A sentence that says that a solver was tried too, and with what result."""
    why = f" at its {solution.limit.value} limit" if solution.limit else ""
    what = "without a choice" if solution.choice is None else f"with a choice worth {solution.value}"
    reason = f": {solution.detail[0]}" if solution.detail else ""
    return f"{solution.solver} was tried as well and stopped{why} {what}{reason}"
