"""Runs a solver comparison: every contender solves every problem, and each solve is recorded as soon as it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from os import PathLike
from pathlib import Path

from reds_core.bench.history import BenchHistory, BenchRun, Ending, read_history, write_history
from reds_core.bench.problem_loading import BenchProblem, load_problems
from reds_core.bench.record import SolveRecord
from reds_core.bench.record_file import key_of, opened, solve_key
from reds_core.bench.solver_selection import SelectedSolver, SolverSelection, select_solvers
from reds_core.bench.supervision import supervise
from reds_core.bench.task import SolveLimits, SolveResult, SolveTask
from reds_core.bench.verification import Question, record_of
from reds_core.bench.watcher import BenchWatcher
from reds_core.comparison.worker_pool import DASK, LOKY, WorkerPool, check_number, open_pool
from reds_core.errors import InputError, argument
from reds_core.knapsack.solver import Controls
from reds_core.registry import Registry
from reds_core.system.files import given_path, remove_partial_files
from reds_core.system.libraries import library_versions, require_libraries
from reds_core.system.machine import this_machine, utc_now
from reds_core.system.record_lines import RecordFile

DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_MEMORY_LIMIT_BYTES = 4 * 2**30


@dataclass(frozen=True)
class BenchSettings:
    """What is compared, and how. The same settings in the same folder resume a run that stopped.

    Attributes:
        problems: files of format reds-problem/1.
        suites: names of suites that come with reds.
        solvers: lists of contenders, such as "dp,cpsat[presolve=false]"; empty means all solvers.
        options: options of plugins as plugin name -> key -> text; they apply to all contenders of a solver.
        time_limit_s: time limit of each solve; it is passed to the solver and enforced some seconds later.
        memory_limit_bytes: memory limit of each solve with all its processes; None means no limit.
        gap: proven relative gap at which solvers may stop; None asks for a proof of optimality.
        repeat: number of times that each solve is run.
        seed, threads: passed to the solvers; None leaves the choice to the solver.
        jobs: maximum number of simultaneous solves; None means 1, or the number of threads of the cluster if there is a
            scheduler.
        backend: "loky" (this machine) or "dask".
        scheduler: address of the Dask scheduler; None with "dask" starts a cluster of `jobs` workers on this machine.

    Raises:
        InputError: if a number is out of range.
    """

    problems: Sequence[str | PathLike[str]] = ()
    suites: tuple[str, ...] = ()
    solvers: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    memory_limit_bytes: int | None = DEFAULT_MEMORY_LIMIT_BYTES
    gap: float | None = None
    repeat: int = 1
    seed: int | None = 0
    threads: int | None = 1
    jobs: int | None = None
    backend: str = LOKY
    scheduler: str | None = None

    def __post_init__(self) -> None:
        Controls(self.time_limit_s, self.seed, self.threads, gap=self.gap)
        check_number("repeat", self.repeat)
        check_number("jobs", self.jobs)
        if self.memory_limit_bytes is not None and self.memory_limit_bytes < 1:
            raise InputError(
                f"the memory limit {self.memory_limit_bytes} is below 1 byte", "give an amount such as 4GiB"
            )

    @property
    def limits(self) -> SolveLimits:
        """The limits and controls of each solve."""
        return SolveLimits(self.time_limit_s, self.memory_limit_bytes, self.threads, self.seed, self.gap or None)


@dataclass(frozen=True)
class _Solve:
    """One solve of the comparison."""

    question: Question
    problem: BenchProblem
    entry: SelectedSolver

    def job(self) -> Callable[[], SolveResult]:
        contender = self.question.contender
        task = SolveTask(
            self.problem.content, contender.solver, contender.version, self.entry.settings, self.question.limits
        )
        return partial(supervise, task, self.entry.solver.requires)


def run_solves(settings: BenchSettings, folder: Path, watcher: BenchWatcher, registry: Registry) -> BenchRun:
    """Run the solves that are not recorded yet, and write records.jsonl and bench.json.

    Failures of solvers become records; only errors of the comparison itself are raised. Ctrl-C ends the solves and is
    reported in `BenchRun.ending`.

    Raises:
        InputError, UnavailableError: if a requested problem, solver or back end cannot be used.
    """
    require_libraries("a comparison", ("joblib", "psutil", "pandas", "jinja2", "matplotlib"))
    selection = select_solvers(registry, settings.solvers, settings.options)
    problems = load_problems([given_path(path, "problem file") for path in settings.problems], settings.suites)
    with open_pool(settings.backend, settings.jobs, settings.scheduler, "solve") as pool, opened(folder) as records:
        remove_partial_files(folder)
        _refuse_other_problems(problems, records.before, folder)
        solves = list(_solves(settings, selection, problems, pool.jobs))
        done = {key_of(record) for record in records.before}
        missing = [s for s in solves if _key(s.question) not in done]
        run = _run_of(settings, selection, problems, pool, len(solves), len(solves) - len(missing))
        log = _Log(folder, run)
        watcher.planned(run.solves, run.kept)
        for warning in run.warnings:
            watcher.warn(warning)
        try:
            _run_missing(pool, missing, records, watcher)
            ending = Ending.FINISHED
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
        except BaseException:
            log.end(Ending.FAILED, records.added())
            raise
        log.end(ending, records.added())
    return log.run


def _solves(
    settings: BenchSettings, selection: SolverSelection, problems: Sequence[BenchProblem], jobs: int
) -> Iterator[_Solve]:
    """Yield all solves, repeats in the outer loop, so that a run stopped early has done every solve once."""
    for repeat, problem, entry in product(range(settings.repeat), problems, selection.entries):
        yield _Solve(Question(problem.facts, entry.contender, settings.limits, repeat, jobs), problem, entry)


def _key(question: Question) -> object:
    return solve_key(question.facts.sha256, question.contender, question.repeat, question.limits)


def _refuse_other_problems(problems: Sequence[BenchProblem], before: Sequence[SolveRecord], folder: Path) -> None:
    """Raise InputError if the folder has records of another problem by the same name, which reports would mix up."""
    known = {record.problem.name: record.problem.sha256 for record in before}
    for each in problems:
        name = each.facts.name
        if known.get(name, each.facts.sha256) != each.facts.sha256:
            raise InputError(
                f"'{folder}' holds records of another problem named '{name}'",
                f"give another folder with {argument('out')}, or the file another name",
            )


def _run_missing(
    pool: WorkerPool, missing: Sequence[_Solve], records: RecordFile[SolveRecord], watcher: BenchWatcher
) -> None:
    def jobs() -> Iterator[Callable[[], SolveResult]]:
        for solve in missing:
            watcher.started(solve.question)
            yield solve.job()

    with contextlib.closing(pool.run(jobs())) as results:
        for number, result in results:
            solve = missing[number]
            record = record_of(solve.question, solve.problem.problem, solve.entry.solver, result)
            records.append(record)
            watcher.ended(solve.question, record)


class _Log:
    """The entry of this run in bench.json, written at its start as well, so that a killed run has an entry."""

    def __init__(self, folder: Path, run: BenchRun) -> None:
        self._folder = folder
        self._earlier = read_history(folder).runs
        self.run = run
        self._write()

    def end(self, ending: Ending, done: int) -> None:
        self.run = replace(self.run, ended_at=utc_now(), ending=ending, done=done)
        self._write()

    def _write(self) -> None:
        write_history(self._folder, BenchHistory((*self._earlier, self.run)))


def _run_of(
    settings: BenchSettings,
    selection: SolverSelection,
    problems: Sequence[BenchProblem],
    pool: WorkerPool,
    solves: int,
    kept: int,
) -> BenchRun:
    return BenchRun(
        started_at=utc_now(),
        ended_at=None,
        ending=None,
        problems=tuple(each.facts.name for each in problems),
        suites=settings.suites,
        contenders=tuple(each.contender.label for each in selection.entries),
        left_out=selection.left_out,
        time_limit_s=settings.time_limit_s,
        memory_limit_bytes=settings.memory_limit_bytes,
        threads=settings.threads,
        seed=settings.seed,
        gap=settings.gap or None,
        repeat=settings.repeat,
        jobs=pool.jobs,
        backend=settings.backend,
        solves=solves,
        kept=kept,
        done=0,
        warnings=pool.warnings,
        machine=this_machine(),
        versions=library_versions(("joblib", *({"distributed"} if settings.backend == DASK else ()))),
        problem_hashes=tuple(each.facts.sha256 for each in problems),
        contender_versions=tuple(each.contender.version for each in selection.entries),
    )
