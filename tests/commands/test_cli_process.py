"""The command line as a process: exit statuses, what is imported, signals and pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome, write_problem


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    return write_problem(tmp_path / "p.npz", capacity=7)


def process(*arguments: object, **more: Any) -> Outcome:
    command = [sys.executable, "-m", "reds_core", *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_the_process_s_exit_statuses(tmp_path: Path) -> None:
    feasible, infeasible = write_problem(tmp_path / "p.npz", 7), write_problem(tmp_path / "q.npz", 4)
    done = process("solve", feasible, "--json")
    assert done.status == 0
    assert done.err == ""
    assert done.json["value"] == 12
    process("solve", infeasible).check_error(3, "no subnetwork meets the budget")
    process("solve", tmp_path / "missing.npz").check_error(2, "does not exist; check the path")
    process("nonsense").check_error(2, "No such command")


def test_the_installed_command_is_the_module(problem: Path) -> None:
    command = Path(sys.executable).parent / "reds"
    if not command.exists():
        pytest.skip("reds is not installed beside this interpreter")
    done = subprocess.run(
        [command, "solve", problem, "--json"], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(done.stdout)["value"] == 12


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "--json"], ["solve", "{problem}"]])
def test_no_heavy_library_is_imported(problem: Path, arguments: list[str]) -> None:
    """`reds plugins` and `reds solve` start quickly: no framework, no solver's library but the one asked."""
    program = (
        "import sys\nfrom reds_core.cli import run\n"
        f"status = run({[a.format(problem=problem) for a in arguments]!r})\n"
        "heavy = {'tensorflow', 'keras', 'ortools', 'pulp', 'scipy', 'matplotlib', 'jinja2', 'pandas', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == "[]\n"


def test_solve_does_not_import_rich(problem: Path) -> None:
    program = (
        "import sys\nfrom reds_core.cli import run\n"
        f"run(['solve', {str(problem)!r}])\n"
        "names = [m for m in sys.modules if m.partition('.')[0] == 'rich' or m.startswith('reds_core.report')]\n"
        "print(sorted(names), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == "[]\n"


def test_a_closed_pipe_is_no_bug(problem: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "reds_core", "solve", str(problem), "--json"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


SLOW_PLUGIN = """
import time
from reds_core import hookimpl
from reds_core.knapsack.solver import Claim, Control, Feature, Solver

class Slow(Solver):
    name, features, claims, controls = "slow", Feature.ALL, Claim.NONE, Control.NONE

    def solve(self, problem, controls):
        print("solving", flush=True)
        time.sleep(60)

@hookimpl
def reds_solvers():
    return [Slow]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_130_and_one_line(problem: Path, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "slow_plugin.py").write_text(SLOW_PLUGIN)
    info = tmp_path / "slow_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[reds]\nslow = slow_plugin\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-m", "reds_core", "solve", str(problem), "--solver", "slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # a shell that runs the tests in the background has Ctrl-C ignored, which children inherit
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "solving\n"
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    Outcome(running.returncode, out, err).check_error(
        130, "^error: interrupted; nothing is kept, so run the command again$"
    )
