"""Performs the missing runs of a comparison, several at a time if asked, and records each as soon as it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reds_core.compare.auditing import subnetwork_audit
from reds_core.compare.grid import Grid, RunPlan, planned_runs
from reds_core.compare.process import Perform, RunPaths, perform_in_process, thread_environment
from reds_core.compare.reader import latest
from reds_core.compare.record import RESULTS, ResultRecord, Subnetwork
from reds_core.compare.task import RunResult, RunTask, ignore_stage, perform_task
from reds_core.compare.watcher import CompareWatcher
from reds_core.comparison.worker_pool import LOKY, WorkerPool, check_number, open_pool
from reds_core.errors import InputError, argument
from reds_core.plan import Accuracy, FullAccuracy, Plan, SubnetworkRecord
from reds_core.registry import Registry
from reds_core.runs.recipe import load_recipe, recipe_text
from reds_core.system.files import absolute, make_folder, remove_partial_files, write_text
from reds_core.system.libraries import require_libraries

RUNS_FOLDER = "runs"
AUDIT_FOLDER = "audit"
"""The folder of the audit of a run, in the folder of the run."""


@dataclass(frozen=True)
class CompareSettings:
    """What is compared, and how. The same settings in the same folder resume a comparison that stopped.

    Attributes:
        grid: the runs.
        retry: whether to repeat runs that failed.
        jobs: maximum number of simultaneous runs; None means 1, or the number of threads of the cluster if there is a
            scheduler.
        backend: "loky" (this machine) or "dask".
        scheduler: address of the Dask scheduler; None with "dask" starts a cluster of `jobs` workers on this machine.
        audit: whether each run is audited against its input model when it has finished.

    Raises:
        InputError: if `jobs` is below 1.
    """

    grid: Grid
    retry: bool = False
    jobs: int | None = None
    backend: str = LOKY
    scheduler: str | None = None
    audit: bool = False

    def __post_init__(self) -> None:
        check_number("jobs", self.jobs)


@dataclass(frozen=True)
class CompareRun:
    """How one call of the comparison went.

    Attributes:
        runs: all runs that the settings require.
        kept: number of them that were already recorded at the start.
        done: number of runs that this call has added.
        interrupted: whether the user interrupted it.
    """

    runs: tuple[RunPlan, ...]
    kept: int
    done: int
    interrupted: bool


def run_grid(
    settings: CompareSettings,
    folder: Path,
    watcher: CompareWatcher,
    registry: Registry,
    perform: Perform | None = None,
) -> CompareRun:
    """Perform the runs that are not recorded yet, and write records.jsonl.

    Failures of runs become records; only errors of the comparison itself are raised. Ctrl-C ends the current runs and
    is reported in `CompareRun.interrupted`.

    Args:
        settings: what is compared.
        folder: folder of the comparison.
        watcher: receives the progress.
        registry: the installed plugins.
        perform: function that performs one run, which can be pickled if several runs are performed at a time; None
            means `perform_in_process`.

    Raises:
        InputError, UnavailableError: if a requested recipe, plugin or back end cannot be used; no run was started then.
        RedsError: if a process that watches runs is lost.
    """
    require_libraries("a comparison", ("joblib", "psutil", "pandas", "jinja2", "matplotlib"))
    runs = planned_runs(settings.grid, registry)
    folder = absolute(folder)
    with (
        open_pool(settings.backend, settings.jobs, settings.scheduler, "run") as pool,
        RESULTS.opened(folder) as records,
    ):
        make_folder(folder / RUNS_FOLDER)
        for where in (folder, folder / RUNS_FOLDER):
            remove_partial_files(where)
        _write_recipes(runs, folder)
        missing = _missing(runs, records.before, settings)
        kept = len(runs) - len(missing)
        watcher.planned(len(runs), kept)
        for warning in pool.warnings:
            watcher.warn(warning)
        done = 0
        try:
            with contextlib.closing(
                pool.run(_jobs(missing, folder, settings.audit, pool, watcher, perform))
            ) as results:
                for number, result in results:
                    if result.is_locked:
                        watcher.warn(f"{missing[number].name} is left for later: {result.end.reason}")
                        continue
                    made = _records(missing[number], result, pool.jobs, records.before)
                    records.append(*made)
                    done += 1
                    watcher.ended(missing[number], made)
        except KeyboardInterrupt:
            return CompareRun(runs, kept, done, True)
    return CompareRun(runs, kept, done, False)


def _jobs(
    runs: Sequence[RunPlan],
    folder: Path,
    is_audited: bool,
    pool: WorkerPool,
    watcher: CompareWatcher,
    perform: Perform | None,
) -> Iterator[Callable[[], RunResult]]:
    """Yield a job for each run when it is its turn."""
    perform = perform or partial(perform_in_process, environment=thread_environment())
    told = watcher.stage if pool.is_local else ignore_stage
    for run in runs:
        watcher.started(run)
        yield partial(perform_task, RunTask(_paths(folder, run, is_audited), recipe_text(run.recipe)), perform, told)


def _paths(folder: Path, run: RunPlan, is_audited: bool = False) -> RunPaths:
    runs = folder / RUNS_FOLDER
    audit = runs / run.name / AUDIT_FOLDER if is_audited else None
    return RunPaths(runs / f"{run.name}.yaml", runs / run.name, runs / f"{run.name}.log", audit)


def _write_recipes(runs: Sequence[RunPlan], folder: Path) -> None:
    """Write the recipe of every run; raise InputError if the folder has another recipe by the same name.

    Recipes are compared by their settings, since those that an earlier version wrote lack what has been added since.
    """
    missing: dict[Path, str] = {}
    for run in runs:
        path, text = _paths(folder, run).recipe, recipe_text(run.recipe)
        if not path.exists():
            missing[path] = text
        elif path.read_text(encoding="utf-8") != text and recipe_text(load_recipe(path)) != text:
            raise InputError(
                f"the recipe of '{path.stem}' differs from that of the run in '{folder}'",
                f"give another folder with {argument('out')}, or the recipe another file name",
            )
    for path, text in missing.items():
        write_text(path, text)


def _missing(runs: Sequence[RunPlan], before: Sequence[ResultRecord], settings: CompareSettings) -> list[RunPlan]:
    """Runs that lack the record of a budget, or its audit.

    A recorded failure, also that of an audit, counts as done unless it is to be retried.
    """
    there: dict[object, set[str | None]] = {}
    for record in latest(before):
        is_tried = record.audit is not None or (record.audit_failure is not None and not settings.retry)
        if settings.audit and record.subnetwork is not None and not is_tried:
            continue
        there.setdefault(record.run, set()).add(None if record.subnetwork is None else record.subnetwork.name)

    def is_done(run: RunPlan) -> bool:
        found = there.get(run.key, set())
        return (None in found and not settings.retry) or set(run.budgets) <= found

    return [run for run in runs if not is_done(run)]


def _records(run: RunPlan, result: RunResult, jobs: int, before: Sequence[ResultRecord]) -> tuple[ResultRecord, ...]:
    """The records of a run that has ended.

    Those of a run that was only audited keep the times of the run itself, and its results if the audit failed.
    """
    settings, plan = run.recipe.settings, result.plan
    known = {each.subnetwork.name: each for each in latest(before) if each.run == run.key and each.subnetwork}

    def record(made: Subnetwork | None) -> ResultRecord:
        return ResultRecord(
            run=run.key,
            name=run.name,
            outcome=result.end.outcome,
            reason=result.end.reason or None,
            subnetwork=made,
            metric=settings.task.filled.metric,
            full=FullAccuracy() if plan is None else plan.full.accuracy,
            epochs=settings.finetune.epochs,
            steps=None if plan is None else len(plan.steps),
            search_s=None if plan is None else sum(step.search_s or 0.0 for step in plan.steps),
            finetune_s=None if plan is None else sum(step.finetune_s or 0.0 for step in plan.steps),
            wall_s=result.wall_s,
            started_at=result.started_at,
            machine=result.machine,
            versions={} if plan is None else plan.versions,
            model_sha256=None if plan is None else plan.hashes.model,
            data_sha256=None if plan is None else plan.hashes.data,
            jobs=jobs,
        )

    if plan is None and known:
        return tuple(replace(each, audit_failure=result.end.reason) for each in known.values())
    if plan is None:
        return (record(None),)
    return tuple(
        replace(
            known.get(each.name) or record(_subnetwork(plan, each)),
            audit=subnetwork_audit(result.audit, each.name),
            audit_failure=result.end.audit_failure or None,
        )
        for each in plan.subnetworks
    )


def _of_files(made: SubnetworkRecord) -> Accuracy:
    """Return the accuracies of the files of a subnetwork, without those that devices compute."""
    exported = {kind: figure for kind, figure in made.accuracy.exported.items() if kind not in made.devices}
    return replace(made.accuracy, exported=exported)


def _subnetwork(plan: Plan, made: SubnetworkRecord) -> Subnetwork:
    full = plan.full.usage
    return Subnetwork(
        name=made.name,
        budget=made.budget,
        usage=made.usage,
        share={r: used / full[r] for r, used in made.usage.items() if full.get(r)},
        widths=made.widths,
        accuracy=_of_files(made),
        value=made.value,
        bound=made.bound,
        gap=made.gap,
        status=made.status,
        solver=made.solver,
        settings=made.settings,
    )
