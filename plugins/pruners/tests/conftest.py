"""A place with a toy model and data to prune in. No run draws a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_runs import Workplace, make_workplace, skip_report


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    return make_workplace(tmp_path)
