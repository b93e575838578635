"""Code of the user's own: imported once, its faults told with file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, make_workplace, skip_report

from reds_core.errors import InputError
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.recipe import load_recipe, recipe_text
from reds_core.system.users_code import absolute_imports, import_modules


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Modules that a test imports are forgotten after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_imported_once_with_its_neighbours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, "neighbour_of_mine.py", "FACTOR = 3")
    path = written(tmp_path, "mine_alone.py", "import neighbour_of_mine as n\nfactor = n.FACTOR\nprint('imported')")
    (first,) = import_modules([str(path)])
    (again,) = import_modules([str(path)])
    assert first is again
    assert first.factor == 3
    assert str(tmp_path) not in sys.path
    assert capsys.readouterr() == ("", "imported\n")  # stdout may be JSON


def test_a_file_may_be_named_like_a_module_that_exists(tmp_path: Path) -> None:
    import json

    (module,) = import_modules([str(written(tmp_path, "json.py", "mine = True"))])
    assert module.mine
    assert sys.modules["json"] is json


def test_a_file_may_have_dots_in_its_name(tmp_path: Path) -> None:
    (module,) = import_modules([str(written(tmp_path, "layers.of.mine.py", "mine = True"))])
    assert module.mine


def test_modules_that_import_others_when_asked_are_left_alone(tmp_path: Path) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ImportError(f"no library for {name}")

    sys.modules["lazy_of_mine"] = Lazy("lazy_of_mine")
    (module,) = import_modules([str(written(tmp_path, "beside_lazy.py", "mine = True"))])
    assert module.mine


def test_a_dotted_name_is_looked_for_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package_of_mine").mkdir()
    written(tmp_path / "package_of_mine", "layers.py", "mine = True")
    (module,) = import_modules(["package_of_mine.layers"])
    assert module.mine


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = (", r"SyntaxError: '\(' was never closed, .*faulty\.py line 1"),
        ("\nimport no_such_library", r"ModuleNotFoundError: No module named 'no_such_library', .*faulty\.py line 2"),
        ("def f():\n    return {}['k']\n\nf()", r"KeyError: 'k', .*faulty\.py line 2"),
        ("import sys\nsys.exit(3)", r"SystemExit: 3, .*faulty\.py line 2"),
    ],
)
def test_faults_are_told_with_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, "faulty.py", text)
    for _ in range(2):  # a module that failed is not taken for imported
        with pytest.raises(InputError, match=told) as caught:
            import_modules([str(path)])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing.py", "is not a file"),
        ("no/such/file", "is not a file"),
        ("no_such.module", "No module named 'no_such'"),
    ],
)
def test_what_is_not_there(name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        import_modules([name])


def test_imports_hold_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_imports(["mine.py", "package.layers"]) == (str(tmp_path / "mine.py"), "package.layers")


@pytest.mark.parametrize("given", ["mine.py", Path("mine.py"), ["mine.py"], (Path("mine.py"),)])
def test_a_single_import_needs_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    framework, _, _ = load_for_inspection(place.model, toy_registry(), imports=given)
    assert framework.users_code.imports == ("mine.py",)
    seen = place.prune(settings=NO_TRAINING, registry=toy_registry(), imports=given).options["imports"]
    assert seen == [str(Path("mine.py").resolve())]


def test_a_recipe_names_files_from_its_own_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "recipe.yaml", "imports: [mine.py, package.layers]")
    recipe = load_recipe(path)
    assert recipe.settings.imports == (str(tmp_path / "mine.py"), "package.layers")
    again = load_recipe(written(tmp_path, "again.yaml", recipe_text(recipe)))
    assert again.settings.imports == recipe.settings.imports
