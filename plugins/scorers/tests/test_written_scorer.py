"""The scorer that `plugins/README.md` shows is complete, and a good one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reds_core.testing import check_scorer

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_scorer_of_the_readme_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(import numpy as np\n.*?class AcmeScorer.*?)```", README.read_text(), re.DOTALL)
    written: dict[str, Any] = {"__name__": "written_scorer"}
    exec(code, written)
    assert written["reds_scorers"]() == [written["AcmeScorer"]]
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())  # it has no module
    report = check_scorer(written["AcmeScorer"])
    assert report.ok, report
