"""Runs the jobs of a comparison on the workers of a Dask cluster, which may be started on this machine."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from warnings import catch_warnings, simplefilter

from reds_core.errors import InputError, UnavailableError
from reds_core.system.libraries import INSTALL_BENCH

CONNECTION_S = 10
"""Seconds to wait for a scheduler, and again for its first worker."""

START_S = 60
"""Seconds to wait for the workers of a cluster that the comparison starts itself."""


R = TypeVar("R")


@dataclass(frozen=True)
class DaskCluster:
    """A cluster with at least one worker.

    Attributes:
        client: the `distributed.Client` that is connected to it.
        threads_by_host: number of threads of all workers of each machine, which is the number of jobs that the machine
            runs at the same time.
    """

    client: Any
    threads_by_host: Mapping[str, int]

    def run(self, jobs: Iterable[Callable[[], R]], at_once: int) -> Generator[tuple[int, R], None, None]:
        """Yield the position and the result of each job as it ends.

        Jobs of a worker that is lost are run again by another one. Closing the generator cancels the jobs; those that
        are running can notice it by `is_abandoned`.

        Args:
            jobs: functions that can be pickled. They are taken from the iterable when they are submitted.
            at_once: number of jobs that are submitted at the same time.

        Raises:
            KilledWorker, CancelledError: if workers were lost repeatedly, or the scheduler was; see `is_loss`.
        """
        # not through joblib, which waits forever for a job whose workers were lost
        from distributed import as_completed

        coming = enumerate(jobs)
        numbers: dict[Any, int] = {}
        ended = as_completed(loop=self.client.loop)

        def submit(count: int) -> None:
            for number, job in islice(coming, count):
                with catch_warnings():
                    simplefilter("ignore")  # large problems, which are sent with their jobs
                    future = self.client.submit(job, pure=False)
                numbers[future] = number
                ended.add(future)

        try:
            submit(at_once)
            while numbers:
                future = next(ended)
                number = numbers.pop(future)
                result = future.result()
                future.release()
                submit(1)
                yield number, result
        finally:
            if numbers:
                with suppress(Exception):
                    self.client.cancel(list(numbers))


@contextlib.contextmanager
def open_cluster(scheduler: str | None, workers: int) -> Iterator[DaskCluster]:
    """Connect to a cluster inside the block.

    Args:
        scheduler: address of its scheduler; None starts a cluster on this machine, which ends with the block.
        workers: number of workers of the cluster that is started.

    Raises:
        InputError: if the scheduler does not answer, or has no workers.
        UnavailableError: if Dask is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise UnavailableError("Dask is not installed", INSTALL_BENCH) from None
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            own = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
                )
            )
            client = stack.enter_context(distributed.Client(own, set_as_default=False))
            client.wait_for_workers(workers, timeout=START_S)
        else:
            client = stack.enter_context(_connected(distributed, scheduler))
            try:
                client.wait_for_workers(1, timeout=CONNECTION_S)
            except TimeoutError as error:
                raise InputError(
                    "the Dask scheduler has no workers", "start some: dask worker ADDRESS --nthreads 1"
                ) from error
        threads = Counter[str]()
        for worker in client.scheduler_info(n_workers=-1)["workers"].values():
            threads[worker["host"]] += worker["nthreads"]
        yield DaskCluster(client, threads)


def _connected(distributed: Any, scheduler: str) -> Any:
    def connect() -> Any:
        return distributed.Client(scheduler, timeout=CONNECTION_S, set_as_default=False)

    try:
        if not scheduler.strip():
            raise ValueError("the address is empty")  # for which Dask would start a cluster
        # Dask waits forever for a server that accepts the connection and says nothing
        return _result_within(2 * CONNECTION_S, connect)
    except Exception as error:  # malformed addresses raise errors of many types
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"the Dask scheduler '{scheduler}' does not answer ({why})", "check its address") from error


def _result_within(seconds: float, make: Callable[[], R]) -> R:
    """Call `make` in a thread of its own, which is left behind if it takes longer.

    Raises:
        TimeoutError: if it takes longer; and whatever `make` raises.
    """
    coming = Future[R]()

    def work() -> None:
        try:
            coming.set_result(make())
        except Exception as error:
            coming.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    done, _ = wait([coming], seconds)
    if not done:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return coming.result()


def is_loss(error: BaseException) -> bool:
    """Whether Dask raised `error` because workers or the scheduler were lost."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    from distributed.scheduler import KilledWorker

    return isinstance(error, KilledWorker | CancelledError)


def is_abandoned() -> bool:
    """Whether nobody waits any longer for the job that calls this, since its comparison was stopped or killed.

    Always False outside the threads of Dask workers.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        worker = distributed.get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
    except (ValueError, KeyError):  # the caller is not a job of a worker
        return False
    return task is None or task.state == "cancelled"
