"""Runs performed side by side, on this machine and on a Dask cluster of two workers: equal results, kills, resuming."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
from bench_tools import eventually
from command_line import Reds
from compare_commands import finish, is_alive, make_command_place, start_compare, waiting_processes
from compare_tools import ComparePlace, Performer, result
from slow_cases import slow_except
from toy_runs import contents, skip_report

from reds_core.compare.grid import Grid
from reds_core.compare.process import RunPaths, thread_environment
from reds_core.compare.reader import read_results, results_frame
from reds_core.compare.record import ResultRecord, RunOutcome
from reds_core.compare.report.findings import comparison_warnings
from reds_core.compare.report.results import compare_runs
from reds_core.compare.runner import CompareSettings
from reds_core.compare.task import RunTask, ignore_stage, perform_task
from reds_core.comparison import dask_cluster
from reds_core.comparison.worker_pool import open_pool
from reds_core.errors import InputError, RedsError
from reds_core.plan import load_plan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

LOCAL, OWN_CLUSTER, CLUSTER = "local", "own cluster", "cluster"
dask = pytest.param(CLUSTER, id="cluster")
own = pytest.param(OWN_CLUSTER, marks=pytest.mark.slow, id="own-cluster")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparePlace:
    return make_command_place(tmp_path, monkeypatch)


@contextmanager
def local_cluster(folder: Path) -> Iterator[str]:
    """A cluster of two workers, each a process; its address."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(folder)
    ) as running:
        yield running.scheduler_address


@contextmanager
def options(where: str, place: ComparePlace) -> Iterator[tuple[str, ...]]:
    """The options that perform two runs at a time, on a cluster that lasts for the block."""
    if where == LOCAL:
        yield ("--jobs", "2")
        return
    pytest.importorskip("distributed", reason="Dask is not installed")
    if where == OWN_CLUSTER:
        yield ("--jobs", "2", "--backend", "dask")
        return
    with local_cluster(place.folder / "dask") as address:
        yield ("--backend", "dask", "--scheduler", address)


def without_clocks(record: ResultRecord) -> ResultRecord:
    """The record without its times, and without the number of simultaneous runs, which explains them."""
    return replace(record, search_s=None, finetune_s=None, wall_s=None, started_at="", jobs=0)


def sorted_results(place: ComparePlace) -> list[ResultRecord]:
    return sorted(map(without_clocks, read_results(place.out)), key=lambda r: (r.name, repr(r.subnetwork)))


def run_contents(place: ComparePlace) -> dict[str, dict[str, bytes]]:
    return {plan.parent.name: contents(plan.parent) for plan in place.out.glob("runs/*/plan.json")}


@pytest.mark.parametrize("where", [LOCAL, own, pytest.param(CLUSTER, marks=pytest.mark.slow, id="cluster")])
def test_runs_side_by_side_give_the_same_records_and_files_as_one_after_the_other(
    place: ComparePlace, where: str
) -> None:
    asked = ("--pruners", "nested,uniform,crashing")
    done = finish(start_compare(place, *asked))
    assert done.status == 0, done.err
    assert {r.jobs for r in read_results(place.out)} == {1}
    expected, files = sorted_results(place), run_contents(place)
    place.out.rename(place.folder / "first")
    with options(where, place) as more:
        done = finish(start_compare(place, *asked, *more))
    assert done.status == 0, done.err
    assert "their times with care" in done.err
    assert sorted_results(place) == expected
    assert Counter(r.outcome for r in expected) == {RunOutcome.FINISHED: 4, RunOutcome.CRASHED: 1}
    assert {r.jobs for r in read_results(place.out)} == {2}
    assert run_contents(place) == files
    assert "Up to 2 runs were performed at the same time" in (place.out / "report.html").read_text()


