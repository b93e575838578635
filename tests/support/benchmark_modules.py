"""The scripts of the benchmarks as modules, for the tests of what they compute and write."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark_modules(names: Sequence[str]) -> dict[str, ModuleType]:
    """Modules of the benchmarks by name. Skips the test if the benchmarks are not beside the tests."""
    if not FOLDER.exists():
        pytest.skip("the benchmarks are not beside the tests")
    sys.path.insert(0, str(FOLDER))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(FOLDER))
