"""Ctrl-C and SIGTERM end a solve at once, whatever library it is in, and leave no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import pytest

from reds_core.knapsack.file import save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solver import Controls, Solver, solve
from reds_core.registry import Registry

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="one process cannot send another such signals on Windows"
)

TIME_LIMIT_S = 90.0
STARTED_PROCESSOR_S = 2.0
"""Processor time after which the solver searches, since importing what it needs takes less."""

STARTED_S = 40.0
"""The longest wait for that. A process that is interrupted while it still imports modules ends in another way."""


INTERRUPTED_S = 3.0
"""When a solve in this process is interrupted."""

MUCH_LATER_S = 10.0
"""Far below the time limit, and far above the second that an end takes, for machines that are busy."""

HEARING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from reds_core.cli import main
main()
"""
"""The command line; where tests run in the background, shells have processes ignore Ctrl-C."""


@pytest.fixture(scope="module")
def hard() -> KnapsackProblem:
    """30 groups of 64 options whose value is nearly proportional to the use of either of two resources."""
    rng = np.random.default_rng(0)
    widths = np.arange(1, 65)
    rows = [np.sort(rng.integers(1, 10_000, 64)) for _ in range(30)]
    other = [np.sort(rng.integers(1, 10_000, 64)) for _ in range(30)]
    noise = [rng.integers(0, 100, 64) for _ in range(30)]
    groups = tuple(Group(f"g{g}", widths, rows[g] + other[g] + noise[g]) for g in range(30))
    resources = tuple(SumResource(n, 150_000, 0, tuple(costs)) for n, costs in (("a", rows), ("b", other)))
    return KnapsackProblem("hard", groups, (), resources)


def wait_until_started(process: psutil.Process) -> list[psutil.Process]:
    """Wait until a process and its children have computed for some seconds of processor time; return the children."""
    deadline = time.monotonic() + STARTED_S
    while True:
        family = process.children(recursive=True)
        used_s = 0.0
        for member in (process, *family):
            with suppress(psutil.NoSuchProcess):
                used_s += sum(member.cpu_times()[:2])
        if used_s >= STARTED_PROCESSOR_S or time.monotonic() >= deadline:
            return family
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        *product(("dp", "cpsat", "scipy-milp", "pulp", "gurobi"), (signal.SIGINT, signal.SIGTERM)),
        *product(("toulbar2", "highs", "scip"), (signal.SIGINT,)),
    ],
)
def test_ctrl_c_and_sigterm_end_a_solve(tmp_path: Path, hard: KnapsackProblem, name: str, sent: signal.Signals) -> None:
    if name not in Registry().available(Solver):
        pytest.skip(f"the library behind {name} is not installed")
    save_problem(hard, tmp_path / "hard.npz")
    command = [sys.executable, "-c", HEARING, "solve", str(tmp_path / "hard.npz"), "--solver", name]
    process = subprocess.Popen(
        [*command, "--time-limit", str(TIME_LIMIT_S)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        family = wait_until_started(psutil.Process(process.pid))
        process.send_signal(sent)
        _, complaint = process.communicate(timeout=MUCH_LATER_S)
    finally:
        process.kill()
    assert process.returncode == 130, complaint
    assert complaint.startswith("error: interrupted")
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("name", ["cpsat", "scipy-milp", "gurobi"])
def test_an_interruption_is_never_told_as_a_time_limit(hard: KnapsackProblem, name: str) -> None:
    if name not in Registry().available(Solver):
        pytest.skip(f"the library behind {name} is not installed")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupted(hard, name)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted(hard: KnapsackProblem, name: str) -> None:
    solver = Registry().create(Solver, name)
    interrupted = threading.Timer(INTERRUPTED_S, signal.raise_signal, (signal.SIGINT,))
    interrupted.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        solve(hard, solver, Controls(TIME_LIMIT_S))
    interrupted.join()
    assert time.perf_counter() - started < INTERRUPTED_S + MUCH_LATER_S
