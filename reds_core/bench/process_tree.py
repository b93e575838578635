"""The processes behind a solve: how much memory they hold together, and how all of them are ended.

psutil finds them by parentage, since back ends may start process groups of their own. A limit on address space would
be cheaper, but libraries reserve many times of it what they use, and it would hold for each process alone.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

TRIES = 50
"""How often processes that keep starting others are ended."""


class ProcessTree:
    """A process and all that it has started, as far as they were seen.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        import psutil

        self._psutil = psutil
        self._root = psutil.Process(pid)
        self._seen: dict[int, Any] = {}

    def resident_bytes(self) -> int:
        """Memory that the processes hold now; pages that several share count once where the system can tell."""
        members = [self._root, *self._children()]
        shared = len(members) > 1
        return sum(self._held_by(member, shared) for member in members)

    def end_children(self) -> None:
        """End all that the process has started, also what it left behind; the process itself should be ended next."""
        with contextlib.suppress(self._psutil.Error):
            self._root.suspend()  # it must not start others meanwhile
        for _ in range(TRIES):
            self._children()
            running = [p for p in self._seen.values() if self._is_alive(p)]
            if not running:
                return
            for process in running:
                with contextlib.suppress(self._psutil.Error):
                    process.kill()  # checks that the number was not given to another process
            time.sleep(0.001)

    def _children(self) -> list[Any]:
        try:
            children = self._root.children(recursive=True)
        except self._psutil.Error:
            return []
        self._seen |= {child.pid: child for child in children if child.pid not in self._seen}
        return list(children)

    def _is_alive(self, process: Any) -> bool:
        try:
            return bool(process.is_running() and process.status() != self._psutil.STATUS_ZOMBIE)
        except self._psutil.Error:
            return False

    def _held_by(self, process: Any, shared: bool) -> int:
        with contextlib.suppress(self._psutil.Error, AttributeError):
            return int(process.memory_full_info().pss) if shared else int(process.memory_info().rss)
        with contextlib.suppress(self._psutil.Error):
            return int(process.memory_info().rss)
        return 0
