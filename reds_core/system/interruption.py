"""Handling of Ctrl-C and SIGTERM: saving the state before stopping, and child processes that ignore the signals."""

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
    """The state of a request to stop by Ctrl-C or SIGTERM.

    Attributes:
        asked: whether the work should stop as soon as its state is saved.
        scope: what will be finished and saved before the work stops, such as "step 'score'".
    """

    def __init__(self, scope: str = "this step") -> None:
        self.asked = False
        self.scope = self._widest = scope
        self._is_immediate = False

    def check(self) -> None:
        """Stop the work if that was requested. To be called whenever the state has been saved.

        Raises:
            KeyboardInterrupt: if a stop was requested.
        """
        if self.asked:
            raise KeyboardInterrupt

    def reset_scope(self) -> None:
        """Reset `scope` to the value given at construction."""
        self.scope = self._widest

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Stop immediately if that is requested inside the block, for long work that does not save its state.

        A stop that was requested before the block still waits for the scope that the user was told.

        Raises:
            KeyboardInterrupt: if a stop is requested inside the block.
        """
        self._is_immediate = True
        try:
            yield
        finally:
            self._is_immediate = False

    def ask(self) -> None:
        """Request a stop.

        Raises:
            KeyboardInterrupt: if a stop was requested before, or inside an `immediate` block.
        """
        if self.asked or self._is_immediate:
            raise KeyboardInterrupt
        self.asked = True


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def termination_as_interruption() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM inside the block, as on Ctrl-C.

    Has no effect if SIGTERM is already handled or ignored, or outside the main thread.
    """
    with _handling({signal.SIGTERM: signal.SIG_DFL}, _interrupt):
        yield


@contextmanager
def deferred_interruption(notify: Callable[[str], None], scope: str = "this step") -> Iterator[Interruption]:
    """Turn the first Ctrl-C or SIGTERM inside the block into a request to stop; the second raises KeyboardInterrupt.

    Signals that do not raise KeyboardInterrupt when the block is entered keep their handlers. Has no effect outside
    the main thread.

    Args:
        notify: called with the scope at the first signal, to inform the user.
        scope: what will be finished and saved before the work stops.
    """
    interruption = Interruption(scope)

    def ask(number: int, frame: FrameType | None) -> None:
        interruption.ask()
        notify(interruption.scope)

    with _handling({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _interrupt}, ask):
        yield interruption


@contextmanager
def _handling(expected: Mapping[signal.Signals, _Handler], handler: _Handler) -> Iterator[None]:
    """Install `handler` inside the block for the signals that have their `expected` handlers; main thread only."""
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
    """Yield a function after whose call processes started inside the block do not receive Ctrl-C.

    The function blocks SIGINT in the calling thread until the end of the block; child processes inherit the signal
    mask and keep it. A Ctrl-C in the meantime takes effect at the end of the block. After the block, and on systems
    that cannot block signals, the function does nothing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield lambda: None
        return
    is_over = False

    def block_interrupts() -> None:
        if not is_over:
            # start this process now, because multiprocessing unblocks the signals when it starts it
            multiprocessing.resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield block_interrupts
    finally:
        is_over = True
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follows_interruption(error: BaseException | None) -> bool:
    """Whether `error` was raised while a KeyboardInterrupt was being handled, that is, by a cleanup."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