def wait_for(place: ComparePlace, running: Any, waiting: int, lines: int) -> list[int]:
    """Wait until so many runs wait and so many lines are recorded; the process IDs of the waiting runs."""

    def is_there() -> bool:
        path = place.out / "records.jsonl"
        written = path.read_bytes().count(b"\n") if path.exists() else 0
        return len(waiting_processes(place)) >= waiting and written >= lines

    assert eventually(lambda: is_there() or running.poll() is not None, 120)
    assert running.poll() is None, running.communicate()[1]
    return waiting_processes(place)


@pytest.mark.parametrize(
    ("where", "number"),
    slow_except(
        [(LOCAL, signal.SIGKILL)],
        product((LOCAL, OWN_CLUSTER, CLUSTER), (signal.SIGKILL, signal.SIGINT)),
        lambda case: f"{case[0]}-{case[1].name}",
    ),
)
def test_a_stopped_comparison_resumes(place: ComparePlace, where: str, number: signal.Signals) -> None:
    asked = ("--pruners", "nested,waiting", "--seeds", "4,5")
    with options(where, place) as more:
        running = start_compare(place, *asked, *more)
        children = wait_for(place, running, 2, 4)
        before = (place.out / "records.jsonl").read_bytes()
        if number == signal.SIGKILL:
            running.kill()
            assert finish(running).status == -signal.SIGKILL
        else:
            os.killpg(running.pid, number)  # a terminal interrupts all processes of the command
            stopped = finish(running)
            stopped.check_error(130, "interrupted after 2 of 4 runs; run the same command again to resume")
            assert "Traceback" not in stopped.err
        (place.folder / "gate").touch()
        # at once, while processes of the runs may still be ending
        again = finish(start_compare(place, *asked, *more))
        assert not any(map(is_alive, children))
        assert again.status == 0, again.err
        assert "2 of 4 runs are done already" in again.err
    assert (place.out / "records.jsonl").read_bytes().startswith(before)
    records = read_results(place.out)
    assert Counter(r.outcome for r in records) == {RunOutcome.FINISHED: 8}
    for record in records:
        assert (record.wall_s is None) == (record.run.pruner == "waiting"), "resumed runs have no time of the whole"
        twin = record.name.replace("waiting", "nested")
        undisturbed = load_plan(place.out / "runs" / twin).subnetworks
        assert record.subnetwork is not None
        (expected,) = (s for s in undisturbed if s.name == record.subnetwork.name)
        assert (record.subnetwork.widths, record.subnetwork.accuracy) == (expected.widths, expected.accuracy)


def test_another_worker_resumes_the_run_of_a_killed_worker(place: ComparePlace) -> None:
    with options(CLUSTER, place) as more:
        running = start_compare(place, "--pruners", "nested,waiting", "--seeds", "4", *more)
        (child,) = wait_for(place, running, 1, 2)
        (place.folder / "gate").touch()
        os.kill(psutil.Process(child).ppid(), signal.SIGKILL)
        done = finish(running)
    assert done.status == 0, done.err
    records = read_results(place.out)
    assert Counter((r.run.pruner, r.outcome) for r in records) == {
        ("nested", RunOutcome.FINISHED): 2,
        ("waiting", RunOutcome.FINISHED): 2,
    }
    assert eventually(lambda: not is_alive(child))


@pytest.mark.slow
def test_a_lost_process_of_this_machine_ends_the_comparison_with_one_sentence(place: ComparePlace) -> None:
    asked = ("--pruners", "nested,waiting", "--seeds", "4", "--jobs", "2")
    running = start_compare(place, *asked)
    (child,) = wait_for(place, running, 1, 2)
    os.kill(psutil.Process(child).ppid(), signal.SIGKILL)
    finish(running).check_error(2, r"a process that watches the runs was lost .*run the same command again to resume")
    (place.folder / "gate").touch()
    assert finish(start_compare(place, *asked)).status == 0
    assert {r.outcome for r in read_results(place.out)} == {RunOutcome.FINISHED}


