"""The package's own names."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
import re
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


RETURNED = (reds_core.Conversion,)
"""Records with paths that calls return, which are always `Path`."""


def test_paths_may_be_texts_in_every_public_call() -> None:
    """A path is `str | PathLike[str]` wherever a caller gives one."""
    faces = [reds_core, *(importlib.import_module(f"reds_core.{face}") for face in ("plan", "knapsack", "cost"))]
    public = [getattr(face, name) for face in faces for name in face.__all__]
    asked = {
        f"{call.__module__}.{call.__qualname__}({name})": str(parameter.annotation)
        for call in public
        if inspect.isfunction(call)
        for name, parameter in inspect.signature(call).parameters.items()
    }
    asked |= {
        f"{cls.__module__}.{cls.__qualname__}.{field.name}": str(field.type)
        for cls in public
        if inspect.isclass(cls) and dataclasses.is_dataclass(cls) and cls not in RETURNED
        for field in dataclasses.fields(cls)
    }
    paths = {where: kind for where, kind in asked.items() if "Path" in kind}
    assert len(paths) > 15
    wrong = {where: kind for where, kind in paths.items() if not re.search(r"\bstr \| PathLike\[str\]", kind)}
    assert wrong == {}


def test_the_version_is_that_of_the_package() -> None:
    assert reds_core.__version__ == importlib.metadata.version("reds-core")
