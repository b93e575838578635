"""Runs one solve in a separate process and watches its time, its memory and how it ends."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reds_core.bench.process_tree import ProcessTree
from reds_core.bench.record import SolveOutcome
from reds_core.bench.task import ANSWERED, READY, WARM, Reply, SolveLimits, SolveResult, SolveTask
from reds_core.comparison.worker_pool import THREAD_VARIABLES
from reds_core.system.isolation import Isolated, isolated
from reds_core.system.libraries import library_versions
from reds_core.system.machine import load_average, this_machine, utc_now
from reds_core.system.records import from_plain, parse_json

WORKER = Path(__file__).with_name("worker.py")

GRACE_S = 2.0
GRACE_SHARE = 0.1
"""A process is killed `GRACE_S + GRACE_SHARE * time limit` seconds after its time limit."""

MEMORY_SHARE = 0.75
"""Share of the memory limit that is passed to the solver; the rest is for Python, libraries and the problem."""

PREPARATION_S = 120.0
"""Seconds that starting Python, importing plugins and reading the problem may take."""

LEAST_WAIT_S, MOST_WAIT_S = 0.01, 0.2
"""Shortest and longest interval in seconds between two looks at a process; it grows with the time of the solve."""

COMPLAINT_LINES = 20
COMPLAINT_CHARACTERS = 300


def grace_s(time_limit_s: float) -> float:
    """Seconds after the time limit at which a solve is killed."""
    return GRACE_S + GRACE_SHARE * time_limit_s


def supervise(task: SolveTask, libraries: tuple[str, ...]) -> SolveResult:
    """Run `task` in a separate process, which has ended with all its children when this function returns.

    Args:
        task: the solve.
        libraries: import names of the solver's libraries, whose versions the result reports.
    """
    started_at, load = utc_now("milliseconds"), load_average()
    with isolated(WORKER, _request(task), _environment(task.limits)) as running:
        tree = ProcessTree(running.process.pid)
        try:
            reply = _watch(running, tree, task.limits)
            is_failure = reply.answer is None and reply.outcome in (SolveOutcome.CRASHED, SolveOutcome.RAISED)
            complaint = running.complaint(COMPLAINT_LINES) if is_failure else ()
        finally:
            tree.end_children()
    detail = tuple(line[:COMPLAINT_CHARACTERS] for line in complaint)
    return SolveResult(reply, started_at, this_machine(), library_versions(libraries), detail, load)


def _request(task: SolveTask) -> dict[str, npt.ArrayLike]:
    limits = task.limits
    held = limits.memory_limit_bytes
    told = None if held is None else max(int(MEMORY_SHARE * held), 1)
    return {
        "problem": np.frombuffer(task.problem, np.uint8),
        "solver": task.solver,
        "version": task.version,
        "settings": json.dumps(dict(task.settings)),
        "controls": json.dumps(asdict(limits.controls(told))),
    }


def _environment(limits: SolveLimits) -> dict[str, str]:
    """Environment variables that limit the number of threads of linear algebra libraries."""
    if limits.threads is None:
        return {}
    return dict.fromkeys(THREAD_VARIABLES, str(limits.threads))


def _watch(running: Isolated, tree: ProcessTree, limits: SolveLimits) -> Reply:
    """Wait for the reply or the end of the process, or until it exceeds a limit."""
    started = time.monotonic()
    peak, begun_s = 0, None
    while True:
        now = time.monotonic()
        peak = max(peak, tree.resident_bytes())
        if begun_s is None and WARM in running.marks():
            begun_s = tree.processor_s()
        if running.has_replied:
            return _with_peak(_reply_of(running, started), peak)
        if running.process.poll() is not None:
            # it may have replied after the check above
            return _with_peak(_reply_of(running, started) if running.has_replied else _crash(running), peak)
        ending = _reason_to_end(running.marks(), started, now, peak, limits)
        if ending is not None:
            outcome, reason = ending
            cpu_s = 0.0 if begun_s is None else tree.processor_s() - begun_s
            return Reply(outcome, reason, None, _spent_s(running, now), peak, cpu_s)
        wait_s = min(max((now - started) / 20, LEAST_WAIT_S), MOST_WAIT_S)
        try:
            running.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue


def _reason_to_end(
    marks: dict[str, float], started: float, now: float, memory_bytes: int, limits: SolveLimits
) -> tuple[SolveOutcome, str] | None:
    if limits.memory_limit_bytes is not None and memory_bytes > limits.memory_limit_bytes:
        held, limit = memory_bytes / 2**20, limits.memory_limit_bytes / 2**20
        return SolveOutcome.OUT_OF_MEMORY, f"held {held:,.0f} MiB, above the limit of {limit:,.0f} MiB, and was ended"
    if READY not in marks:
        if now - started > PREPARATION_S:
            return SolveOutcome.TIMED_OUT, f"was not ready to solve after {PREPARATION_S:g} s and was ended"
        return None
    # the time limit applies to the warm-up solve and to the timed solve separately
    begun = max(marks.values())
    if now - begun <= limits.time_limit_s + grace_s(limits.time_limit_s):
        return None
    what = "did not answer" if WARM in marks else "did not answer a first problem of three groups"
    return (
        SolveOutcome.TIMED_OUT,
        f"{what} within {now - begun:.1f} s at a limit of {limits.time_limit_s:g} s, and was ended",
    )


def _spent_s(running: Isolated, now: float) -> float:
    """Seconds since the solve began, up to its answer or to `now`; 0 if it had not begun."""
    marks = running.marks()
    begun = marks.get(WARM, marks.get(READY, now))
    return max(min(marks.get(ANSWERED, now), now) - begun, 0.0)


def _reply_of(running: Isolated, started: float) -> Reply:
    """Parse the reply and check its form and its time; the answer itself is verified by `verification`."""
    elapsed_s = time.monotonic() - started  # read after the reply, which may have come since any earlier reading
    try:
        arrays = running.reply() or {}
        reply: Reply = from_plain(Reply, parse_json(str(arrays["reply"])))
        if (reply.answer is not None) != (reply.outcome is SolveOutcome.ANSWERED):
            raise ValueError("an answer without its outcome, or an outcome without its answer")
        if not 0 <= reply.wall_s <= elapsed_s:
            raise ValueError(f"a solve of {reply.wall_s} s in a process of {elapsed_s:.3f} s")
        if reply.cpu_s is not None and not 0 <= reply.cpu_s < math.inf:
            raise ValueError(f"a solve of {reply.cpu_s} processor seconds")
    except Exception as error:  # the file was written by another process and may hold anything
        reason = f"its process gave a malformed reply ({type(error).__name__}: {error})"
        return Reply(SolveOutcome.BROKE_CONTRACT, reason, None, elapsed_s, None)
    return reply


def _crash(running: Isolated) -> Reply:
    status = running.process.returncode
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        hint = ", as the system does where memory runs out" if name == "SIGKILL" else ""
        reason = f"its process was ended by {name}{hint}"
    else:
        reason = f"its process ended with status {status} and no answer"
    return Reply(SolveOutcome.CRASHED, reason, None, _spent_s(running, time.monotonic()), None)


def _with_peak(reply: Reply, seen_bytes: int) -> Reply:
    """Set the peak memory to the larger of the reported and the observed peak; the latter covers all processes."""
    return replace(reply, peak_memory_bytes=max(seen_bytes, reply.peak_memory_bytes or 0) or None)
