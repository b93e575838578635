"""The times of solves: what counts as processor time, and when the clock starts."""

from __future__ import annotations

import psutil
import pytest
from bench_tools import Place
from hostile_plugin import BUSY_S

from reds_core.bench.process_tree import ProcessTree
from reds_core.bench.record import SolveOutcome
from reds_core.knapsack.solution import Status


def test_processor_time_covers_child_processes_but_not_sleep(place: Place) -> None:
    records = {record.contender.label: record for record in place.solve("plain", "napper", "worker")}
    assert all(record.cpu_s is not None for record in records.values())
    assert (records["worker"].cpu_s or 0.0) >= BUSY_S - 0.02  # the system counts in steps of 10 ms
    assert records["napper"].wall_s >= 0.3
    assert (records["napper"].cpu_s or 0.0) < records["napper"].wall_s / 2
    assert all(record.load is None or record.load >= 0 for record in records.values())


def test_processor_time_of_a_solve_that_was_killed(place: Place) -> None:
    (record,) = place.solve("sleeper", time_limit_s=0.5)
    assert record.outcome is SolveOutcome.TIMED_OUT
    assert record.cpu_s is not None
    assert 0 <= record.cpu_s < 1.0 < record.wall_s


def test_libraries_are_loaded_before_the_clock_starts(place: Place) -> None:
    """OR-Tools takes several times longer to import than this problem to solve."""
    (record,) = place.solve("cpsat[presolve=false]")
    assert record.status is Status.OPTIMAL
    assert record.backend_s is not None
    assert record.wall_s < record.backend_s + 0.25
    assert "ortools" in record.versions


def test_an_answer_is_believed_that_comes_while_the_memory_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the process can end between two lines of the one that watches it."""
    read = ProcessTree.resident_bytes

    def slowly(tree: ProcessTree) -> int:
        found = read(tree)
        psutil.wait_procs([p for p in psutil.Process().children() if "worker.py" in " ".join(p.cmdline())], timeout=60)
        return found

    monkeypatch.setattr(ProcessTree, "resident_bytes", slowly)
    (record,) = place.solve("plain")
    assert record.outcome is SolveOutcome.ANSWERED, record.reason
