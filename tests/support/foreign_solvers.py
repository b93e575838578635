"""Solvers of other people that read the files of `reds_core.exchange`, each in a process of its own.

HiGHS cannot be loaded beside OR-Tools, and toulbar2 keeps the format of the last file in global variables. This module
is also the script of these processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

MODULES = {"highs": "highspy", "cbc": "pulp", "toulbar2": "pytoulbar2"}


class ForeignSolver:
    """Solves files, one after the other. The solution is written to a file beside the problem."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def solve(self, problem: Path, solution: Path, style: int = 1) -> float | None:
        """The optimum that the solver reports; None if it found none. `style` is how toulbar2 writes solutions."""
        solution.unlink(missing_ok=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(problem), str(solution), style]) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        assert reply, f"the solver died on {problem}"
        objective: float | None = json.loads(reply)
        if not solution.exists():
            solution.write_text("", encoding="utf-8")
        return objective


@contextmanager
def foreign_solver(name: str) -> Iterator[ForeignSolver]:
    """Start the process of a solver, or skip the test if it is not installed."""
    if find_spec(MODULES[name]) is None:
        pytest.skip(f"needs {MODULES[name]}")
    with subprocess.Popen(
        [sys.executable, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ForeignSolver(process)


def _highs(problem: str, solution: str, style: int) -> float | None:
    import highspy

    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("threads", 1)):
        highs.setOptionValue(option, value)
    assert highs.readModel(problem) == highspy.HighsStatus.kOk  # a warning is a fault of the file
    highs.run()
    highs.writeSolution(solution, 0)
    solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value) if solved else None


def _cbc(problem: str, solution: str, style: int) -> float | None:
    import pulp

    command = [pulp.PULP_CBC_CMD().path, problem, "ratio", "0", "solve", "solution", solution]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    first = Path(solution).read_text(encoding="utf-8").partition("\n")[0]
    return float(first.split()[-1]) if first.startswith("Optimal") else None


def _toulbar2(problem: str, solution: str, style: int) -> float | None:
    import pytoulbar2

    network = pytoulbar2.CFN(verbose=-1)
    try:
        network.Read(problem)
    except Exception as error:
        if "contradiction" not in str(error):
            raise
        return None
    found = network.Solve(showSolutions=style, writeSolution=solution)
    return None if found is None else float(found[1])


def _serve(name: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the libraries print
    solve: Any = {"highs": _highs, "cbc": _cbc, "toulbar2": _toulbar2}[name]
    for line in sys.stdin:
        replies.write(json.dumps(solve(*json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
