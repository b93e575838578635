"""The command line, and a place with a toy model and data in which commands and runs work. No run draws a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Reds
from toy_runs import Workplace, make_workplace, skip_report


@pytest.fixture
def reds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    skip_report(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    return Reds(capsys, monkeypatch)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    return make_workplace(tmp_path)
