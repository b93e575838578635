"""What the machine refuses is told as that: one sentence, with what helps, and never as a bug of reds."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds, write_problem
from toy_plugins import BruteSolver, PluginModule
from toy_runs import Workplace

from reds_core.errors import InputError, NoSpaceError, RedsError
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer
from reds_core.knapsack.solver import Controls
from reds_core.system.files import absolute, temporary_folder, write_bytes, written_beside
from reds_core.system.machine_faults import is_out_of_space, machine_fault


def system_error(number: int, path: str | None = "some/path") -> OSError:
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


# --- which errors are the machine's ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(errno.errorcode))
@pytest.mark.parametrize("path", ["some/path", None])
def test_every_error_of_the_system_has_an_answer(number: int, path: str | None) -> None:
    fault = machine_fault(system_error(number, path))
    assert fault is not None
    assert (fault.exit_status, bool(fault.what), bool(fault.fix)) == (2, True, True)
    if path and number not in (errno.EMFILE, errno.ENFILE, errno.EAGAIN):
        assert "'some/path'" in fault.what


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), OSError("a text of no system"), RuntimeError("x"), TypeError("x")]
)
def test_other_errors_are_not(error: Exception) -> None:
    assert machine_fault(error) is None


def test_a_module_of_reds_that_does_not_import_is_a_bug() -> None:
    assert machine_fault(ModuleNotFoundError("No module named 'reds_core.x'", name="reds_core.x")) is None
    assert "library 'jax' cannot be imported" in str(machine_fault(ImportError("No module named 'jax'", name="jax")))


def test_a_full_disk_is_told_from_whatever_wraps_it() -> None:
    inner = system_error(errno.ENOSPC)
    outer = RuntimeError("HDF5 says something else")
    outer.__cause__ = inner
    assert is_out_of_space(outer)
    text = RuntimeError("write failed: file descriptor = 3, errno = 28, error message = 'No space left on device'")
    assert is_out_of_space(text)
    assert "(No space left on device)" in str(machine_fault(text))
    assert not is_out_of_space(ValueError("space"))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (system_error(errno.ENOSPC), r"'some/path' cannot be written \(No space left on device\); free some space"),
        (system_error(errno.ELOOP), "'some/path' is a loop of symbolic links; give another path"),
        (system_error(errno.ENAMETOOLONG), "'some/path' has a name that is too long; choose a shorter one"),
        (system_error(errno.EACCES), "permission denied"),
        (system_error(errno.EMFILE), "too many files are open at once; raise the limit"),
        (system_error(errno.EIO, None), r"the operating system reported an error .*\(Input/output error\)"),
        (ImportError("libcuda.so.1: cannot open shared object file"), "a library cannot be imported .libcuda"),
        (ModuleNotFoundError("No module named 'jax'", name="jax"), "library 'jax' cannot be imported"),
        (UnicodeEncodeError("ascii", "a\u0441b", 1, 2, "no"), "cannot be written as ascii"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "is not valid utf-8"),
        (MemoryError("Unable to allocate 20 GiB"), r"out of memory \(Unable to allocate 20 GiB\); use a smaller"),
        (RuntimeError("Symlink loop from 'x'"), "symlink loop from 'x'; give another path"),
    ],
)
def test_the_command_line_tells_them_with_status_2(
    reds: Reds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def broken(path: Path) -> Any:
        raise error

    monkeypatch.setattr("reds_core.knapsack.file.load_problem", broken)
    reds("solve", write_problem(tmp_path / "p.npz", 7)).check_error(2, why)


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (system_error(errno.ENOSPC), 2, "No space left on device"),
        (ImportError("libz.so: cannot open shared object file", name="ortools.sat"), 2, "library 'ortools' cannot be"),
        (FileNotFoundError(2, "No such file", "own"), 1, "report it to its author"),
        (KeyError("x"), 1, "report it to its author"),
    ],
)
def test_a_plugin_is_not_blamed_for_the_machine(
    reds: Reds, tmp_path: Path, error: Exception, status: int, why: str
) -> None:
    class Failing(BruteSolver):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            raise error

    reds.install(PluginModule("toy", (Failing,)))
    reds("solve", write_problem(tmp_path / "p.npz", 7)).check_error(status, why)


# --- files and temporary files ---------------------------------------------------------------------------------------


def failing_once_written(error: Exception) -> Callable[..., Any]:
    def write(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise error

    return write


@pytest.mark.parametrize(
    "error", [system_error(errno.ENOSPC), system_error(errno.EDQUOT, None), RuntimeError("errno = 28")]
)
def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(Path, "write_bytes", failing_once_written(error))
    with pytest.raises(NoSpaceError, match=r"x.npz' cannot be written \(.*\); free some space"):
        write_bytes(tmp_path / "x.npz", b"1234")
    assert list(tmp_path.iterdir()) == []


def test_other_errors_while_writing_pass(tmp_path: Path) -> None:
    with pytest.raises(KeyError), written_beside(tmp_path / "x"):
        raise KeyError
    with pytest.raises(InputError, match="choose a path that can be written"), written_beside(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "denied")


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    why = rf"the temporary folder '{tmp_path}' cannot be written \(No space left on device\); .*set TMPDIR"
    with pytest.raises(NoSpaceError, match=why), temporary_folder():
        raise system_error(errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []

    def full(*args: Any, **more: Any) -> Any:
        raise system_error(errno.ENOSPC)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(NoSpaceError, match=why), temporary_folder():
        pass


def test_a_temporary_folder_passes_errors_of_other_files(tmp_path: Path) -> None:
    with pytest.raises(KeyError), temporary_folder():
        raise KeyError
    with pytest.raises(NoSpaceError, match="'elsewhere'"), temporary_folder():
        raise NoSpaceError("'elsewhere' cannot be written", "free some space")


def test_a_loop_of_links_is_no_bug(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="cannot be followed"):
        absolute(loop)
    assert absolute(tmp_path / "new" / ".." / "other") == tmp_path.resolve() / "other"


@pytest.mark.parametrize("which", ["model", "out", "table", "data"])
@pytest.mark.parametrize("kind", ["loop", "long"])
def test_paths_that_no_system_takes(reds: Reds, place: Workplace, which: str, kind: str) -> None:
    bad = place.folder / ("loop" if kind == "loop" else "n" * 300)
    if kind == "loop":
        bad.symlink_to(bad)
    given = {"model": place.model, "out": place.out, "data": place.data, which: bad}
    table = ["--latency-table", bad] if which == "table" else []
    budget = ["--budget", "latency=0.5" if which == "table" else "macs=0.5"]
    before = {p.name for p in place.folder.iterdir()}
    outcome = reds("prune", given["model"], "--data", given["data"], "--out", given["out"], *budget, *table)
    outcome.check_error(2, "loop|symbolic links|does not exist" if kind == "loop" else "name")
    assert len(outcome.last_line) < 400
    assert {p.name for p in place.folder.iterdir()} == before


# --- a disk that is full somewhere in a run --------------------------------------------------------------------------


class FullAfter:
    """Lets a number of files be written, then none."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = count
        replace = os.replace

        def replacing(source: Any, target: Any) -> None:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(os, "replace", replacing)


