"""Ctrl-C, kill -9 and half-written lines: no record is lost, none is there twice, no process stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from bench_tools import Place, eventually
from slow_cases import slow_except

from reds_core.bench.history import Ending, read_history
from reds_core.bench.reader import read_records
from reds_core.bench.record import SolveOutcome
from reds_core.bench.record_file import key_of
from reds_core.bench.runner import BenchSettings
from reds_core.bench.supervision import supervise
from reds_core.bench.task import SolveResult, SolveTask
from reds_core.comparison.worker_pool import open_pool
from reds_core.errors import RedsError
from reds_core.knapsack.file import save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def start(place: Place, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reds_core", "bench", *(str(a) for a in arguments), "--out", str(place.out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment,
        # as a shell starts it: alone in its group, Ctrl-C not ignored
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def lines(place: Place) -> int:
    try:
        return (place.out / "records.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def wait_for_records(place: Place, running: subprocess.Popen[str], count: int) -> None:
    assert eventually(lambda: lines(place) >= count or running.poll() is not None, 60.0)
    assert running.poll() is None, running.communicate()[1]


def check_whole(place: Place, solves: int) -> None:
    records = read_records(place.out)
    assert set(Counter(key_of(r) for r in records).values()) == {1}
    assert len(records) == solves
    assert {r.outcome for r in records} == {SolveOutcome.ANSWERED}


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_in_the_middle_the_same_command_goes_on(place: Place, jobs: int) -> None:
    command = (place.folder / "p.npz", "--solvers", "plain,napper", "--repeat", 3, "--time-limit", 9, "--jobs", jobs)
    first = start(place, *command)
    wait_for_records(place, first, 2)
    first.kill()
    first.communicate()
    before = (place.out / "records.jsonl").read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert 2 <= kept.count(b"\n") < 6
    assert eventually(lambda: place.processes() == []), place.processes()

    again = start(place, *command)
    _, err = again.communicate(timeout=100)
    assert again.returncode == 0, err
    assert f"{kept.count(chr(10).encode())} of 6 solves are done already" in err
    assert (place.out / "records.jsonl").read_bytes().startswith(kept)
    check_whole(place, 6)
    assert [r.ending for r in read_history(place.out).runs] == [None, Ending.FINISHED]
    assert (place.out / "report.html").exists()
    assert (place.out / "summary.md").exists()
    assert place.processes() == []


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_keeps_what_is_done_and_reports_it(place: Place, jobs: int) -> None:
    running = start(place, place.folder / "p.npz", "--solvers", "plain,napper,sleeper", "--jobs", jobs)
    wait_for_records(place, running, 2)
    os.killpg(running.pid, signal.SIGINT)  # a terminal interrupts all processes of the command
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    last = err.rstrip().splitlines()[-1]
    assert last == "error: interrupted after 2 of 3 solves; run the same command again to resume"
    assert "Traceback" not in err
    assert [r.contender.label for r in sorted(read_records(place.out), key=lambda r: r.contender.label)] == [
        "napper",
        "plain",
    ]
    assert [(r.ending, r.done) for r in read_history(place.out).runs] == [(Ending.INTERRUPTED, 2)]
    assert (place.out / "report.html").exists()
    assert eventually(lambda: place.processes() == []), place.processes()


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_that_ends_the_reader_of_the_messages_too_is_no_failure(place: Place, jobs: int) -> None:
    """As with `reds bench ... 2>&1 | tee log`: a terminal's Ctrl-C ends tee first."""
    running = start(place, place.folder / "p.npz", "--solvers", "plain,napper,sleeper", "--jobs", jobs)
    wait_for_records(place, running, 2)
    for pipe in (running.stdout, running.stderr):
        assert pipe is not None
        pipe.close()
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert [(r.ending, r.done) for r in read_history(place.out).runs] == [(Ending.INTERRUPTED, 2)]
    assert (place.out / "report.html").exists()


