"""Measures the memory and the processor time of a process with all its descendants, and ends them.

psutil finds descendants by their parents, since back ends may start process groups of their own. A limit on address
space would be cheaper, but libraries reserve many times the memory that they use, and such a limit applies to each
process separately.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

TRIES = 50
"""Maximum number of rounds of ending processes that keep starting others."""


class ProcessTree:
    """A process and the descendants of it that have been seen.

    Args:
        pid: ID of the process.
    """

    def __init__(self, pid: int) -> None:
        import psutil

        self._psutil = psutil
        self._root = psutil.Process(pid)
        self._seen: dict[int, Any] = {}

    def resident_bytes(self) -> int:
        """Resident memory of all processes now; shared pages count once where the system reports them."""
        members = [self._root, *self._children()]
        shared = len(members) > 1
        return sum(self._held_by(member, shared) for member in members)

    def processor_s(self) -> float:
        """Processor seconds so far of the process, its running descendants and the children that these waited for."""
        return sum(self._spent_by(member) for member in (self._root, *self._children()))

    def end_children(self) -> None:
        """Kill all descendants, orphans included. The process itself is suspended; the caller should kill it next."""
        with contextlib.suppress(self._psutil.Error):
            self._root.suspend()  # so that it starts no more processes
        for _ in range(TRIES):
            self._children()
            running = [p for p in self._seen.values() if self._is_alive(p)]
            if not running:
                return
            for process in running:
                with contextlib.suppress(self._psutil.Error):
                    process.kill()  # psutil checks that the ID was not reused
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

    def _spent_by(self, process: Any) -> float:
        try:
            times = process.cpu_times()
        except self._psutil.Error:
            return 0.0
        # systems other than Linux and macOS do not report the children
        waited_for = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return float(times.user + times.system + waited_for)

    def _held_by(self, process: Any, shared: bool) -> int:
        with contextlib.suppress(self._psutil.Error, AttributeError):
            return int(process.memory_full_info().pss) if shared else int(process.memory_info().rss)
        with contextlib.suppress(self._psutil.Error):
            return int(process.memory_info().rss)
        return 0
