"""Runs in processes of their own that are stopped at some moment, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import Outcome

from reds_core import cli
from reds_core.framework.finetuning import EpochProgress
from reds_core.progress import ConsoleWatcher

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SUPPORT = Path(__file__).parent
_LONGEST_S = 600.0
_BEGUN = Path(".checkpoint") / "run.json"

_PROGRAM = """
import os, sys
from reds_core import cli
from reds_core import progress
{preparation}
log, before = {log!r}, progress.ConsoleWatcher.epoch

def epoch(watcher, told):
    if told.batch == told.batches:
        with open(log, "a") as file:
            file.write(f"{{told.epochs}} {{told.epoch}}\\n")
    before(watcher, told)

progress.ConsoleWatcher.epoch = epoch
cli.main()
"""

TOY = """
import importlib.metadata, pathlib, time
import reds_core.runs.publishing
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule

class Slow(ToyFramework):
    def finetune(self, family, training):
        import dataclasses
        def progress(told):
            time.sleep(0.004)
            training.progress(told)
        super().finetune(family, dataclasses.replace(training, progress=progress))

    def export(self, *arguments, **named):
        time.sleep(0.02)
        super().export(*arguments, **named)

def write_report(plan, folder):
    time.sleep(0.05)
    (folder / "report.html").write_text("report")

importlib.metadata.entry_points = lambda group: [PluginModule("toy", (*FIRST_PARTY, Slow))]
reds_core.runs.publishing.write_report = write_report
"""
"""A preparation that makes a run use a slow toy framework."""


@dataclass(frozen=True)
class StoppableRun:
    """A `reds prune` in a process of its own, which logs the epochs that it has trained.

    Attributes:
        arguments: of the command, without --out.
        preparation: Python that is run first.
    """

    folder: Path
    arguments: tuple[str, ...]
    preparation: str = ""

    def start(self, out: Path, *more: str) -> subprocess.Popen[str]:
        program = _PROGRAM.format(preparation=self.preparation, log=str(self.log(out)))
        path = os.pathsep.join([str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-c", program, "prune", *self.arguments, "--out", str(out), *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            # a shell that runs the tests in the background has Ctrl-C ignored, which children inherit
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def here(self, out: Path, *more: str) -> int:
        """Run the same in this process, where libraries that take long to import are imported already.

        Returns:
            the exit status.
        """
        log, before = self.log(out), ConsoleWatcher.epoch

        def epoch(watcher: ConsoleWatcher, told: EpochProgress) -> None:
            if told.batch == told.batches:
                with log.open("a") as file:
                    file.write(f"{told.epochs} {told.epoch}\n")
            before(watcher, told)

        with contextlib.chdir(self.folder), pytest.MonkeyPatch.context() as patch:
            patch.setattr(ConsoleWatcher, "epoch", epoch)
            return cli.run(["prune", *self.arguments, "--out", str(out), *more])

    def log(self, out: Path) -> Path:
        return out.with_name(f"{out.name}.epochs")

    def trained(self, out: Path) -> int:
        """How many epochs were trained for `out` by all its processes together."""
        log = self.log(out)
        return len(log.read_text().splitlines()) if log.exists() else 0

    def straight(self, out: Path) -> float:
        """Run without a disturbance; seconds from the moment when the run is noted to its end."""
        running = self.start(out)
        begun = _begun(running, out)
        ended = finished(running)
        assert ended.status == 0, ended.err
        return time.monotonic() - begun

    def stopped(self, out: Path, number: int, after_s: float, *more: str) -> Outcome:
        """A run that is sent a signal some seconds after it was noted; it may have ended before."""
        running = self.start(out, *more)
        begun = _begun(running, out)
        while running.poll() is None and time.monotonic() < begun + after_s:
            time.sleep(0.005)
        running.send_signal(number)
        return finished(running)


def _begun(running: subprocess.Popen[str], out: Path) -> float:
    until = time.monotonic() + _LONGEST_S
    while running.poll() is None and not (out / _BEGUN).exists() and time.monotonic() < until:
        time.sleep(0.005)
    return time.monotonic()


def finished(running: subprocess.Popen[str]) -> Outcome:
    """How the process ended."""
    try:
        out, err = running.communicate(timeout=_LONGEST_S)
    finally:
        running.kill()
    return Outcome(running.returncode, out, err)


def check_end(outcome: Outcome, number: int, out: Path) -> None:
    """A run that was sent a signal ended by it, or was finished before it noticed, maybe about to leave Python."""
    if (out / "plan.json").exists() and outcome.status in (0, -number):
        return
    if number == signal.SIGKILL:
        assert outcome.status == -signal.SIGKILL, outcome.err
    else:
        outcome.check_error(130, "interrupted; add --resume")


def moments(count: int, whole_s: float, seed: int) -> list[tuple[int, float]]:
    """Signals by turns, each with seconds after which it is sent: one in each of equal parts of the run."""
    generator = random.Random(seed)
    return [(SIGNALS[i % 3], (i + generator.random()) * whole_s / count) for i in range(count)]
