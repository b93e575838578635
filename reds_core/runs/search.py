"""Solving on behalf of a run: which solver answers, and how."""

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

AUTO = "auto"

RESERVED_SHARE = 0.2
"""Share of the time limit that "auto" keeps for the next solver where no cheap choice is feasible."""


@dataclass(frozen=True)
class Search:
    """Which solver is asked and how.

    Attributes:
        solver: a plugin name, or "auto" for the best that takes the problem, and the next where that one stops without
            a choice or for want of memory.
        settings: options of plugins as typed.
    """

    registry: Registry
    solver: str = AUTO
    settings: PluginOptions | None = None
    controls: Controls = Controls()

    def check(self) -> None:
        """Refuse a solver that is unknown or unavailable before any work is done.

        Raises:
            UnavailableError, InputError: as `Registry.create`.
        """
        if self.solver != AUTO:
            self.registry.create(Solver, self.solver, self.settings)

    def answer(self, problem: KnapsackProblem) -> Solution:
        """A solution, whatever its status.

        Raises:
            UnsupportedError: if no solver takes the problem.
            ContractViolation, PluginFailure: as `reds_core.knapsack.solver.solve`.
        """
        if self.solver == AUTO:
            return self._relayed(problem)
        return solve(problem, self.registry.create(Solver, self.solver, self.settings), self.controls)

    def choose(self, problem: KnapsackProblem) -> Solution:
        """A solution with a choice.

        Raises:
            InfeasibleError: if there is none; says the least that can be reached.
            NoChoiceError: if the solver stopped before it found one.
        """
        solution = self.answer(problem)
        if solution.choice is None:
            raise without_choice(problem, solution)
        return solution

    def _relayed(self, problem: KnapsackProblem) -> Solution:
        """The solution of the first solver that is not stopped early, or the best of all within the time limit.

        A later solver that fails takes nothing away from what those before it found.
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
                failed.append(f"{solver.name} was asked as well and failed: {error.what}")
                continue
            if not _ends_early(asked[-1]):
                break
        found = asked[0] if len(asked) == 1 else _best_of(asked)
        return replace(found, detail=(*found.detail, *failed))


def _ends_early(solution: Solution) -> bool:
    """Whether another solver may do better: no choice without proof that there is none, or too little memory."""
    if solution.status is Status.NO_SOLUTION:
        return True
    return solution.status is Status.FEASIBLE and solution.limit is Limit.MEMORY


def _best_of(asked: list[Solution]) -> Solution:
    """The best solution, the later of equal ones, with the least of all proven bounds; it tells who was asked before.

    Raises:
        ContractViolation: if one solver has a choice where another proved that there is none, or a better one than
            another's bound allows.
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
    others = tuple(_told(s) for s in asked if s is not best)
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


def _told(solution: Solution) -> str:
    """That a solver was asked too, and what came of it."""
    why = f" at its {solution.limit.value} limit" if solution.limit else ""
    what = "without a choice" if solution.choice is None else f"with a choice worth {solution.value}"
    reason = f": {solution.detail[0]}" if solution.detail else ""
    return f"{solution.solver} was asked as well and stopped{why} {what}{reason}"
