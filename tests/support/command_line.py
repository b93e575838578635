"""The command line in this process, with toy plugins and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule

from reds_core import cli
from reds_core.knapsack.file import save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource

ERROR = re.compile(r"error: \S.*; \S.*[^.]")


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.err.rstrip("\n").rpartition("\n")[2]

    def check_error(self, status: int, why: str) -> None:
        """Check that the error is one line that says what is wrong and how to fix it, without a traceback."""
        assert self.status == status, self.err
        assert ERROR.fullmatch(self.last_line), self.err
        assert re.search(why, self.last_line), self.last_line
        assert "Traceback" not in self.err + self.out

    @property
    def json(self) -> Any:
        def refuse(constant: str) -> Any:
            raise AssertionError(f"{constant} in JSON")

        return json.loads(self.out, parse_constant=refuse)


class Reds:
    """The command line in this process, with toy plugins and nothing else."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework)))

    def install(self, *modules: PluginModule) -> None:
        def entry_points(group: str) -> list[PluginModule]:
            return list(modules) if group == "reds" else []  # other libraries look for plugins of their own

        self.monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    def __call__(self, *arguments: object) -> Outcome:
        self.capsys.readouterr()
        status = cli.run([str(a) for a in arguments])
        captured = self.capsys.readouterr()
        return Outcome(status, captured.out, captured.err)


def write_problem(path: Path, capacity: int) -> Path:
    groups = (Group("a/1", np.array([1, 2, 3]), np.array([5, 8, 9])), Group("b", np.array([2, 4]), np.array([1, 7])))
    macs = SumResource("macs", capacity, 2, (np.array([1, 2, 3]), np.array([2, 4])))
    save_problem(KnapsackProblem("small", groups, (), (macs,)), path)
    return path