def partial_files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if ".partial" in p.name]


def test_a_disk_that_fills_up_at_any_file_of_a_run(
    reds: Reds, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file, the run says so, leaves no half file, and ends as an undisturbed one where it is resumed."""
    arguments = ("prune", place.model, "--data", place.data, "--budget", "macs=0.75,0.5")
    undisturbed = place.folder / "undisturbed"
    assert reds(*arguments, "--out", undisturbed).status == 0
    wanted = sorted(p.name for p in undisturbed.iterdir())
    for count in (*range(12), *range(12, 400, 7)):
        out = place.folder / f"out-{count}"
        with monkeypatch.context() as patch:
            FullAfter(count, patch)
            outcome = reds(*arguments, "--out", out)
        if outcome.status == 0:
            assert count > 5
            break
        outcome.check_error(2, r"cannot be written \(No space left on device\); free some space")
        assert not partial_files(place.folder)
        has_steps = any(out.glob(".checkpoint/step-*"))
        assert has_steps == ("--resume" in outcome.last_line), outcome.last_line
        if not has_steps:
            assert not out.exists()
        assert reds(*arguments, "--out", out, "--resume").status == 0
        assert sorted(p.name for p in out.iterdir()) == wanted
    else:
        raise AssertionError("the run writes more files than were tried")


def test_an_error_that_is_not_reds_s_own_leaves_no_trace_of_a_new_run(
    reds: Reds, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **more: Any) -> Any:
        raise system_error(errno.EIO, None)

    monkeypatch.setattr("reds_core.runs.steps.load_checkpoint", refuse)
    reds("prune", place.model, "--data", place.data, "--budget", "macs=0.5", "--out", place.out).check_error(
        2, "Input/output error"
    )
    assert not place.out.exists()


def test_every_reds_error_of_the_machine_is_a_bad_input() -> None:
    assert issubclass(NoSpaceError, RedsError)
    assert NoSpaceError.exit_status == 2
