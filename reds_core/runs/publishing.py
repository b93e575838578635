"""Puts a plan and the files that go with it into the folder of a run, whenever the process may be killed.

The details, the training curves, the model card and the report go with a plan. The first two are kept in
`.checkpoint/pending`, with a copy of the plan, before `plan.json` is written. Until then the folder is as it was, and
afterwards the next command that writes to the folder completes what a killed process left out. So the files never
name a network that the plan lacks.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reds_core.errors import UnavailableError
from reds_core.plan import PLAN_FILE, Plan, load_plan, plan_text, save_plan
from reds_core.plan_details import DETAILS_FILE, Details, save_details
from reds_core.report.facts import metric_of
from reds_core.report.model_card import write_model_card
from reds_core.report.run_report import write_report
from reds_core.run_history import HISTORY_FILE, HistoryRow, save_history
from reds_core.runs.checkpoint import pending_folder
from reds_core.system.files import cannot_write, make_folder, write_bytes, write_text
from reds_core.watcher import Watcher

_ASKED = "asked"


@dataclass(frozen=True)
class Companions:
    """What is written beside a plan.

    Attributes:
        details: What the report shows beyond the plan; None for a run by a version that kept no details.
        history: The training curves; empty if nothing was trained.
    """

    details: Details | None
    history: tuple[HistoryRow, ...]

    def write(self, plan: Plan, folder: Path) -> None:
        """Write them to a folder."""
        if self.details is not None:
            save_details(self.details, folder)
        if self.history:
            save_history(self.history, folder, metric_of(plan.options.get("task")).name)


def publish(plan: Plan, companions: Companions, folder: Path, watcher: Watcher, asked: str = "") -> None:
    """Write a plan whose networks are in the folder, then what goes with it.

    Args:
        plan: The plan.
        companions: What is written beside it.
        folder: The folder of the run.
        watcher: Warned if no report can be written.
        asked: What the user asked for, which `complete` returns if this process is killed; empty if nobody will ask.

    Raises:
        InputError: If a file cannot be written. If `plan.json` was, `complete` can be called again later.
    """
    pending = pending_folder(folder)
    partial = pending.with_name(f"partial-{pending.name}")
    for earlier in (pending, partial):
        shutil.rmtree(earlier, ignore_errors=True)
    make_folder(partial)
    write_text(partial / PLAN_FILE, plan_text(plan))
    write_text(partial / _ASKED, asked)
    companions.write(plan, partial)
    _rename(partial, pending)
    save_plan(plan, folder)
    complete(folder, watcher, takes_asked=True)


def complete(folder: Path, watcher: Watcher, takes_asked: bool = False) -> str | None:
    """Write what goes with the plan in a folder if the process that wrote the plan did not get that far.

    Args:
        folder: The folder of a run.
        watcher: Warned if no report can be written.
        takes_asked: Whether what the user asked that process for is returned, and then forgotten. It is kept otherwise,
            so that the same request is still known not to need the work again.

    Returns:
        What the user asked that process for; None if nothing was left to be written, or with `takes_asked=False`.

    Raises:
        InputError: If a file cannot be written.
    """
    pending, asked = pending_folder(folder), None
    if not pending.is_dir():
        return None
    if _content(pending / PLAN_FILE) == _content(folder / PLAN_FILE):
        for name in (DETAILS_FILE, HISTORY_FILE):
            content = _content(pending / name)
            if content is None:
                (folder / name).unlink(missing_ok=True)
            else:
                write_bytes(folder / name, content)
        report(load_plan(folder), folder, watcher)
        asked = (pending / _ASKED).read_text(encoding="utf-8")
        if asked and not takes_asked:
            return None
    done = pending.with_name(f"partial-{pending.name}")  # a part of what is pending must not be taken for the whole
    shutil.rmtree(done, ignore_errors=True)
    _rename(pending, done)
    shutil.rmtree(done, ignore_errors=True)
    with suppress(OSError):  # it may hold the epochs of a training that was stopped
        pending.parent.rmdir()
    return asked


def withdraw(plan: Plan, companions: Companions, folder: Path, watcher: Watcher) -> None:
    """Write a plan from which a network was removed, after what goes with it.

    Args:
        plan: The plan without the network.
        companions: What is written beside it, without the network.
        folder: The folder of the run.
        watcher: Warned if no report can be written.

    Raises:
        InputError: If a file cannot be written.
    """
    companions.write(plan, folder)
    if not companions.history:
        (folder / HISTORY_FILE).unlink(missing_ok=True)
    report(plan, folder, watcher)
    save_plan(plan, folder)


def report(plan: Plan, folder: Path, watcher: Watcher) -> None:
    """Write the model card, and the report, or warn if the libraries of the report are not installed."""
    write_model_card(plan, folder)
    try:
        write_report(plan, folder)
    except UnavailableError as error:
        watcher.warn(f"no report was written: {error}")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _rename(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise cannot_write(target, error) from error