def test_a_job_that_kills_every_worker_is_an_error_and_no_wait_for_ever(tmp_path: Path) -> None:
    config = pytest.importorskip("dask", reason="Dask is not installed").config
    with (
        config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(tmp_path) as address,
        open_pool("dask", None, address, "run") as pool,
        pytest.raises(RedsError, match="a process that watches the runs was lost"),
    ):
        list(pool.run([partial(os._exit, 1)]))


ADDRESSES = [
    "no address",
    "pigeon://coop:1",
    "127.0.0.1:99999",
    "127.0.0.1:port",
    "nowhere.invalid:8786",
    "tls://x:1",
]


@pytest.mark.parametrize("address", [*ADDRESSES, "unused", "mute"])
@pytest.mark.parametrize("command", ["compare", "bench"])
def test_bad_addresses_are_refused_in_one_sentence_and_soon(
    place: ComparePlace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    address: str,
) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(dask_cluster, "CONNECTION_S", 1)
    arguments = (place.recipe,) if command == "compare" else ("--suite", "tiny", "--solvers", "brute")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if address in ("unused", "mute"):
            if address == "mute":
                listener.listen()
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        outcome = Reds(capsys, monkeypatch)(
            command, *arguments, "--backend", "dask", "--scheduler", address, "--out", place.out
        )
    outcome.check_error(2, re.escape(f"the Dask scheduler '{address}' does not answer ("))
    assert time.monotonic() - started < 20
    assert not place.out.exists() or not (place.out / "records.jsonl").exists()


def test_an_empty_address_starts_no_cluster() -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(InputError, match=r"does not answer \(the address is empty\)"), open_pool("dask", 1, " ", "run"):
        pass


def test_a_missing_dask_is_reported_with_what_to_install(
    place: ComparePlace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    for more in ((), ("--scheduler", "127.0.0.1:8786")):
        outcome = Reds(capsys, monkeypatch)("compare", place.recipe, "--backend", "dask", *more, "--out", place.out)
        outcome.check_error(2, re.escape("Dask is not installed; pip install 'reds-core[bench]'"))


def test_bad_settings_are_refused(
    place: ComparePlace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reds = Reds(capsys, monkeypatch)
    compare = ("compare", place.recipe, "--out", place.out)
    reds(*compare, "--backend", "slurm").check_error(2, "unknown back end 'slurm'; give one of: loky, dask")
    reds(*compare, "--scheduler", "a:1").check_error(2, "a scheduler is for Dask")
    with pytest.raises(InputError, match="jobs 0 is below 1"):
        CompareSettings(Grid((place.recipe,)), jobs=0)


def test_a_run_whose_folder_is_not_visible_starts_from_the_text_of_its_recipe(
    place: ComparePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    text = place.recipe.read_text().replace("model.keras", str(place.folder / "model.keras"))
    text = text.replace("data.npz", str(place.folder / "data.npz"))
    there = place.folder / "of the worker" / "runs"
    paths = RunPaths(there / "toy.yaml", there / "toy", there / "toy.log")
    first = perform_task(RunTask(paths, text), Performer(), ignore_stage)
    assert first.end.outcome is RunOutcome.FINISHED
    assert first.plan == load_plan(paths.folder)
    assert first.wall_s is not None
    assert perform_task(RunTask(paths, text), Performer(), ignore_stage).wall_s is None


def test_runs_have_the_same_number_of_threads_whatever_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    environment = thread_environment()
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("3", None)


def test_the_report_warns_of_times_of_simultaneous_runs() -> None:
    alone, beside = compare_runs([result()]), compare_runs([result(), result(seed=1, jobs=3)])
    assert comparison_warnings(alone) == ()
    (warning,) = comparison_warnings(beside)
    assert warning.startswith("Up to 3 runs were performed at the same time and may have shared cores")


def test_records_without_the_number_of_simultaneous_runs_count_as_runs_alone(place: ComparePlace) -> None:
    place.run()
    path = place.out / "records.jsonl"
    path.write_text(re.sub(r', "jobs": 1', "", path.read_text()))
    assert '"jobs"' not in path.read_text()
    assert results_frame(place.out).jobs.tolist() == [1, 1]
