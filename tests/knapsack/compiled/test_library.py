"""The compiled library: when it is used, and that no other version of the sources is ever loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reds_core.knapsack.compiled import library as loading
from reds_core.knapsack.compiled.library import VARIABLE, compiled_library, described
from reds_core.knapsack.compiled.sources import FOLDER, HEADERS, SOURCES, library_name
from reds_core.runtime.compiled import sources as simulator

ROOT = Path(__file__).parents[3]
SOURCES_OF = {
    "knapsack": (FOLDER, (*SOURCES, *HEADERS)),
    "runtime": (simulator.FOLDER, (*simulator.SOURCES, *simulator.HEADERS)),
}
"""The C sources of each package that has some: their folder and their names."""
HOOK = ROOT / "hatch_build.py"


def test_every_source_counts_for_the_name_of_the_library() -> None:
    for folder, names in SOURCES_OF.values():
        assert {p.name for p in folder.glob("*.[ch]")} == set(names)


def test_the_environment_variable_switches_the_library_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert compiled_library() is None
    assert described() == f"NumPy, because {VARIABLE} is 0"
    monkeypatch.setenv(VARIABLE, "1")
    if compiled_library() is not None:
        assert described() == "compiled code"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in the place of the one that holds the library."""
    loading._loaded.cache_clear()
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield tmp_path
    loading._loaded.cache_clear()


def test_a_missing_library_is_no_error(elsewhere: Path) -> None:
    assert compiled_library() is None
    assert described() == "NumPy, as no library was compiled"


def test_a_library_that_cannot_be_loaded_is_no_error(elsewhere: Path) -> None:
    (elsewhere / library_name()).write_text("for another kind of machine")
    assert compiled_library() is None
    assert described() == "NumPy, as the compiled library cannot be loaded on this machine"


def test_a_library_of_other_sources_is_named_as_the_reason(elsewhere: Path) -> None:
    (elsewhere / "kernels-0123456789abcdef.so").write_text("of other sources")
    assert compiled_library() is None
    assert described() == "NumPy, as the C sources have changed since they were compiled; install reds again"


# --- the build hook ---------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the build hook needs, in a folder of its own."""
    pytest.importorskip("hatchling")
    if sys.platform == "win32":
        pytest.skip("the build hook compiles nothing on Windows")
    if not HOOK.exists():
        pytest.skip("no checkout")
    for package, (folder, names) in SOURCES_OF.items():
        place = tmp_path / "reds_core" / package / "compiled"
        place.mkdir(parents=True)
        for name in ("sources.py", *names):
            shutil.copy(folder / name, place)
    shutil.copy(HOOK, tmp_path)
    return tmp_path


def _compiled(checkout: Path, **variables: str) -> tuple[list[str], str]:
    """The libraries in `checkout` after the build hook has run as a script, and what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", VARIABLE)} | variables
    done = subprocess.run(
        [sys.executable, "hatch_build.py"], cwd=checkout, env=environment, capture_output=True, text=True, timeout=300
    )
    found = sorted(p.name for p in (checkout / "reds_core").glob("*/compiled/kernels*"))
    assert (done.returncode == 0) == bool(found)
    return found, done.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_hook_compiles_without_warnings_and_removes_libraries_of_other_sources(checkout: Path) -> None:
    stale = checkout / "reds_core" / "knapsack" / "compiled" / "kernels-0123456789abcdef.so"
    stale.touch()
    found, printed = _compiled(checkout, CC="cc -Wall -Wextra -Werror")
    assert found == sorted([library_name(), simulator.library_name()])
    assert printed == ""


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler", "true"])
def test_a_compiler_that_is_missing_or_fails_does_no_harm(checkout: Path, compiler: str) -> None:
    found, printed = _compiled(checkout, CC=compiler)
    assert found == []
    assert printed.startswith("reds: the compiled library was not built, so solvers will use NumPy instead: ")


def test_nothing_is_compiled_where_compiled_code_is_switched_off(checkout: Path) -> None:
    assert _compiled(checkout, **{VARIABLE: "0"}) == ([], "")
