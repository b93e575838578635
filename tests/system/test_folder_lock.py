"""One writer at a time: who holds a folder is named, the dead hold nothing, and no lock stays behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pytest
from toy_framework import ToyFramework, residual_model
from toy_latency import timed_registry
from toy_plugins import toy_registry
from toy_runs import Interrupted, Tripwire, Workplace, contents, tripping_registry

from reds_core import BenchSettings, CompareSettings, Grid, run_bench, run_comparison
from reds_core.errors import InputError
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.folder import Mode
from reds_core.system.folder_lock import LOCK_FILE, locked_file, locked_folder
from reds_core.watcher import Watcher

HOLDING = """
import sys, time
from pathlib import Path
from reds_core.system.folder_lock import locked_folder
with locked_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a folder."""
    command = [sys.executable, "-c", HOLDING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    with holder(folder) as process:
        with pytest.raises(InputError) as caught, locked_folder(folder):
            pytest.fail("held twice")
        assert str(caught.value) == (
            f"a run (pid {process.pid}) is writing to '{folder}'; wait for it, or choose another out"
        )
        assert (folder / LOCK_FILE).exists()


def test_the_folder_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        assert (tmp_path / LOCK_FILE).exists()
        with locked_folder(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    with pytest.raises(Interrupted), locked_folder(tmp_path / "new"):
        raise Interrupted
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with locked_folder(tmp_path / "old"):
        (tmp_path / "old" / "result").touch()
    with locked_file(tmp_path / "table.json", "a measurement"):
        pass
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["old", "result"]


def test_threads_keep_each_other_out(tmp_path: Path) -> None:
    refused = []

    def work() -> None:
        try:
            with locked_folder(tmp_path):
                pass
        except InputError as error:
            refused.append(str(error))

    with locked_folder(tmp_path, "a comparison"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with pytest.raises(InputError), locked_folder(tmp_path):
            pass
    assert len(refused) == 1
    assert refused[0].startswith(f"a comparison (pid {os.getpid()}) is writing to ")
    work()
    assert len(refused) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_neither_frees_nor_prolongs_the_lock(tmp_path: Path) -> None:
    """A child that leaves the block of its parent takes nothing with it; one that outlives its parent holds nothing."""
    with locked_folder(tmp_path):
        child = os.fork()
        if child == 0:
            try:
                with locked_folder(tmp_path):
                    os._exit(2)
            except InputError:
                pass
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(InputError), locked_folder(tmp_path):
            pass
    program = HOLDING.replace("time.sleep(60)", "import os\n    if os.fork() == 0: sys.exit()\n    time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            time.sleep(1)  # the child leaves the block
            with pytest.raises(InputError, match=rf"pid {process.pid}\)"), locked_folder(tmp_path):
                pass
        finally:
            process.kill()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    program = HOLDING.replace("time.sleep(60)", "import os\n    if os.fork() == 0: print(os.getpid(), flush=True)\n"
                              "    time.sleep(60)")  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            with locked_folder(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 7}', "no number\n", "\0\0"])
def test_a_note_that_cannot_be_read_stands_in_nobody_s_way(tmp_path: Path, content: str) -> None:
    with locked_folder(tmp_path):
        (tmp_path / LOCK_FILE).write_text(content)
        with pytest.raises(InputError, match=f"^another command is writing to '{tmp_path}'"), locked_folder(tmp_path):
            pass
    (tmp_path / LOCK_FILE).write_text(content)
    with locked_folder(tmp_path):
        pass


def test_another_machine_is_named(tmp_path: Path) -> None:
    with locked_folder(tmp_path):
        (tmp_path / LOCK_FILE).write_text('{"pid": 12, "host": "far", "what": "a run"}')
        with pytest.raises(InputError, match=r"^a run \(pid 12 on far\) is writing"), locked_folder(tmp_path):
            pass


def test_where_the_file_system_has_no_locks_a_file_stands_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As network file systems answer; the file of a process that is gone is taken over there, too."""

    class Unlockable(filelock.FileLock):  # type: ignore[misc, valid-type]
        def acquire(self, *arguments: Any, **named: Any) -> Any:
            raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock, "FileLock", Unlockable)
    for _ in range(2):
        with locked_folder(tmp_path):
            refused = pytest.raises(InputError, match=rf"^a command \(pid {os.getpid()}\) is writing")
            with refused, locked_folder(tmp_path):
                pytest.fail("held twice")
        assert list(tmp_path.iterdir()) == []
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with locked_folder(tmp_path):
        mark = (tmp_path / LOCK_FILE).read_bytes()
    (tmp_path / LOCK_FILE).write_text(f"{gone.pid}\n{socket.gethostname()}\n")
    assert mark.startswith(str(os.getpid()).encode())
    with locked_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"), locked_folder(tmp_path / "file" / "out"):
        pass


