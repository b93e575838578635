"""Fixtures of the comparison's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_tools import Place, make_place
from html_pages import Page
from sample_comparisons import usual

from reds_core.bench.report.writing import bench_page


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return make_place(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def usual_page() -> Page:
    return Page(bench_page(usual()))
