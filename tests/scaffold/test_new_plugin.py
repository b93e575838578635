"""`reds new` makes packages that are complete, clean and conformant, and refuses what would not become one."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import Reds
from mock_layers import HonestLayers
from toy_framework import ToyFramework, residual_model
from toy_governors import ToyGovernor
from toy_plugins import ToyBits, ToyTarget, toy_registry

import reds_core
from reds_core.errors import InputError
from reds_core.framework.target import ExportSource
from reds_core.knapsack.levels import LevelSettings
from reds_core.registry import Registry
from reds_core.scaffold import templates
from reds_core.scaffold.templates import TEMPLATES
from reds_core.testing import check, check_target, check_transform
from reds_core.transforms.quantiser import UniformQuantiser

LONGEST = "a-very-long-plugin-name-of-30x"
CLASSES = {"solver": "Solver", "scorer": "Scorer", "pruner": "Pruner", "layers": "Layers"}
CLASSES |= {"transform": "Transform", "target": "Target", "governor": "Governor"}
OF_TENSORFLOW = ("layers", "target")
"""Kinds whose template is checked with models of that framework."""


class LikeTensorFlow(ToyFramework):
    """A quick framework in place of the one that the templates name."""

    name = "tensorflow"


def made(kind: str, name: str, folder: Path) -> Path:
    return reds_core.new_plugin(kind, name, folder, registry=Registry([]))


def files(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*") if path.is_file())


def test_each_template_is_of_a_kind_of_plugin_and_has_a_folder() -> None:
    plugins = toy_registry(ToyBits, ToyTarget, HonestLayers, ToyGovernor).records
    assert set(TEMPLATES) == {record.kind for record in plugins} - {"framework"}
    folders = {p.name for p in (Path(templates.__file__).parent / "templates").iterdir()}
    assert folders == {"common", *TEMPLATES}


@pytest.mark.parametrize("name", ["acme", LONGEST])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_package_is_complete_and_names_its_plugin(kind: str, name: str, tmp_path: Path) -> None:
    folder = made(kind, name, tmp_path)
    package = f"reds_{name.replace('-', '_')}"
    assert folder == tmp_path / f"reds-{name}"
    found = {str(path.relative_to(folder)) for path in files(folder)}
    assert found > {
        *("pyproject.toml", "README.md", ".gitignore", f"tests/test_{name.replace('-', '_')}.py"),
        *(f"{package}/__init__.py", f"{package}/py.typed"),
    }
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == f"reds-{name}"
    assert project["entry-points"]["reds"] == {name: package}
    assert project["license"] == "Apache-2.0"
    for path in files(folder):
        text = path.read_text()
        assert not re.search(r"\$|NAME|\bmine\b|\btemplate\b", text), path
        if path.suffix == ".py":
            assert name in text or package in text, path
            ast.parse(text)


@pytest.mark.parametrize("name", ["acme", LONGEST])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_package_passes_its_own_linter(kind: str, name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    folder = made(kind, name, tmp_path)
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", [kind for kind in TEMPLATES if kind not in OF_TENSORFLOW])
def test_a_package_passes_the_conformance_kit(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(made(kind, f"made-{kind}", tmp_path))
    (report,) = check(f"reds_made_{kind}:Made{CLASSES[kind]}")
    assert (report.plugin, report.kind) == (f"made-{kind}", kind)
    assert report.ok, str(report)


def test_a_transform_passes_the_conformance_kit_with_other_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(made("transform", "made-otherwise", tmp_path))
    made_transform = importlib.import_module("reds_made_otherwise").MadeOtherwiseTransform
    report = check_transform(made_transform(made_transform.Options(bits=2, smallest=0)))
    assert report.ok, str(report)
    with pytest.raises(InputError, match=r"option made-otherwise\.bits cannot be 8"):
        made_transform.Options(bits=8)


def test_a_target_passes_the_conformance_kit_and_writes_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(made("target", "made-target", tmp_path))
    made_target = importlib.import_module("reds_made_target").MadeTarget
    report = check_target(made_target, make_framework=LikeTensorFlow)
    assert report.ok, str(report)
    framework, model, target = LikeTensorFlow(), residual_model(), made_target()
    network = framework.inspect(model)
    assert target.refusal(network, "stem", "weight_bits", 4) is None
    quantiser = UniformQuantiser(4)
    model.weights["stem/kernel"] = quantiser.quantised(model.weights["stem/kernel"], 1).astype(np.float32)
    model.weights["head/bias"] *= 1000
    for bits, is_exact in ((4, True), (3, False)):
        path, settings = tmp_path / f"{bits}.npz", LevelSettings({"stem": {"weight_bits": bits}})
        target.export(ExportSource(framework, model, network, settings), path)
        loaded = target.load(framework, path).model
        assert np.array_equal(loaded.weights["stem/kernel"], model.weights["stem/kernel"]) == is_exact
        assert np.array_equal(loaded.weights["head/bias"], model.weights["head/bias"])
        assert np.abs(loaded.weights["inside/kernel"] - model.weights["inside/kernel"]).max() < 0.01


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Acme", "not a name of a plugin.*did you mean 'acme'"),
        ("my_solver", "did you mean 'my-solver'"),
        ("reds-acme", "did you mean 'acme'"),
        ("a/b", "did you mean 'a-b'"),
        ("3d", "choose a name such as 'acme'"),
        ("", "choose a name such as 'acme'"),
        ("..", "choose a name such as 'acme'"),
        ("acme\n", "did you mean 'acme'"),
        ("auto", "it means the best solver"),
        ("core", "the distribution reds-core"),
        ("a" * 31, "longer than 30 characters"),
    ],
)
def test_names_that_no_plugin_can_have_are_refused(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        made("solver", name, tmp_path)
    assert files(tmp_path) == []


def test_names_of_installed_plugins_and_packages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is a solver named 'dp' of reds-core; .*`reds plugins`"):
        reds_core.new_plugin("scorer", "dp", tmp_path)
    with pytest.raises(InputError, match="there is a package named reds_scorers; choose another name"):
        reds_core.new_plugin("scorer", "scorers", tmp_path)
    assert files(tmp_path) == []


def test_kinds_without_a_template_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kind 'solvers'; did you mean 'solver'\\? kinds: solver, scorer"):
        made("solvers", "acme", tmp_path)
    with pytest.raises(InputError, match="kind 'framework'; kinds: solver"):
        made("framework", "acme", tmp_path)


def test_nothing_that_exists_is_changed(tmp_path: Path) -> None:
    (tmp_path / "reds-acme").mkdir()
    with pytest.raises(InputError, match="reds-acme' exists; choose another name or another folder"):
        made("solver", "acme", tmp_path)
    assert files(tmp_path) == []


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        made("solver", "acme", tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_what_to_do_next(reds: Reds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = reds("new", "solver", "acme")
    assert outcome.status == 0
    assert "pip install -e './reds-acme[test]'\n" in outcome.out
    assert "reds check acme\n" in outcome.out
    assert (tmp_path / "reds-acme" / "pyproject.toml").is_file()
    reds("new", "solver", "acme").check_error(2, "'reds-acme' exists")
    assert reds("new", "scorer", "other", "--out", "deep/er").status == 0
    assert (tmp_path / "deep" / "er" / "reds-other" / "README.md").is_file()
