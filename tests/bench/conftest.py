"""Fixtures of the comparison's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_tools import Place, make_place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return make_place(tmp_path, monkeypatch)
