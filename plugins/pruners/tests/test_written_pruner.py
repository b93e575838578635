"""The pruner that plugins/README.md shows keeps the contract as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reds_core.testing import check_pruner

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_pruner_of_the_readme_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    if not README.exists():
        pytest.skip("plugins/README.md is not beside this package")
    (code,) = (
        b for b in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S) if "(Pruner)" in b
    )
    # it has no module that a fresh interpreter could import
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())
    names: dict[str, Any] = {"__name__": "acme"}
    exec(code, names)
    report = check_pruner(names["AcmePruner"])
    assert report.ok, report