# --- every command that writes a folder -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("state", ["empty", "unfinished", "finished"])
def test_a_run_is_refused_before_anything_is_read_and_harms_nothing(place: Workplace, mode: Mode, state: str) -> None:
    if state == "finished":
        place.prune()
    elif state == "unfinished":
        with pytest.raises(Interrupted):
            place.prune(registry=tripping_registry(Tripwire(20)))
    with holder(place.out) as process:
        before = contents(place.out)
        for wrong in ({}, {"model": place.folder / "misspelt.keras"}, {"budgets": {"macs": 1e-9}}):
            wire = Tripwire()
            with pytest.raises(InputError, match=rf"^a run \(pid {process.pid}\) is writing to "):
                place.prune(mode=mode, registry=tripping_registry(wire), **wrong)
            assert wire.calls == 0
        assert contents(place.out) == before


def test_of_two_runs_at_once_one_is_refused(place: Workplace) -> None:
    """The second starts in the middle of the first, which ends as if nothing had been."""
    place.prune(out=place.folder / "whole")
    refusals = []

    class Meanwhile(Watcher):
        def epoch(self, progress: Any) -> None:
            for mode in Mode:
                with pytest.raises(InputError, match="is writing to") as caught:
                    place.prune(mode=mode, budgets={"macs": 0.3})
                refusals.append(caught.value)
            with pytest.raises(InputError, match="is writing to"):
                extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), Watcher())

    place.prune(watcher=Meanwhile())
    assert refusals
    assert contents(place.out) == contents(place.folder / "whole")


def test_an_extraction_keeps_others_out_and_needs_a_run(place: Workplace) -> None:
    place.prune()
    refused = []

    class Meanwhile(Watcher):
        def stage(self, text: str) -> None:
            with pytest.raises(InputError, match=r"^an extraction .* is writing to") as caught:
                place.prune(mode=Mode.OVERWRITE)
            refused.append(caught.value)

    extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), Meanwhile())
    assert refused
    with pytest.raises(InputError, match="holds no finished run"):
        extract(place.folder / "nothing", ExtractionRequest(("macs=0.4",)), toy_registry(), Watcher())
    assert not (place.folder / "nothing").exists()


def test_a_measurement_keeps_others_out_of_its_table(place: Workplace) -> None:
    from reds_core.runs.latency import measure_latency

    table = place.folder / "table.json"
    refused = pytest.raises(InputError, match=rf"^a measurement \(pid {os.getpid()}\) is writing to '{table}'")
    with locked_file(table, "a measurement"), refused:
        measure_latency(place.model, table, registry=timed_registry())
    assert not list(place.folder.glob(".*.lock"))


def test_a_model_is_loaded_from_the_folder_of_a_run_that_goes_on(place: Workplace) -> None:
    """Only writers are kept out."""
    place.prune()
    with holder(place.out):
        assert ToyFramework().load_model(place.out / "nested.keras").layers == residual_model().layers


@pytest.mark.parametrize(
    "compare",
    [
        lambda out: run_bench(BenchSettings(problems=(Path("missing.npz"),)), out),
        lambda out: run_comparison(CompareSettings(Grid((Path("missing.yaml"),))), out),
    ],
    ids=["bench", "compare"],
)
def test_comparisons_keep_each_other_out(tmp_path: Path, compare: Callable[[Path], object]) -> None:
    """The refused one is refused before it reads its problems or recipes, and one that fails leaves no folder."""
    refused = pytest.raises(InputError, match=rf"^a comparison \(pid {os.getpid()}\) is writing to .*; wait for it, or")
    with locked_folder(tmp_path / "out", "a comparison"), refused:
        compare(tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        compare(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
