"""Runs a program on one problem; a script that `reds_core.system.isolation` runs in a separate process.

The program runs in the folder of the user. Its files are in the folder of this process, which is removed afterwards.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from reds_core.arrays import NamedArrays
from reds_core.errors import InputError, UnsupportedError
from reds_core.exchange.command_solver import ANSWER, PROBLEM_FILES, ProgramReply, filled_in, located
from reds_core.exchange.formats import convert_problem
from reds_core.exchange.solution_files import ANOTHER_FILE, CHECK_PATH, read_solution
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.isolation import serve
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import to_json

_A_YEAR_S = 31_536_000.0
_COMPLAINT_CHARACTERS = 300
_COMPLAINT_BYTES = 64 * 1024
_ANSWER_BYTES = 256 * 1024**2
"""The largest answer that is read. A solution file of a million columns has about 50 MB."""
_DRAIN_S = 0.2
"""How long the end of the output is awaited, which processes that the program left behind may hold open."""


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
    try:
        process = subprocess.Popen(
            arguments,
            cwd=str(request["folder"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        what = f"program '{arguments[0]}' cannot be started ({reason_of(error)})"
        return ProgramReply(refusal=(what, "correct its first line, which names the interpreter of a script"))
    exit_status, printed = _run(process, _left_s(request))
    return _answer_in(problem, folder / f"{ANSWER}.sol", exit_status, _last_line(printed))


def _run(process: subprocess.Popen[bytes], time_limit_s: float) -> tuple[int | None, bytes]:
    """Wait for a program.

    Returns:
        Its exit status, which is None if it is still running when the time is up, and the end of its output. The rest
        is discarded, because a program may print without end.
    """
    assert process.stdout is not None
    output, printed = process.stdout.fileno(), bytearray()

    def read() -> None:
        while chunk := os.read(output, _COMPLAINT_BYTES):
            printed.extend(chunk)
            del printed[:-_COMPLAINT_BYTES]

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        exit_status = process.wait(time_limit_s)
    except subprocess.TimeoutExpired:  # the caller kills the group of this process, to which the program belongs
        return None, bytes(printed)
    reader.join(_DRAIN_S)
    return exit_status, bytes(printed)


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
        _check_size(path)
        found = read_solution(problem, path)
    except InputError as error:
        what = error.what.replace(f"solution file {shown(path)}", "its answer")
        fix = "correct the program" if error.fix in (ANOTHER_FILE, CHECK_PATH) else f"correct the program: {error.fix}"
        return ProgramReply(exit_status, complaint, has_answered=True, fault=(what, fix))
    return ProgramReply(exit_status, complaint, True, found.choice, found.bound, found.status)


def _check_size(path: Path) -> None:
    """Raise InputError if the answer is a pipe or a device, which may never end, or is far too large."""
    if not path.is_file():
        raise InputError("its answer is not a file", ANOTHER_FILE)
    if path.stat().st_size > _ANSWER_BYTES:
        raise InputError(f"its answer is larger than {_ANSWER_BYTES // 1024**2} MiB", ANOTHER_FILE)


def _last_line(printed: bytes) -> str:
    lines = printed.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:_COMPLAINT_CHARACTERS] if lines else ""


if __name__ == "__main__":
    serve(answer)
