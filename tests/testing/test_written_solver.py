"""The solver that `plugins/README.md` shows is complete, and proves every small problem."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reds_core.testing import Settings, check_solver

README = Path(__file__).resolve().parents[2] / "plugins" / "README.md"


def test_the_solver_of_the_readme_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (
        b for b in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S) if "(Solver)" in b
    )
    written: dict[str, Any] = {"__name__": "written_solver"}
    monkeypatch.setitem(sys.modules, "written_solver", ModuleType("written_solver"))  # dataclasses look into it
    exec(code, written)
    assert written["reds_solvers"]() == [written["AcmeSolver"]]
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())  # it has no module
    report = check_solver(written["AcmeSolver"], Settings(proves=True))
    assert report.ok, report
