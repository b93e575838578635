"""Runs code of libraries that return late or never to Python, so that signals such as Ctrl-C are still handled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.1
"""The interval in seconds at which the calling thread checks whether the work has ended."""


def interruptible(work: Callable[[], T], stop: Callable[[], object]) -> T:
    """Run `work` in a thread of its own, so that this thread can handle signals meanwhile, and return its result.

    Args:
        work: a call that releases Python's global lock.
        stop: asks the work to end soon. It is called again and again until it has ended, because libraries ignore such
            requests before they have begun to search.

    Raises:
        KeyboardInterrupt: if interrupted, once the work has ended. Exceptions of other signal handlers and of the work
            are passed on.
    """
    with ThreadPoolExecutor(1, "work") as threads:
        working = threads.submit(work)
        try:
            while not working.done():
                # waiting without a time limit would not be ended by a signal on every system
                wait((working,), LOOK_S)
        except BaseException:
            while not working.done():
                stop()
                wait((working,), LOOK_S)
            raise
        return working.result()
