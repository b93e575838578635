"""Solves a problem, or a problem file, with a named solver."""

from __future__ import annotations

from os import PathLike

from reds_core.errors import InputError
from reds_core.knapsack import file as problem_file
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.knapsack.solver import Controls, Solver
from reds_core.knapsack.solver import solve as ask
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry, given_registry
from reds_core.runs.options import converted, given_options
from reds_core.runs.participants import check_options, solvers
from reds_core.runs.search import AUTO, Search
from reds_core.system.files import given_path
from reds_core.system.memory import parse_bytes

DEFAULT_TIME_LIMIT_S = 60.0


def solve(
    problem: KnapsackProblem | str | PathLike[str],
    solver: str | Solver = AUTO,
    controls: Controls | None = None,
    *,
    time_limit: float | None = DEFAULT_TIME_LIMIT_S,
    seed: int | None = None,
    threads: int | None = None,
    memory_limit: str | int | None = None,
    gap: float | None = None,
    options: PluginOptions | None = None,
    registry: Registry | None = None,
) -> Solution:
    """Solve a knapsack problem.

    This is what `reds solve` does. The value and usage of the solution are computed from its choice, and the claims of
    the solver are checked against them.

    Args:
        problem: A problem, or the path of a problem file.
        solver: The name of a solver plugin, or a solver object. `"auto"` takes the best solver for the problem, and the
            next one if that stops without a choice or runs out of memory. `"cmd:PROGRAM {mps} {answer}"` runs a
            program that reads the problem from a file and writes its answer to another.
        controls: Limits, seed and a hint as one object, as solvers receive them. It replaces the five arguments that
            follow.
        time_limit: The time limit of the solver, in seconds. None means no limit.
        seed: The random seed of the solver. None leaves it to the solver.
        threads: How many threads the solver may use. None leaves it to the solver.
        memory_limit: How much memory the tables of the solver may take: a number of bytes, or a text such as `"2GiB"`.
            None means half of the available memory.
        gap: The proven relative gap, (bound - value) / |value|, at which the solver may stop, such as 1e-4. The
            `limit` of the solution is then `Limit.GAP`. None means that it searches for a proof of optimality.
        options: Options of plugins, as `{plugin: {key: text}}`. A solver object has its options already.
        registry: The plugins to choose from. By default they are all that are installed.

    Returns:
        The solution. Its `status` says whether it is proven optimal, and its `choice` is None if nothing was found.

    Raises:
        InputError: If the file cannot be read, the solver is unknown, or an argument is out of range.
        UnavailableError: If the solver needs a library that is not installed.
        UnsupportedError: If the solver does not accept the problem.
        ContractViolation: If the answer of the solver contradicts the problem or itself.
        PluginFailure: If the solver raises an error.

    Example:
        >>> solution = reds_core.solve("half.npz", "dp", time_limit=10)
        >>> solution.status, solution.widths, solution.gap
    """
    memory = converted("memory_limit", memory_limit, str | None)
    controls = controls or Controls(
        converted("time_limit", time_limit, float | None),
        converted("seed", seed, int | None),
        converted("threads", threads, int | None),
        memory_limit_bytes=None if memory is None else parse_bytes(memory),
        gap=converted("gap", gap, float | None),
    )
    registry, options = given_registry(registry), given_options(options)
    if not isinstance(solver, str | Solver):
        raise InputError(
            f"solver of type {type(solver).__name__} is not a solver", 'give a name, a solver object or "auto"'
        )
    check_options(registry, options, () if isinstance(solver, Solver) else (solvers(solver),))
    if isinstance(solver, Solver):
        return ask(_loaded(problem), solver, controls)
    search = Search(registry, solver, options, controls)
    search.check()
    return search.answer(_loaded(problem))


def _loaded(problem: KnapsackProblem | str | PathLike[str]) -> KnapsackProblem:
    return (
        problem if isinstance(problem, KnapsackProblem) else problem_file.load_problem(given_path(problem, "problem"))
    )
