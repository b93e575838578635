"""Workers answer, fail in words, and leave neither processes nor files, whichever side ends first."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reds_core.system.isolation import run_isolated
from reds_core.system.output import silenced_output

posix = pytest.mark.skipif(os.name != "posix", reason="looks at /proc and process groups")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def script(folder: Path, body: str) -> Path:
    path = folder / "worker.py"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    path.write_text(
        "import os, subprocess, sys, time\nfrom pathlib import Path\nfrom reds_core.system.isolation import serve\n"
        f"def answer(request):\n{lines}\nserve(answer)\n"
    )
    return path


def left(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith("reds-")]


def gone(pid: int) -> bool:
    try:
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_reply_comes_back_and_nothing_stays(scratch: Path, capfd: pytest.CaptureFixture[str]) -> None:
    worker = script(scratch, "print('noise')\nreturn {'double': 2 * request['x'], 'text': 'ä'}")
    reply = run_isolated(worker, {"x": np.arange(3)}, None)
    assert reply is not None
    assert reply["double"].tolist() == [0, 2, 4]
    assert str(reply["text"]) == "ä"
    assert capfd.readouterr() == ("", "")
    assert left(scratch) == []


def test_a_failure_is_told_in_its_own_words(scratch: Path) -> None:
    with pytest.raises(RuntimeError, match="ValueError: no such thing"):
        run_isolated(script(scratch, "raise ValueError('no such thing')"), {}, None)
    assert left(scratch) == []


@pytest.mark.parametrize("body", ["raise MemoryError", "import numpy\nnumpy.empty(2**62, 'u1')"])
def test_a_worker_without_memory_is_told_from_one_that_fails(scratch: Path, body: str) -> None:
    with pytest.raises(MemoryError):
        run_isolated(script(scratch, body), {}, None)


@posix
def test_a_late_worker_ends_with_its_children(scratch: Path) -> None:
    pids = scratch / "pids"
    worker = script(
        scratch,
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)",
    )
    started = time.monotonic()
    assert run_isolated(worker, {}, time.monotonic() + 2.0) is None
    assert time.monotonic() - started < 6.0
    assert all(eventually(lambda pid=pid: gone(int(pid))) for pid in pids.read_text().split())  # type: ignore[misc]
    assert left(scratch) == []


@posix
def test_a_worker_does_not_outlive_its_caller(scratch: Path) -> None:
    pids = scratch / "pids"
    worker = script(
        scratch,
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)",
    )
    code = (
        "import tempfile; from pathlib import Path; from reds_core.system.isolation import run_isolated\n"
        f"tempfile.tempdir = {str(scratch)!r}\nrun_isolated(Path({str(worker)!r}), {{}}, None)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    finally:
        caller.kill()
        caller.wait()
    assert all(eventually(lambda pid=pid: gone(int(pid))) for pid in pids.read_text().split())  # type: ignore[misc]
    assert eventually(lambda: left(scratch) == [])


@posix
def test_a_worker_whose_folder_is_gone_does_not_outlive_its_caller(scratch: Path) -> None:
    """As that of a worker that another worker started, whose folder held it."""
    pids = scratch / "pids"
    worker = script(
        scratch,
        f"import shutil\nshutil.rmtree(os.getcwd())\nPath({str(pids)!r}).write_text(str(os.getpid()))\ntime.sleep(600)",
    )
    code = (
        "import tempfile; from pathlib import Path; from reds_core.system.isolation import run_isolated\n"
        f"tempfile.tempdir = {str(scratch)!r}\nrun_isolated(Path({str(worker)!r}), {{}}, None)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert eventually(lambda: pids.exists() and pids.read_text() != "", 30.0)
    finally:
        caller.kill()
        caller.wait()
    assert eventually(lambda: gone(int(pids.read_text())))


@posix
def test_muted_output_stays_out_and_later_output_comes_through() -> None:
    code = (
        "import ctypes, os; from reds_core.system.output import silenced_output\n"
        "libc = ctypes.CDLL(None)\n"
        "print('before')\n"
        "with silenced_output(stderr=False):\n"
        "    libc.printf(b'hidden\\n'); os.write(1, b'hidden too\\n')\n"
        "print('after')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nafter\n"


@posix
def test_muting_works_without_standard_output() -> None:
    code = "import os; os.close(1)\nfrom reds_core.system.output import silenced_output\n"
    code += "with silenced_output(stderr=False): pass"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode in (0, 120)
    with silenced_output(stderr=False):
        pass
