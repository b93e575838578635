"""Checks a solution of another solver in exact integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike

from reds_core.exchange.solution_files import read_solution
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.files import given_path
from reds_core.system.records import LEFT_OUT


@dataclass(frozen=True)
class CheckedSolution:
    """The value, usage and feasibility of the solution in a file, in exact integers.

    Attributes:
        choice: one option index for each group; None if the file holds no solution, and then all others are None too.
        value: the value of the choice.
        usage: usage of each resource, by resource name.
        feasible: whether the choice is within all capacities, floors and ceilings.
        violations: what the choice violates, a sentence each.
        widths: number of channels that each group keeps, by group name.
        bound: the upper bound on the value that a JSON answer states, or None. It is not checked.
        settings: the level of each dimension besides widths; empty if nothing else was decided.
    """

    choice: tuple[int, ...] | None
    value: int | None
    usage: Mapping[str, int] | None
    feasible: bool | None
    violations: tuple[str, ...]
    widths: Mapping[str, int] | None
    bound: int | None
    settings: LevelSettings = field(default_factory=LevelSettings, metadata={LEFT_OUT: True})


def check_solution(problem: KnapsackProblem | str | PathLike[str], solution: str | PathLike[str]) -> CheckedSolution:
    """Compute the value, usage and feasibility of the solution in a file in exact integers.

    This is what `reds convert --solution` does.

    Args:
        problem: The problem, or the path of a problem file.
        solution: The solution file of another solver. `reds_core.exchange.read_solution` lists the formats.

    Returns:
        The checked solution. A solution that violates a limit is not an error; `feasible` is then False.

    Raises:
        InputError: If a file cannot be read, or does not choose one option of each group.

    Example:
        >>> checked = reds_core.check_solution("half.npz", "half.sol")
        >>> checked.feasible, checked.value, checked.usage
    """
    if not isinstance(problem, KnapsackProblem):
        problem = load_problem(given_path(problem, "problem"))
    found = read_solution(problem, solution)
    if found.choice is None:
        return CheckedSolution(None, None, None, None, (), None, found.bound)
    evaluation = problem.evaluate(found.choice)
    return CheckedSolution(
        found.choice,
        evaluation.value,
        evaluation.usage,
        evaluation.feasible,
        _violations(problem, found.choice, evaluation.usage),
        problem.widths(found.choice),
        found.bound,
        problem.settings(found.choice),
    )


def _violations(problem: KnapsackProblem, choice: tuple[int, ...], usage: Mapping[str, int]) -> tuple[str, ...]:
    over = [
        f"it uses {usage[r.name]} of '{r.name}', and the capacity is {r.capacity}"
        for r in problem.resources
        if usage[r.name] > r.capacity
    ]
    outside = [
        f"option {option} of group '{group.name}' is not between its floor {low} and its ceiling {high}"
        for group, option, low, high in zip(problem.groups, choice, problem.floors, problem.ceilings, strict=True)
        if not low <= option <= high
    ]
    return (*over, *outside)
