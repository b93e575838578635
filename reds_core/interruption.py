"""Ctrl-C: while steps are taken the one that runs is saved first; processes can be started that never hear of it."""

from __future__ import annotations

import multiprocessing.resource_tracker
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether Ctrl-C was pressed.

    Attributes:
        asked: whether the work should end as soon as its state is saved.
    """

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """End the work if that was asked. To be called where its state is saved.

        Raises:
            KeyboardInterrupt: if Ctrl-C was pressed.
        """
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def deferred_interruption(told: Callable[[], None]) -> Iterator[Interruption]:
    """Inside the block the first Ctrl-C only asks for an end; the second raises KeyboardInterrupt as ever.

    Where Ctrl-C is handled by somebody else, or outside the main thread, nothing changes.

    Args:
        told: called at the first Ctrl-C, to tell the user.
    """
    interruption = Interruption()

    def ask(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True
        told()

    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield interruption
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def unheard_interruption() -> Iterator[Callable[[], None]]:
    """Processes started between a call of what this yields and the end of the block never hear of Ctrl-C.

    It is held back from the calling thread meanwhile, which they inherit for good, and raised at the end of the block
    at the latest. Outside of the block a call does nothing; nor where the system cannot hold back signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield lambda: None
        return
    is_over = False

    def hold_back() -> None:
        if not is_over:
            # a process that multiprocessing starts once, and lets signals through again afterwards
            multiprocessing.resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield hold_back
    finally:
        is_over = True
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follows_interruption(error: BaseException | None) -> bool:
    """Whether `error` was raised while a KeyboardInterrupt was handled: what failed then was the clearing up."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
