"""The formats that problems can be converted to, by the suffix of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError
from reds_core.exchange.cost_network import cost_network
from reds_core.exchange.linear_files import COEFFICIENT_LIMIT, write_lp, write_mps
from reds_core.exchange.toulbar2_files import write_cfn, write_wcsp
from reds_core.knapsack.file import load_problem, save_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.files import given_file, given_path
from reds_core.system.machine_faults import shown

_WRITERS: Mapping[str, Callable[[KnapsackProblem, Path], None]] = {
    ".mps": write_mps,
    ".lp": write_lp,
    ".cfn": write_cfn,
    ".wcsp": write_wcsp,
    ".npz": save_problem,
}
SUFFIXES: tuple[str, ...] = tuple(_WRITERS)
"""Suffixes of the files that problems can be converted to."""


@dataclass(frozen=True)
class Conversion:
    """A file that a problem was written to.

    Attributes:
        path: the file.
        objective: what the optimum that the other solver reports means, as a formula; None for a problem file.
        remarks: what the user should know about the file, a sentence each.
    """

    path: Path
    objective: str | None
    remarks: tuple[str, ...] = ()


def convert_problem(problem: KnapsackProblem | str | PathLike[str], out: str | PathLike[str]) -> Conversion:
    """Write a problem in the file format of another solver.

    This is what `reds convert` does. `check_solution` checks the solution that the other solver finds.

    Args:
        problem: The problem, or the path of a problem file.
        out: The file to write. Its suffix is the format: `.mps` or `.lp` for solvers of mixed-integer linear programs,
            `.cfn` or `.wcsp` for toulbar2, or `.npz` for reds itself.

    Returns:
        What was written, and how the value follows from the optimum that the solver reports.

    Raises:
        InputError: If the suffix is unknown, or a file cannot be read or written.
        UnsupportedError: If the format cannot hold the numbers of the problem.

    Example:
        >>> reds_core.convert_problem("half.npz", "half.mps").objective
        'value = -objective'
    """
    path = given_file(out, "out")
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{shown(path)} has an unknown suffix", f"use one of {', '.join(SUFFIXES)}")
    if not isinstance(problem, KnapsackProblem):
        problem = load_problem(given_path(problem, "problem"))
    writer(problem, path)
    kind = path.suffix.lower()
    if kind == ".npz":
        return Conversion(path, None)
    objective = "value = -objective"
    if kind == ".wcsp":
        objective = f"value = {cost_network(problem).constant} - objective"
    remarks: tuple[str, ...] = ()
    if problem.magnitude >= COEFFICIENT_LIMIT and kind in (".mps", ".lp"):
        remarks = (
            "The file is exact, but sums of its numbers may pass 10^15, which solvers that compute in doubles round "
            "or refuse.",
        )
    return Conversion(path, objective, remarks)
