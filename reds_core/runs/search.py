"""Selection of the solver, and solving, for runs and for `reds solve`."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.knapsack.no_choice import without_choice
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relay import solve_in_turn
from reds_core.knapsack.solution import Solution
from reds_core.knapsack.solver import Controls, Solver, solve
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry
from reds_core.watcher import LOGGER

AUTO = "auto"


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
            solution = solve_in_turn(problem, self.registry.solvers_for(problem, self.settings), self.controls)
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
