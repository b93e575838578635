"""What tests of the comparison share: plugins that children find, problems, and who is still running."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from reds_core.bench.reader import read_records
from reds_core.bench.record import SolveRecord
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.watcher import BenchWatcher
from reds_core.knapsack.file import save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.plugin import installed_entry_points
from reds_core.registry import Registry

SUPPORT = Path(__file__).parent
_MARK = "REDS_TEST_MARK"


def write_problem(path: Path, capacity: int = 40, groups: int = 6) -> Path:
    """A problem of some groups of four options; with capacity 40 of 6 groups about half of all fits."""
    widths, costs = np.arange(1, 5), np.array([2, 5, 9, 14])
    members = tuple(Group(f"g{i}", widths, np.array([0, 7 + i, 9 + 2 * i, 20])) for i in range(groups))
    save_problem(KnapsackProblem("p", members, (), (SumResource("macs", capacity, 0, (costs,) * groups),)), path)
    return path


@dataclass(frozen=True)
class Place:
    """A folder for a comparison, with the hostile plugin in reach of this process and those that it starts."""

    folder: Path
    environment: dict[str, str]

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def solve(self, *solvers: str, watcher: BenchWatcher | None = None, **settings: object) -> list[SolveRecord]:
        """Run a comparison without its report, by default on p.npz, and return all records of the folder."""
        named = {"problems": (self.folder / "p.npz",), "time_limit_s": 5.0, **settings}
        run_solves(BenchSettings(solvers=solvers, **named), self.out, watcher or BenchWatcher(), Registry())  # type: ignore[arg-type]
        return list(read_records(self.out))

    def processes(self) -> list[str]:
        """What runs of all that was started from here, but for what joblib keeps for this process's next call."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(_MARK) == self.environment[_MARK] and process.pid != os.getpid()
                command = " ".join(process.cmdline())
                kept = process.ppid() == os.getpid() and ("loky" in command or "resource_tracker" in command)
                if ours and not kept and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(command)
            except psutil.Error:
                continue
        return found


def make_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    info = folder / "site" / "hostile_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[reds]\nhostile = hostile_plugin\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(info.parent), str(SUPPORT))))
    monkeypatch.setenv(_MARK, str(folder))
    installed_entry_points.cache_clear()
    assert "hostile_plugin" not in sys.modules or sys.modules["hostile_plugin"].__file__ == str(
        SUPPORT / "hostile_plugin.py"
    )
    write_problem(folder / "p.npz")
    return Place(folder, dict(os.environ))


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
