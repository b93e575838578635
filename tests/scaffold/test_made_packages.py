"""Packages that `reds new` makes from the wheel, outside any checkout, install and work before they are changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from command_line import write_problem
from fresh_environments import built, fresh_environment, install, run

from reds_core.scaffold.templates import TEMPLATES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the environment is made with links")
REDS = "from reds_core.cli import main; main()"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment into which the wheel of this repository is installed."""
    folder = tmp_path_factory.mktemp("environment")
    interpreter = fresh_environment(folder / "venv")
    install(interpreter, built("wheel", folder / "dist"), cwd=folder)
    assert str(folder) in run(interpreter, "-c", "import reds_core; print(reds_core.__file__)", cwd=folder)
    return interpreter


def made(python: Path, kind: str, name: str, folder: Path) -> Path:
    run(python, "-c", REDS, "new", kind, name, cwd=folder)
    return folder / f"reds-{name}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_package_installs_is_found_and_passes_every_check(kind: str, python: Path, tmp_path: Path) -> None:
    package = made(python, kind, f"made-{kind}", tmp_path)
    install(python, "-e", package, cwd=tmp_path)
    listed = json.loads(run(python, "-c", REDS, "plugins", "--json", cwd=tmp_path))
    (found,) = [p for p in listed if p["name"] == f"made-{kind}"]
    assert found.items() >= {"kind": kind, "status": "ok", "distribution": package.name, "version": "0.1.0"}.items()
    assert " passed" in run(python, "-c", REDS, "check", f"made-{kind}", cwd=tmp_path)
    assert " passed" in run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_package_passes_its_own_type_checker(kind: str, python: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert "Success" in run(python, "-m", "mypy", cwd=made(python, kind, f"typed-{kind}", tmp_path))


def test_a_solver_is_built_and_solves(python: Path, tmp_path: Path) -> None:
    package = made(python, "solver", "built", tmp_path)
    install(python, package, cwd=tmp_path)
    shutil.rmtree(package)  # what runs from here on is what was installed
    write_problem(tmp_path / "p.npz", 8)
    asked = ("solve", "p.npz", "--solver", "built", "--json")
    solution = json.loads(run(python, "-c", REDS, *asked, cwd=tmp_path))
    assert (solution["solver"], solution["status"], solution["version"]) == ("built", "feasible", "0.1.0")
