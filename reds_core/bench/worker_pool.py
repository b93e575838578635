"""Runs solves in parallel through joblib, on processes of this machine (loky) or on a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import Any
from warnings import catch_warnings, simplefilter

from reds_core.bench.supervision import supervise
from reds_core.bench.task import SolveResult, SolveTask
from reds_core.errors import InputError, RedsError, UnavailableError
from reds_core.system.interruption import follows_interruption, unheard_interruption
from reds_core.system.libraries import INSTALL_BENCH

LOKY, DASK = "loky", "dask"
BACKENDS = (LOKY, DASK)

CONNECTION_S = 10
"""Seconds to wait for a scheduler, and again for its first worker."""

IDLE_S = 10
"""Seconds after which an idle process of loky exits."""


@dataclass(frozen=True)
class PoolTask:
    """A solve as the pool runs it.

    Attributes:
        number: identifies the result, since results arrive in any order.
        task: the solve.
        libraries: import names of the libraries whose versions the result reports.
    """

    number: int
    task: SolveTask
    libraries: tuple[str, ...]


@dataclass(frozen=True)
class WorkerPool:
    """Runs tasks in parallel.

    Attributes:
        jobs: maximum number of tasks that run at the same time.
        warnings: reasons why the times of the tasks may not be comparable.
    """

    jobs: int
    warnings: tuple[str, ...]
    _configured: Callable[[], contextlib.AbstractContextManager[Any]]

    def run(self, tasks: Iterable[PoolTask]) -> Generator[tuple[int, SolveResult], None, None]:
        """Yield the number and the result of each task as it ends; closing the generator stops the running tasks.

        Raises:
            RedsError: if a process that watches solves is lost.
        """
        import joblib

        with _own_errors(), self._configured():
            parallel = joblib.Parallel(
                n_jobs=self.jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=self.jobs
            )
            with unheard_interruption() as hold_back:
                results = parallel(
                    joblib.delayed(_run)(pool_task, os.getpid()) for pool_task in _with_hook(hold_back, tasks)
                )
            try:
                # not `yield from`, which would also close joblib's generator, before the suppression below is in place
                for result in results:  # noqa: UP028
                    yield result
            finally:
                with contextlib.suppress(Exception), catch_warnings():
                    simplefilter("ignore")  # joblib warns that tasks are cancelled, which is intended
                    results.close()


def _with_hook(hold_back: Callable[[], None], tasks: Iterable[PoolTask]) -> Iterator[PoolTask]:
    """Yield the tasks and call `hold_back` before each, since joblib starts its processes after taking the first."""
    for pool_task in tasks:
        hold_back()
        yield pool_task


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Translate errors of joblib.

    Whatever fails after Ctrl-C while joblib ends its processes is raised as KeyboardInterrupt.

    Raises:
        RedsError: if a process that watches solves is lost.
    """
    try:
        yield
    except Exception as error:
        if follows_interruption(error):
            raise KeyboardInterrupt from error
        if isinstance(error, BrokenExecutor | OSError):
            raise RedsError(
                f"a process that watches the solves was lost ({_first_line(error)})",
                "run the same command again to resume",
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _run(pool_task: PoolTask, host: int) -> tuple[int, SolveResult]:
    """Run a task; called in a process of the pool."""
    if os.getpid() != host and os.getppid() == host:
        _depend_on_parent()
    return pool_task.number, supervise(pool_task.task, pool_task.libraries)


def _depend_on_parent() -> None:
    """Tie a process of loky to the process of the comparison.

    It ignores Ctrl-C and SIGTERM, which the comparison handles, and exits with its solves if the comparison is killed.
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


@contextlib.contextmanager
def open_pool(backend: str, jobs: int | None, scheduler: str | None) -> Iterator[WorkerPool]:
    """Open the pool that runs the solves inside the block.

    Args:
        backend: "loky" or "dask".
        jobs: maximum number of simultaneous solves; None means 1 with loky, and the cluster's number of threads with
            Dask.
        scheduler: address of the Dask scheduler; None with loky.

    Raises:
        InputError: if the back end is unknown, or the Dask scheduler is not given or does not answer.
        UnavailableError: if Dask is not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"unknown back end '{backend}'", f"give one of: {', '.join(BACKENDS)}")
    if (backend == DASK) != (scheduler is not None):
        what = "Dask needs a scheduler" if backend == DASK else "a scheduler is for Dask"
        raise InputError(what, "give --backend dask --scheduler HOST:PORT together")
    if scheduler is None:
        yield _on_this_machine(jobs or 1)
        return
    with _client(scheduler) as client:
        yield _on_cluster(client, jobs)


def _on_this_machine(jobs: int) -> WorkerPool:
    import joblib

    def configured() -> contextlib.AbstractContextManager[Any]:
        context: contextlib.AbstractContextManager[Any] = joblib.parallel_config(LOKY, idle_worker_timeout=IDLE_S)
        return context

    warnings = (f"{jobs} solves run side by side and share cores and memory: compare their times with care",)
    return WorkerPool(jobs, warnings if jobs > 1 else (), configured)


@contextlib.contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise UnavailableError("Dask is not installed", INSTALL_BENCH) from None
    try:
        client = Client(scheduler, timeout=CONNECTION_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the Dask scheduler '{scheduler}' does not answer ({_first_line(error)})", "check its address"
        ) from error
    with client:
        yield client


def _on_cluster(client: Any, jobs: int | None) -> WorkerPool:
    import joblib

    try:
        client.wait_for_workers(1, timeout=CONNECTION_S)
    except TimeoutError as error:
        raise InputError("the Dask scheduler has no workers", "start some: dask worker ADDRESS --nthreads 1") from error
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    slots = sum(worker["nthreads"] for worker in workers)
    by_host = Counter[str]()
    for worker in workers:
        by_host[worker["host"]] += worker["nthreads"]
    jobs = slots if jobs is None else min(jobs, slots)
    warnings = []
    if jobs > 1 and max(by_host.values()) > 1:
        warnings.append("several solves at once on a machine share its cores and memory: compare their times with care")
    if len(by_host) > 1:
        warnings.append("solves run on several machines: compare times of one machine only")

    def configured() -> contextlib.AbstractContextManager[Any]:
        context: contextlib.AbstractContextManager[Any] = joblib.parallel_config(DASK, client=client, pure=False)
        return context

    return WorkerPool(jobs, tuple(warnings), configured)
