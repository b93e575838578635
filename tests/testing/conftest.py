"""Fixtures of the tests of conformance kits."""

from __future__ import annotations

import pytest


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process for each look at imports."""
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())
