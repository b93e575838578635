"""Fixtures of the tests of comparing runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare_tools import ComparePlace, make_compare_place
from toy_runs import skip_report


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparePlace:
    skip_report(monkeypatch)
    return make_compare_place(tmp_path)
