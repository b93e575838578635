"""Runs the jobs of a comparison in parallel, in processes of this machine (loky) or on a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import TypeVar
from warnings import catch_warnings, simplefilter

from reds_core.comparison.dask_cluster import DaskCluster, is_loss, open_cluster
from reds_core.errors import InputError, RedsError, argument
from reds_core.system.interruption import follows_interruption, unheard_interruption

LOKY, DASK = "loky", "dask"
BACKENDS = (LOKY, DASK)

IDLE_S = 10
"""Seconds after which an idle process of loky exits."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables from which linear algebra libraries read their number of threads when they are loaded. Both
back ends set some of them in their processes, which the processes of jobs inherit unless they are set there."""

R = TypeVar("R")


@dataclass(frozen=True)
class WorkerPool:
    """Runs jobs in parallel.

    Attributes:
        jobs: maximum number of jobs that run at the same time.
        warnings: reasons why the times of the jobs may not be comparable.
        piece: what a job is called, such as "solve".
        is_local: whether the jobs run one after the other in the calling thread.
    """

    jobs: int
    warnings: tuple[str, ...]
    piece: str
    is_local: bool
    _cluster: DaskCluster | None = None

    def run(self, jobs: Iterable[Callable[[], R]]) -> Generator[tuple[int, R], None, None]:
        """Yield the position and the result of each job as it ends; closing the generator stops the running jobs.

        Args:
            jobs: functions that can be pickled, unless `is_local`. They are taken from the iterable when they start.

        Raises:
            RedsError: if a process that watches jobs is lost.
        """
        if self.is_local:
            for number, job in enumerate(jobs):
                yield number, job()
            return
        with _own_errors(self.piece):
            if self._cluster is None:
                yield from _run_in_processes(jobs, self.jobs)
            else:
                yield from self._cluster.run(jobs, self.jobs)


def _run_in_processes(jobs: Iterable[Callable[[], R]], at_once: int) -> Generator[tuple[int, R], None, None]:
    """Run jobs as `WorkerPool.run` does, in processes of loky."""
    import joblib

    with joblib.parallel_config(LOKY, idle_worker_timeout=IDLE_S):
        parallel = joblib.Parallel(n_jobs=at_once, return_as="generator_unordered", batch_size=1, pre_dispatch=at_once)
        with unheard_interruption() as hold_back:
            results = parallel(
                joblib.delayed(_run)(number, job, os.getpid()) for number, job in enumerate(_with_hook(hold_back, jobs))
            )
        try:
            # not `yield from`, which would also close joblib's generator, before the suppression below is in place
            for result in results:  # noqa: UP028
                yield result
        finally:
            with contextlib.suppress(Exception), catch_warnings():
                simplefilter("ignore")  # joblib warns that tasks are cancelled, which is intended
                results.close()


def _with_hook(hold_back: Callable[[], None], jobs: Iterable[Callable[[], R]]) -> Iterator[Callable[[], R]]:
    """Yield the jobs and call `hold_back` before each, since joblib starts its processes after taking the first."""
    for job in jobs:
        hold_back()
        yield job


@contextlib.contextmanager
def _own_errors(piece: str) -> Iterator[None]:
    """Translate errors of joblib and Dask.

    Whatever fails after Ctrl-C while they end the running jobs is raised as KeyboardInterrupt.

    Raises:
        RedsError: if a process that watches jobs is lost.
    """
    try:
        yield
    except Exception as error:
        if follows_interruption(error):
            raise KeyboardInterrupt from error
        if isinstance(error, BrokenExecutor | OSError) or is_loss(error):
            first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise RedsError(
                f"a process that watches the {piece}s was lost ({first_line})", "run the same command again to resume"
            ) from error
        raise


def _run(number: int, job: Callable[[], R], host: int) -> tuple[int, R]:
    """Run a job; called in a process of loky, whose parent is the process `host`."""
    if os.getpid() != host and os.getppid() == host:
        _depend_on_parent()
    return number, job()


def _depend_on_parent() -> None:
    """Tie a process of loky to the process of the comparison.

    It ignores Ctrl-C and SIGTERM, which the comparison handles, and exits with its jobs if the comparison is killed.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # unlike SIG_IGN, a handler is not inherited by child processes
        signal.signal(signal.SIGTERM, lambda number, frame: None)
    if any(thread.name == _watch_parent.__name__ for thread in threading.enumerate()):
        return
    threading.Thread(target=_watch_parent, args=(os.getppid(),), name=_watch_parent.__name__, daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def check_number(option: str, number: int | None) -> None:
    """Raise InputError if the number of an option, such as "jobs", is below 1."""
    if number is not None and number < 1:
        raise InputError(f"{argument(option)} {number} is below 1", "give 1 or more")


@contextlib.contextmanager
def open_pool(backend: str, jobs: int | None, scheduler: str | None, piece: str) -> Iterator[WorkerPool]:
    """Open the pool that runs the jobs of a comparison inside the block.

    Args:
        backend: "loky" or "dask".
        jobs: maximum number of simultaneous jobs; None means 1, or the number of threads of the cluster if there is a
            scheduler.
        scheduler: address of the Dask scheduler; None with loky. With Dask, None starts a cluster of `jobs` workers on
            this machine, which ends with the block.
        piece: what a job is called, such as "solve".

    Raises:
        InputError: if the back end is unknown, or the Dask scheduler does not answer or has no workers.
        UnavailableError: if Dask is not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"unknown back end '{backend}'", f"give one of: {', '.join(BACKENDS)}")
    if backend == DASK:
        with open_cluster(scheduler, jobs or 1) as cluster:
            yield _on_cluster(cluster, jobs, piece)
    elif scheduler is not None:
        raise InputError(
            "a scheduler is for Dask",
            f"give {argument('backend', 'dask')} and {argument('scheduler', 'HOST:PORT')} together",
        )
    else:
        yield _on_this_machine(jobs or 1, piece)


def _on_this_machine(jobs: int, piece: str) -> WorkerPool:
    warnings = (f"{jobs} {piece}s run side by side and share cores and memory: compare their times with care",)
    return WorkerPool(jobs, warnings if jobs > 1 else (), piece, jobs == 1)


def _on_cluster(cluster: DaskCluster, jobs: int | None, piece: str) -> WorkerPool:
    threads = cluster.threads_by_host
    slots = sum(threads.values())
    jobs = slots if jobs is None else min(jobs, slots)
    warnings = []
    if jobs > 1 and max(threads.values()) > 1:
        warnings.append(
            f"several {piece}s at once on a machine share its cores and memory: compare their times with care"
        )
    if len(threads) > 1:
        warnings.append(f"{piece}s run on several machines: compare times of one machine only")
    return WorkerPool(jobs, tuple(warnings), piece, False, cluster)
