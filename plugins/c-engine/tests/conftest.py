"""Puts tests/support on the path, and compiles the kernels once for a session."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).parent / "support"))

if TYPE_CHECKING:
    from c_kernels import KernelLibrary
    from engines import KernelObjects


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> KernelLibrary:
    """The kernels as a shared library of this machine; without a C compiler, tests that use it are skipped."""
    from c_kernels import compiled

    return compiled(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> KernelObjects:
    """The kernels as object files, with which generated engines are linked."""
    from engines import KernelObjects

    return KernelObjects.compiled(tmp_path_factory.mktemp("objects"))
