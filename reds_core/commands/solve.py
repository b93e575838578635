"""`reds solve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.commands.shared import (
    Gap,
    Json,
    MemoryLimit,
    OptionTexts,
    SolverName,
    Threads,
    TimeLimit,
    parse_gap,
    parse_plugin_options,
    print_json,
)

if TYPE_CHECKING:
    from reds_core.knapsack.solution import Solution


def solve_command(
    problem: Annotated[
        Path, typer.Argument(metavar="PROBLEM", help="The problem file (.npz), as `reds formulate` writes it.")
    ],
    solver: SolverName = "auto",
    time_limit: TimeLimit = 60.0,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The random seed of the solver.", show_default="the choice of the solver", min=0
        ),
    ] = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    gap: Gap = None,
    option: OptionTexts = None,
    as_json: Json = False,
) -> None:
    """Run `reds solve`."""
    from reds_core.knapsack.no_choice import without_choice
    from reds_core.runs.solving import solve

    solution = solve(
        problem,
        solver,
        time_limit=time_limit,
        seed=seed,
        threads=threads,
        memory_limit=memory_limit,
        gap=None if gap is None else parse_gap(gap),
        options=parse_plugin_options(option or []),
    )
    if as_json:
        print_json(solution_facts(solution))
    else:
        from reds_core.knapsack.solution import solution_text

        print(solution_text(solution))
    if solution.choice is None:
        from reds_core.knapsack.file import load_problem

        raise without_choice(load_problem(problem), solution)


def solution_facts(solution: Solution) -> dict[str, Any]:
    """The output of `reds solve --json`."""
    facts = {
        "status": solution.status,
        "limit": solution.limit,
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "widths": solution.widths,
        "usage": solution.usage,
        "wall_s": solution.wall_s,
        "backend_s": solution.backend_s,
        "solver": solution.solver,
        "version": solution.version,
        "detail": "; ".join(solution.detail),
    }
    return facts | ({"settings": solution.settings} if solution.settings else {})