def test_ctrl_c_while_the_processes_that_watch_start_leaves_no_traceback(place: Place) -> None:
    running = start(place, place.folder / "p.npz", "--solvers", "sleeper", "--repeat", 2, "--jobs", 2)
    assert eventually(lambda: any("popen_loky" in p for p in place.processes()), 60.0), running.communicate()
    time.sleep(0.4)  # they import
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert err.rstrip().splitlines()[-1].startswith("error: interrupted after 0 of 2 solves; ")
    assert "Traceback" not in err
    assert "Warning" not in err


def pool_tasks(place: Place) -> Iterator[Callable[[], SolveResult]]:
    task = SolveTask((place.folder / "p.npz").read_bytes(), "plain", "1.0", {}, BenchSettings().limits)
    for _ in range(2):
        yield partial(supervise, task, ())


def interrupted(place: Place) -> Iterator[Callable[[], SolveResult]]:
    yield from pool_tasks(place)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("asked", "error", "expected"),
    [
        (interrupted, RuntimeError("no way to end them"), KeyboardInterrupt),
        (interrupted, OSError("no way to end them"), KeyboardInterrupt),
        (pool_tasks, BrokenExecutor("gone"), RedsError),
        (pool_tasks, OSError("gone"), RedsError),
        (pool_tasks, RuntimeError("a bug"), RuntimeError),
    ],
)
def test_ctrl_c_is_told_from_what_fails_after_it(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    asked: Callable[[Place], Iterator[Callable[[], SolveResult]]],
    error: Exception,
    expected: type[BaseException],
) -> None:
    """Ends of joblib's processes that fail stand for what happened first; those that nobody asked for are told."""

    class Failing(joblib.Parallel):  # type: ignore[misc]
        def __call__(self, tasks: Iterable[Any]) -> Any:
            try:
                list(tasks)
            finally:
                raise error

    monkeypatch.setattr(joblib, "Parallel", Failing)
    with open_pool("loky", 2, None, "solve") as pool, pytest.raises(expected) as raised:
        list(pool.run(asked(place)))
    if expected is RedsError:
        assert "a process that watches the solves was lost (gone); run the same command again to resume" in str(
            raised.value
        )


def write_long_problem(path: Path) -> None:
    """Many tight resources, and values that are their sums plus noise: branch and bound takes hours."""
    random = np.random.default_rng(1)
    costs = random.integers(0, 1000, (10, 60, 20))
    values = costs.sum(axis=0) + random.integers(0, 100, (60, 20))
    groups = tuple(Group(f"g{i}", np.arange(1, 21), own) for i, own in enumerate(values))
    resources = tuple(SumResource(f"r{r}", int(own.mean(axis=1).sum()), 0, tuple(own)) for r, own in enumerate(costs))
    save_problem(KnapsackProblem("p", groups, (), resources), path)


@pytest.mark.parametrize(
    "signum", slow_except([signal.SIGKILL], [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], lambda signum: signum.name)
)
def test_a_back_end_in_a_session_of_its_own_ends_with_the_command(place: Place, signum: signal.Signals) -> None:
    """The pulp plugin starts a worker that starts CBC."""
    write_long_problem(place.folder / "p.npz")
    running = start(place, place.folder / "p.npz", "--solvers", "pulp[presolve=false]")
    assert eventually(lambda: any("cbc" in p.partition(" ")[0] for p in place.processes()), 60.0), place.processes()
    running.send_signal(signum)
    _, err = running.communicate(timeout=60)
    assert running.returncode == (-signum if signum == signal.SIGKILL else 130), err
    assert eventually(lambda: place.processes() == []), place.processes()
    assert read_records(place.out) == ()


def test_a_half_written_line_is_dropped_and_its_solve_done_again(place: Place) -> None:
    place.solve("plain", "greedy")
    path = place.out / "records.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    for cut in (1, len(whole[1]) // 2, len(whole[1]) - 1):
        path.write_bytes(whole[0] + whole[1][:cut])
        assert len(read_records(path)) == 1
        again = place.solve("plain", "greedy")
        assert [r.contender.label for r in again] == ["plain", "greedy"]
        assert path.read_bytes().startswith(whole[0])
    assert place.solve("plain", "greedy") == again
