"""The command line and a place to run it in, for the tests of commands."""

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
def place(tmp_path: Path) -> Workplace:
    return make_workplace(tmp_path)
