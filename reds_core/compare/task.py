"""One run of a comparison as a job that can be sent to another process or machine, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from reds_core.audit.result import Audit
from reds_core.compare.auditing import audit_of
from reds_core.compare.process import Perform, RunEnd, RunPaths
from reds_core.compare.record import RunOutcome
from reds_core.errors import InputError
from reds_core.plan import PLAN_FILE, Plan, load_plan
from reds_core.system.files import make_folder, write_text
from reds_core.system.folder_lock import wait_for_release
from reds_core.system.machine import Machine, this_machine, utc_now

RELEASE_S = 60.0
"""Seconds that an earlier process of the same run, whose comparison was stopped, is given to end."""


@dataclass(frozen=True)
class RunTask:
    """One run. It carries the text of the recipe, so that it can run where the folder is not visible.

    Attributes:
        paths: files of the run.
        recipe: text of the recipe file.
    """

    paths: RunPaths
    recipe: str


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        end: how the run ended.
        plan: the plan; None unless the run finished.
        audit: the audit of the run; None if it has none.
        wall_s: seconds of the process; None if it resumed a run.
        started_at: start of the process, UTC, ISO 8601.
        machine: where it ran.
        is_locked: whether the run was not started, since another process is writing to its folder.
    """

    end: RunEnd
    plan: Plan | None
    audit: Audit | None
    wall_s: float | None
    started_at: str
    machine: Machine
    is_locked: bool = False


def perform_task(task: RunTask, perform: Perform, told: Callable[[str], None]) -> RunResult:
    """Start or resume a run, and read its plan where it ran.

    Args:
        task: the run.
        perform: function that performs it.
        told: called with each new stage of the run.

    Raises:
        KeyboardInterrupt: if the run was interrupted.
    """
    paths = task.paths
    if not paths.recipe.exists():
        make_folder(paths.recipe.parent)
        write_text(paths.recipe, task.recipe)
    if not wait_for_release(paths.folder, RELEASE_S):
        end = RunEnd(RunOutcome.REFUSED, f"another process is writing to '{paths.folder}'")
        return RunResult(end, None, None, None, utc_now(), this_machine(), is_locked=True)
    is_resumed = paths.folder.exists()
    started_at, started = utc_now(), time.monotonic()
    end = perform(paths, told)
    wall_s = None if is_resumed else time.monotonic() - started
    if end.outcome is not RunOutcome.FINISHED and paths.audit is not None and (paths.folder / PLAN_FILE).exists():
        end = RunEnd(RunOutcome.FINISHED, "", end.reason)  # the plan is written last, so it is the audit that failed
    plan = audit = None
    if end.outcome is RunOutcome.FINISHED:
        try:
            plan = load_plan(paths.folder)
            audit = audit_of(paths.audit)
        except InputError as error:  # the plan of a finished run can only be unreadable if something else changed it
            end = RunEnd(RunOutcome.CRASHED, str(error))
    return RunResult(end, plan, audit, wall_s, started_at, this_machine())


def ignore_stage(text: str) -> None:
    """Ignore the stage of a run that is performed in another process."""
