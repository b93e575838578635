"""`reds compare` as a command on toy models, with pruners that crash, or wait until the test lets them continue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Outcome
from compare_tools import ComparePlace, make_compare_place

SUPPORT = Path(__file__).parent
PLUGIN = """
import ctypes, os, time
from pathlib import Path
import toy_framework
from reds_core import hookimpl
from reds_pruners import NestedPruner

class Framework(toy_framework.ToyFramework):
    name = "a-toy"  # before all others, so that it reads model files
    targets = ()

class Crashing(NestedPruner):
    name = "crashing"
    def take(self, step, state, tools):
        ctypes.string_at(0)

class Waiting(NestedPruner):
    name = "waiting"
    def take(self, step, state, tools):
        gate = Path(os.environ["REDS_TEST_GATE"])
        if step.name != self.steps(tools.network, (), 0)[0].name and not gate.exists():
            with gate.with_suffix(".waits").open("a") as waits:
                waits.write(f"{os.getpid()}\\n")
            while not gate.exists():
                time.sleep(0.02)
        return super().take(step, state, tools)

@hookimpl
def reds_frameworks():
    return [Framework]

@hookimpl
def reds_pruners():
    return [Crashing, Waiting]
"""


def make_command_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparePlace:
    """A place whose child processes find the toy framework and two pruners that misbehave.

    The pruner `waiting` waits in its second step until the file `gate` exists, and writes its process ID to
    `gate.waits`.
    """
    site = tmp_path / "site"
    info = site / "odd_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "odd_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[reds]\nodd = odd_plugin\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(SUPPORT))))
    monkeypatch.setenv("REDS_TEST_GATE", str(tmp_path / "gate"))
    return make_compare_place(tmp_path)


def waiting_processes(place: ComparePlace) -> list[int]:
    """The process IDs of the runs that have waited so far."""
    waits = place.folder / "gate.waits"
    return [int(line) for line in waits.read_text().split()] if waits.exists() else []


def start_compare(place: ComparePlace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reds_core", "compare", str(place.recipe), *arguments, "--out", str(place.out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(running: subprocess.Popen[str]) -> Outcome:
    out, err = running.communicate(timeout=300)
    return Outcome(running.returncode, out, err)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
