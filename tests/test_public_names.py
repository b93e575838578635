"""The package's own names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reds_core


def test_every_public_name_is_there() -> None:
    assert set(dir(reds_core)) == set(reds_core.__all__)
    for name in reds_core.__all__:
        assert getattr(reds_core, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = reds_core.nothing_here


def test_importing_the_package_imports_none_of_its_parts() -> None:
    code = "import sys, reds_core; print([m for m in sys.modules if m.startswith('reds_core.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['reds_core.hooks']"
