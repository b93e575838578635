"""The distribution is the sum of its plugins, and the wheel is complete."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fresh_environments import built

ROOT = Path(__file__).parents[1]
PLUGINS = {p.parent.name: tomllib.loads(p.read_text()) for p in sorted((ROOT / "plugins").glob("*/pyproject.toml"))}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE_DEPENDENCIES = {"numpy", "pluggy", "typer", "rich", "pyyaml", "cattrs", "filelock"}
DISTRIBUTION = {
    **{"PIL": "pillow", "sklearn": "scikit-learn", "keras": "tensorflow", "h5py": "tensorflow"},
    "ethosu": "ethos-u-vela",
}
"""Import names that differ from the distribution that brings them."""
RIVALS = ("toulbar2", "highs", "scip", "gurobi")
EXTRA = (
    {"litert": "litert", "tensorflow": "tensorflow", "tflite-micro": "edge", "c-engine": "litert"}
    | {"edge-impulse": "edge-impulse", "ethos-u": "edge"}
    | dict.fromkeys(RIVALS, "rivals")
)
"""The extras that install the libraries of plugins, where the distribution itself does not."""


def names(requirements: list[str]) -> set[str]:
    """Names of the distributions required, without versions and extras, in canonical form."""
    found = (re.match(r"[A-Za-z0-9._-]+", r) for r in requirements)
    return {re.sub(r"[-_.]+", "-", m[0]).lower() for m in found if m}


def package_of(plugin: str) -> str:
    """Name of the package of the plugin in a folder."""
    return f"reds_{plugin.replace('-', '_')}"


def tracked(*folders: str) -> list[str]:
    """Files under `folders` that git tracks and that exist."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to compare with")
    listed = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f for f in listed.stdout.split("\0") if f and (ROOT / f).exists()]


# --- metadata --------------------------------------------------------------------------------------------------------


def test_every_plugin_folder_is_a_distribution_of_one_package() -> None:
    folders = {Path(f).parts[1] for f in tracked("plugins") if len(Path(f).parts) > 2}
    assert folders == set(PLUGINS)
    for name in PLUGINS:
        assert [p.name for p in (ROOT / "plugins" / name).glob("reds_*") if p.is_dir()] == [package_of(name)]


def test_root_entry_points_are_the_sum_of_the_plugins_own() -> None:
    together: dict[str, str] = {}
    for name, plugin in PLUGINS.items():
        own = plugin["project"]["entry-points"]["reds"]
        assert own == {name: package_of(name)}
        together |= own
    assert PROJECT["project"]["entry-points"]["reds"] == together


def test_root_dependencies_are_the_sum_of_the_plugins_own() -> None:
    required = names(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    of_plugins: set[str] = set()
    for name, plugin in PLUGINS.items():
        own = names(plugin["project"]["dependencies"])
        assert "reds-core" in own, name
        if name in EXTRA:
            assert own - {"reds-core", "reds-litert"} <= required | names(extras[EXTRA[name]]), name
        else:
            of_plugins |= own
    assert required == of_plugins - {"reds-core"} | CORE_DEPENDENCIES


def test_the_wheel_target_lists_every_package() -> None:
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(listed) == sorted(["reds_core", *(f"plugins/{name}/{package_of(name)}" for name in PLUGINS)])
    for name, plugin in PLUGINS.items():
        assert plugin["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [package_of(name)]


def test_type_checking_finds_every_package() -> None:
    paths = {p.removeprefix("$MYPY_CONFIG_FILE_DIR").strip("/") for p in PROJECT["tool"]["mypy"]["mypy_path"]}
    assert paths == {"", *(f"plugins/{name}" for name in PLUGINS)}
    for package in [ROOT / "reds_core", *(ROOT / "plugins" / name / package_of(name) for name in PLUGINS)]:
        assert (package / "py.typed").is_file(), package


@pytest.mark.parametrize("field", ["version", "license", "requires-python"])
def test_plugins_agree_with_the_root(field: str) -> None:
    assert {p["project"][field] for p in PLUGINS.values()} == {PROJECT["project"][field]}


def test_the_installed_distribution_is_this_one() -> None:
    assert importlib.metadata.version("reds-core") == PROJECT["project"]["version"]
    installed = {
        e.name: e.value for e in importlib.metadata.distribution("reds-core").entry_points.select(group="reds")
    }
    assert installed == PROJECT["project"]["entry-points"]["reds"]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_declares_what_it_imports(name: str) -> None:
    project = PLUGINS[name]["project"]
    optional = [one for extra in project.get("optional-dependencies", {}).values() for one in extra]
    declared = names([*project["dependencies"], *optional]) | {"numpy"}  # numpy comes with reds-core
    for path in (ROOT / "plugins" / name / package_of(name)).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {m.partition(".")[0] for m in modules} - sys.stdlib_module_names
            wanted = {DISTRIBUTION.get(t, t.replace("_", "-")) for t in tops} - {f"reds-{name}"}
            assert wanted <= declared, f"{path.name} imports {wanted - declared}"


# --- what is built ---------------------------------------------------------------------------------------------------


def package_files() -> list[str]:
    return tracked("reds_core", *(f"plugins/{name}/{package_of(name)}" for name in PLUGINS))


def test_the_wheel_holds_every_file_that_git_tracks(tmp_path: Path) -> None:
    with zipfile.ZipFile(built("wheel", tmp_path)) as wheel:
        content = set(wheel.namelist())
        info = next(n for n in content if n.endswith("entry_points.txt"))
        entry_points = wheel.read(info).decode()
    expected = {re.sub(r"^plugins/[^/]+/", "", f) for f in package_files()}
    assert len(expected) > 50
    assert expected - content == set()
    for name in PLUGINS:
        assert f"{name} = {package_of(name)}" in entry_points
    assert "reds = reds_core.cli:main" in entry_points
    assert "reds_core/scaffold/templates/common/.gitignore.template" in content
    tests = [f for f in content if "/tests/" in f or f.startswith("tests/")]
    assert [f for f in tests if not f.startswith("reds_core/scaffold/templates/")] == []
    assert any(f.endswith("licenses/LICENSE") for f in content)


def test_the_tag_of_the_wheel_says_whether_it_holds_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDS_COMPILED", "0")
    assert built("wheel", tmp_path / "pure").name.endswith("-py3-none-any.whl")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    monkeypatch.delenv("REDS_COMPILED")
    wheel = built("wheel", tmp_path / "compiled")
    assert re.search(r"-py3-none-(?!any)\w+\.whl$", wheel.name)
    with zipfile.ZipFile(wheel) as content:
        libraries = [n.rpartition("/")[0] for n in content.namelist() if "/compiled/kernels-" in n]
        assert sorted(libraries) == ["reds_core/knapsack/compiled", "reds_core/runtime/compiled"]
        assert "Root-Is-Purelib: false" in content.read("reds_core-0.1.0.dist-info/WHEEL").decode()


def test_the_source_distribution_holds_every_file_that_git_tracks(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        content = {name.partition("/")[2] for name in archive.getnames()}
    assert {*package_files(), "LICENSE", "README.md", "pyproject.toml", "hatch_build.py"} - content == set()
