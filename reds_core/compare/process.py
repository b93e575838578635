"""Runs one pruning run in a separate process, so that leaks, crashes and library state do not affect other runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reds_core.compare.record import RunOutcome
from reds_core.comparison.dask_cluster import is_abandoned
from reds_core.comparison.worker_pool import THREAD_VARIABLES
from reds_core.system.isolation import Isolated, isolated

WORKER = Path(__file__).with_name("worker.py")
INTERRUPTED = "interrupted"
_LOOK_EVERY_S = 0.5
_COMPLAINT_CHARACTERS = 500


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Attributes:
        recipe: recipe file of the run.
        folder: run folder, as with `reds prune --out`.
        log: log file with one line for each stage.
        audit: folder of the audit of the run; None if it is not audited.
    """

    recipe: Path
    folder: Path
    log: Path
    audit: Path | None = None


@dataclass(frozen=True)
class RunEnd:
    """How the process of a run ended.

    Attributes:
        outcome: how the run ended.
        reason: why, in a sentence; empty if the run finished.
        audit_failure: why the run, which finished, could not be audited; empty if it was, or was not to be.
    """

    outcome: RunOutcome
    reason: str
    audit_failure: str = ""


Perform = Callable[[RunPaths, Callable[[str], None]], RunEnd]
"""A function that performs a run, calling its second argument with each stage; KeyboardInterrupt if interrupted."""


def thread_environment() -> dict[str, str | None]:
    """The variables that limit the threads of linear algebra libraries in this process; None if not set.

    Passing them on makes the results of a run independent of the back end that starts it.
    """
    return {name: os.environ.get(name) for name in THREAD_VARIABLES}


def perform_in_process(
    paths: RunPaths, told: Callable[[str], None], environment: Mapping[str, str | None] | None = None
) -> RunEnd:
    """Start or resume a run in a child process.

    After Ctrl-C the child finishes and saves the current epoch or step; a second Ctrl-C ends it at once. If this
    process is killed, the child exits as well. On a Dask worker, the child is ended at once if the comparison is
    stopped or killed.

    Args:
        paths: files of the run.
        told: called with each new stage of the run.
        environment: environment variables of the child that differ from those of this process; None removes one.

    Returns:
        How the run ended.

    Raises:
        KeyboardInterrupt: once the child has ended.
    """
    request = {"recipe": str(paths.recipe), "folder": str(paths.folder), "log": str(paths.log)}
    if paths.audit is not None:
        request["audit"] = str(paths.audit)
    with isolated(WORKER, request, environment) as running:
        try:
            if not _wait(running, paths.log, told):
                return RunEnd(RunOutcome.CRASHED, "its comparison was stopped")
        except KeyboardInterrupt:
            told("interrupted: the running epoch or step is finished and saved; Ctrl-C again ends it at once")
            _interrupt(running)
            _wait(running, paths.log, told)
            raise
        return _ending(running)


def _wait(running: Isolated, log: Path, told: Callable[[str], None]) -> bool:
    """Wait for the end of the child; False if it still runs, but nobody waits for its result."""
    last = ""
    while True:
        try:
            running.process.wait(_LOOK_EVERY_S)
            return True
        except subprocess.TimeoutExpired:
            if is_abandoned():
                return False
            stage = last_stage(log)
            if stage != last:
                last = stage
                told(stage)


def last_stage(log: Path) -> str:
    """The latest stage in the log of a run; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1000, 0))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return lines[-2].partition(" ")[2] if len(lines) > 1 else ""


def _interrupt(running: Isolated) -> None:
    """Pass Ctrl-C on to the child, which is in another session and does not receive it from the terminal."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)


def _ending(running: Isolated) -> RunEnd:
    reply = running.reply()
    if reply is not None:
        if str(reply["outcome"]) == INTERRUPTED:
            raise KeyboardInterrupt
        return RunEnd(RunOutcome(str(reply["outcome"])), str(reply["reason"]), str(reply.get("audit_failure", "")))
    status = running.process.returncode
    how = f"with status {status} and no answer"
    if status < 0:
        how = f"by {signal.Signals(-status).name}" if -status in set(signal.Signals) else f"by signal {-status}"
    complaint = " ".join(running.complaint())[:_COMPLAINT_CHARACTERS]
    return RunEnd(RunOutcome.CRASHED, f"its process ended {how}" + (f": {complaint}" if complaint else ""))
