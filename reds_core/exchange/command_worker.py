"""Runs a program on one problem; a script that `reds_core.system.isolation` runs in a separate process.

The program runs in the folder of the user. Its files are in the folder of this process, which is removed afterwards.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from reds_core.arrays import NamedArrays
from reds_core.errors import InputError, UnsupportedError
from reds_core.exchange.command_solver import ANSWER, PROBLEM_FILES, ProgramReply, filled_in, located
from reds_core.exchange.formats import convert_problem
from reds_core.exchange.solution_files import read_solution
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.isolation import serve
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import to_json

_A_YEAR_S = 31_536_000.0
_CANNOT_RUN = 126
"""The exit status by which shells report that a program cannot be run."""
_COMPLAINT_CHARACTERS = 300
_COMPLAINT_BYTES = 64 * 1024


def answer(request: NamedArrays) -> dict[str, Any]:
    """Run the program on the problem of a request and return the `ProgramReply` as JSON."""
    return {"reply": to_json(_reply(request))}


def _reply(request: NamedArrays) -> ProgramReply:
    folder = Path.cwd()
    path = folder / "problem.npz"
    path.write_bytes(request["problem"].tobytes())
    problem = load_problem(path)
    try:
        arguments = _arguments(request, problem, folder)
    except UnsupportedError as error:
        return ProgramReply(refusal=(error.what, error.fix))
    output = folder / "output"
    try:
        exit_status = _run(arguments, str(request["folder"]), output, _left_s(request))
    except OSError as error:
        return ProgramReply(_CANNOT_RUN, reason_of(error))
    return _answer_in(problem, folder / f"{ANSWER}.sol", exit_status, _last_line(output))


def _run(arguments: list[str], folder: str, output: Path, time_limit_s: float) -> int | None:
    """Run a program and return its exit status; None if it is still running when the time is up."""
    with output.open("wb") as printed:
        process = subprocess.Popen(
            arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            return process.wait(time_limit_s)
        except subprocess.TimeoutExpired:
            return None  # the caller kills the group of this process, to which the program belongs


def _left_s(request: NamedArrays) -> float:
    return min(max(float(request["deadline"]) - time.monotonic(), 0.0), _A_YEAR_S)


def _arguments(request: NamedArrays, problem: KnapsackProblem, folder: Path) -> list[str]:
    """The program and its arguments, with the problem in the files that they name."""
    given = [str(argument) for argument in request["arguments"]]
    paths = {name: folder / f"problem{suffix}" for name, suffix in PROBLEM_FILES.items()}
    for name, path in paths.items():
        if not path.exists() and any(f"{{{name}}}" in argument for argument in given):
            convert_problem(problem, path)
    values = {name: str(path) for name, path in paths.items()}
    values |= {ANSWER: str(folder / f"{ANSWER}.sol"), "seed": str(request["seed"]), "threads": str(request["threads"])}
    values["time_limit"] = f"{max(_left_s(request), 0.001):.3f}"
    return [located(given[0]) or given[0], *(filled_in(argument, values) for argument in given[1:])]


def _answer_in(problem: KnapsackProblem, path: Path, exit_status: int | None, complaint: str) -> ProgramReply:
    if not path.exists():
        return ProgramReply(exit_status, complaint)
    try:
        found = read_solution(problem, path)
    except InputError as error:
        fault = error.what.replace(f"solution file {shown(path)}", "its answer")
        return ProgramReply(exit_status, complaint, has_answered=True, fault=fault)
    return ProgramReply(exit_status, complaint, True, found.choice, found.bound, found.status)


def _last_line(output: Path) -> str:
    with output.open("rb") as file:
        file.seek(max(file.seek(0, 2) - _COMPLAINT_BYTES, 0))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:_COMPLAINT_CHARACTERS] if lines else ""


if __name__ == "__main__":
    serve(answer)
