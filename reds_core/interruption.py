"""Ctrl-C while steps are taken: the step that runs is finished and saved first, so that no work is lost."""

from __future__ import annotations

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
