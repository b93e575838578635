"""`reds convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reds_core.commands.shared import Json, print_json
from reds_core.errors import InfeasibleError, InputError, NoChoiceError

if TYPE_CHECKING:
    from reds_core.exchange.checking import CheckedSolution


def convert_command(
    problem: Annotated[
        Path, typer.Argument(metavar="PROBLEM", help="The problem file (.npz), as `reds formulate` writes it.")
    ],
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT",
            help="The file to write: .mps or .lp for solvers of mixed-integer programs, .cfn or .wcsp for toulbar2.",
        ),
    ] = None,
    solution: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A solution file to check instead of writing a file. HiGHS, CBC, SCIP, Gurobi or toulbar2 wrote it, "
            "or it is a JSON file with a 'choice'.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run `reds convert`."""
    if (out is None) == (solution is None):
        raise InputError("give either a file to write or --solution", "see `reds convert --help`")
    if out is not None:
        _convert(problem, out, as_json)
    if solution is not None:
        _check(problem, solution, as_json)


def _convert(problem: Path, out: Path, as_json: bool) -> None:
    from reds_core.exchange.formats import convert_problem

    conversion = convert_problem(problem, out)
    if as_json:
        facts = {"path": str(conversion.path), "objective": conversion.objective, "remarks": conversion.remarks}
        print_json(facts)
        return
    print(conversion.path)
    for line in (conversion.objective, *conversion.remarks):
        if line is not None:
            print(f"  {line}")


def _check(problem: Path, solution: Path, as_json: bool) -> None:
    from reds_core.exchange.checking import check_solution

    checked = check_solution(problem, solution)
    if as_json:
        print_json(checked)
    elif checked.choice is not None:
        print(_text(checked))
    if checked.choice is None:
        raise NoChoiceError(f"'{solution}' holds no solution", "give the solver more time or larger budgets")
    if not checked.feasible:
        raise InfeasibleError(
            f"the solution in '{solution}' is not feasible: {'; '.join(checked.violations)}",
            "tighten the tolerances of the solver, or check that it solved this problem",
        )


def _text(checked: CheckedSolution) -> str:
    """The checked solution in two columns, one line each."""
    rows = [("feasible", "yes" if checked.feasible else "no"), ("value", f"{checked.value:,}")]
    rows += [] if checked.bound is None else [("bound", f"{checked.bound:,} (not checked)")]
    rows += [(name, f"{amount:,}") for name, amount in (checked.usage or {}).items()]
    rows += [(f"  {group}", str(width)) for group, width in (checked.widths or {}).items()]
    rows += [(f"  {site}", levels) for site, levels in checked.settings.texts()]
    indent = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{indent}}  {content}" for name, content in rows)
