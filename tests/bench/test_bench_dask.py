"""Solves on a Dask cluster: two workers, each a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_tools import Place, eventually

from reds_core.bench.history import read_history
from reds_core.bench.record import SolveOutcome
from reds_core.comparison import dask_cluster
from reds_core.errors import InputError

distributed = pytest.importorskip("distributed", reason="Dask is not installed")


@pytest.fixture
def cluster(place: Place) -> Iterator[object]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(place.folder)
    ) as running:
        yield running


@pytest.mark.slow
def test_two_workers_share_the_solves(place: Place, cluster: object) -> None:
    address = cluster.scheduler_address  # type: ignore[attr-defined]
    asked = {"backend": "dask", "scheduler": address, "time_limit_s": 1.0}
    records = place.solve("segfault", "sleeper", "over-budget", "dp", "plain", repeat=1, **asked)
    assert sorted((r.contender.label, r.outcome) for r in records) == sorted(
        {
            "segfault": SolveOutcome.CRASHED,
            "sleeper": SolveOutcome.TIMED_OUT,
            "over-budget": SolveOutcome.BROKE_CONTRACT,
            "dp": SolveOutcome.ANSWERED,
            "plain": SolveOutcome.ANSWERED,
        }.items()
    )
    assert {r.jobs for r in records} == {2}
    (run,) = read_history(place.out).runs
    assert (run.backend, run.jobs, run.done) == ("dask", 2, 5)
    assert any("share its cores" in warning for warning in run.warnings)
    # the sleeper holds one worker for 3 s; meanwhile the other did the rest
    ended = [r.contender.label for r in records]
    assert ended.index("over-budget") < ended.index("sleeper")
    # the problem travels by content: the cluster does not need the file
    Path(place.folder / "p.npz").rename(place.folder / "q.npz")
    again = place.solve("dp,plain,greedy", problems=(place.folder / "q.npz",), **asked)
    assert [r.contender.label for r in again[5:]] == ["greedy"]
    assert eventually(lambda: not [p for p in place.processes() if "reds_core/bench/worker.py" in p])


@pytest.mark.slow
def test_without_a_scheduler_a_cluster_on_this_machine_solves(place: Place) -> None:
    records = place.solve("plain", "greedy", backend="dask", jobs=2)
    assert {(r.contender.label, r.outcome, r.jobs) for r in records} == {
        ("plain", SolveOutcome.ANSWERED, 2),
        ("greedy", SolveOutcome.ANSWERED, 2),
    }
    assert [(r.backend, r.jobs, "distributed" in r.versions) for r in read_history(place.out).runs] == [
        ("dask", 2, True)
    ]


def test_a_scheduler_that_is_not_there_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECTION_S", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError, match=r"the Dask scheduler 'tcp://.*' does not answer"):
            place.solve("plain", backend="dask", scheduler=address)
    with pytest.raises(InputError, match="does not answer"):
        place.solve("plain", backend="dask", scheduler="no address")
