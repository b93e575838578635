"""Solving on behalf of a run: which solver answers, and how."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.no_choice import without_choice
from reds_core.problem import KnapsackProblem
from reds_core.registry import Registry, Settings
from reds_core.solution import Solution
from reds_core.solver import Controls, Solver, solve

AUTO = "auto"


@dataclass(frozen=True)
class Search:
    """Which solver is asked and how.

    Attributes:
        solver: a plugin name, or "auto" for the best that takes the problem.
        settings: options of plugins as typed.
    """

    registry: Registry
    solver: str = AUTO
    settings: Settings | None = None
    controls: Controls = Controls()

    def check(self) -> None:
        """Refuse a solver that is unknown or unavailable before any work is done.

        Raises:
            UnavailableError, InputError: as `Registry.create`.
        """
        if self.solver != AUTO:
            self.registry.create(Solver, self.solver, self.settings)

    def solver_for(self, problem: KnapsackProblem) -> Solver:
        """The solver that answers `problem`."""
        if self.solver == AUTO:
            return self.registry.choose_solver(problem, self.settings)
        return self.registry.create(Solver, self.solver, self.settings)

    def answer(self, problem: KnapsackProblem) -> Solution:
        """A solution, whatever its status."""
        return solve(problem, self.solver_for(problem), self.controls)

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
