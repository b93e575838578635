"""The solver core needs nothing that only POSIX systems have, so that it works on Windows."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from reds_core import ProblemBuilder, save_problem

ROOT = Path(__file__).parents[2]
POSIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog")
SOLVER_PLUGINS = ("greedy", "dp", "lagrangian", "cpsat", "pulp", "scipy")
SOURCES = sorted(
    [
        *ROOT.glob("reds_core/**/*.py"),
        *(p for name in SOLVER_PLUGINS for p in ROOT.glob(f"plugins/{name}/reds_*/**/*.py")),
    ]
)

WITHOUT_POSIX = f"""
import os, signal, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name in {POSIX_MODULES!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Refusing())
for name in {POSIX_MODULES!r}:
    sys.modules.pop(name, None)

import numpy, scipy.optimize, subprocess, multiprocessing.resource_tracker
for name in ("killpg", "getpgid", "setsid", "fork", "sched_getaffinity", "sysconf", "getuid", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGUSR1", "SIGALRM", "pthread_sigmask", "setitimer"):
    if hasattr(signal, name):
        delattr(signal, name)

import reds_core
problem = reds_core.load_problem(sys.argv[1])
for solver in ("greedy", "dp", "scipy-milp"):
    print(solver, reds_core.solve(problem, solver, time_limit=60).value)
"""


def posix_imports(source: str) -> list[str]:
    """The modules of POSIX systems that a module imports outside functions and `try` statements."""
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return [name for name in found if name.partition(".")[0] in POSIX_MODULES]


def test_no_module_imports_a_posix_module_at_once() -> None:
    assert {str(path.relative_to(ROOT)): posix_imports(path.read_text(encoding="utf-8")) for path in SOURCES} == {
        str(path.relative_to(ROOT)): [] for path in SOURCES
    }
    assert posix_imports("import os\nimport fcntl\nfrom resource import getrlimit") == ["fcntl", "resource"]
    assert posix_imports("def f():\n    import fcntl") == []


def test_problems_are_solved_without_what_only_posix_has(tmp_path: Path) -> None:
    builder = ProblemBuilder("two items")
    builder.add_group("tent", values=[0, 30, 45])
    builder.add_group("stove", values=[0, 20])
    builder.add_sum("grams", capacity=1700, costs={"tent": [0, 1100, 1700], "stove": [0, 600]})
    save_problem(builder.build(), tmp_path / "problem.npz")
    command = [sys.executable, "-c", WITHOUT_POSIX, str(tmp_path / "problem.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    greedy, dp, milp = (int(line.split()[1]) for line in done.stdout.splitlines())
    assert greedy <= dp == milp == 50
