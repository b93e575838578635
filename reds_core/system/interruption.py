"""Ctrl-C and SIGTERM: what runs is saved first; processes can be started that never hear of them."""

from __future__ import annotations

import multiprocessing.resource_tracker
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


class Interruption:
    """Whether an end was asked for, by Ctrl-C or SIGTERM.

    Attributes:
        asked: whether the work should end as soon as its state is saved.
        scope: what will be finished and saved before the work ends, such as "step 'score'".
    """

    def __init__(self, scope: str = "this step") -> None:
        self.asked = False
        self.scope = self._widest = scope
        self._is_immediate = False

    def check(self) -> None:
        """End the work if that was asked. To be called where its state is saved.

        Raises:
            KeyboardInterrupt: if it was.
        """
        if self.asked:
            raise KeyboardInterrupt

    def reset_scope(self) -> None:
        """Nothing smaller than the whole is saved any more."""
        self.scope = self._widest

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Inside the block, which may be long and saves nothing, an end that is asked for there comes at once.

        One that was asked for before keeps to what the user was told of it.

        Raises:
            KeyboardInterrupt: if it is asked for.
        """
        self._is_immediate = True
        try:
            yield
        finally:
            self._is_immediate = False

    def ask(self) -> None:
        """Ask for an end.

        Raises:
            KeyboardInterrupt: if it was asked for before, or must come at once.
        """
        if self.asked or self._is_immediate:
            raise KeyboardInterrupt
        self.asked = True


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def termination_as_interruption() -> Iterator[None]:
    """Inside the block SIGTERM raises KeyboardInterrupt, as Ctrl-C does.

    Where SIGTERM is handled or ignored already, or outside the main thread, nothing changes.
    """
    with _handling({signal.SIGTERM: signal.SIG_DFL}, _interrupt):
        yield


@contextmanager
def deferred_interruption(told: Callable[[str], None], scope: str = "this step") -> Iterator[Interruption]:
    """Inside the block the first Ctrl-C or SIGTERM only asks for an end; the second raises KeyboardInterrupt as ever.

    Signals that do not raise KeyboardInterrupt when the block is entered stay as they are; so do all outside the main
    thread.

    Args:
        told: called with the scope at the first signal, to tell the user.
        scope: what will be finished and saved before the work ends.
    """
    interruption = Interruption(scope)

    def ask(number: int, frame: FrameType | None) -> None:
        interruption.ask()
        told(interruption.scope)

    with _handling({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _interrupt}, ask):
        yield interruption


@contextmanager
def _handling(expected: Mapping[signal.Signals, _Handler], handler: _Handler) -> Iterator[None]:
    """Handle signals inside the block, those that are handled as expected before; only in the main thread."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: was for number, was in expected.items() if signal.getsignal(number) is was}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


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
