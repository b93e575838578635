"""Who may import whom. Read from the source, and tried with everything else blocked."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "reds_core"
PLUGINS = sorted(p.parent for p in (ROOT / "plugins").glob("*/pyproject.toml"))
EVERYWHERE = sys.stdlib_module_names | {"numpy", "pluggy", "filelock", "reds_core"}
COMMAND_LINE = {"cli", "commands"}
"""Modules of core that may also import typer and rich."""

ORDER = [
    *(
        "errors",
        "arrays",
        "scales",
        "system",
        "plugin",
        "network",
        "knapsack",
        "exchange",
        "cost",
        "search_records",
        "plan",
        "plan_details",
        "run_history",
        "transforms",
        "framework",
        "runtime",
    ),
    *(
        "scoring",
        "formulation",
        "pruning",
        "hooks",
        "kinds",
        "discovery",
        "registry",
        "scaffold",
        "report",
        "audit",
        "early_exit",
        "watcher",
        "progress",
        "comparison",
        "runs",
    ),
    *("bench", "compare", "reports", "simulation", "testing", "commands", "cli", "__main__"),
]
"""Data flows one way: a package of core imports only packages that stand before it, for types as well, and also inside
functions. The list is complete: what is added to core is given its place here. One place is kept for a package to come,
`audit`."""
ONLY = {"runtime": {"errors", "arrays", "scales", "system", "plugin", "knapsack", "cost", "plan", "framework"}}
"""Packages that may import less than what stands before them."""
FACES = [
    *(
        "errors",
        "arrays",
        "plugin",
        "network",
        "knapsack",
        "cost",
        "plan",
        "transforms",
        "framework",
        "runtime",
        "scoring",
        "formulation",
    ),
    *("pruning", "testing", "testing.problems", "testing.oracle", "testing.strategies", "cli"),
]
"""What others may import besides `reds_core` itself: packages and modules with `__all__`."""
PROVISIONAL = [
    *("system", "knapsack.compiled", "knapsack.inference", "knapsack.relaxation", "knapsack.families", "exchange"),
    *("report", "audit", "bench", "bench.report", "compare", "compare.report"),
]
"""Faces whose names may change with a minor version, as their docstrings say."""
INSIDE_KNAPSACK = ["compiled", "inference", "relaxation", "families"]
"""The order of the packages inside `knapsack`."""


@dataclass(frozen=True)
class Import:
    """One name imported.

    Attributes:
        module: dotted name of the module.
        name: imported from it; None for `import module`.
        deferred: inside a function.
        typing: under TYPE_CHECKING.
    """

    module: str
    name: str | None
    deferred: bool
    typing: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def imports(path: Path) -> list[Import]:
    """What the file imports; relative imports under the name that they stand for."""
    package = module_name(path, ROOT).split(".")[: None if path.stem == "__init__" else -1]

    def whole(found: ast.ImportFrom) -> str:
        above = package[: len(package) + 1 - found.level] if found.level else []
        return ".".join([*above, *([found.module] if found.module else [])])

    def walk(node: ast.AST, deferred: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(a.name, None, deferred, typing) for a in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield from (Import(whole(child), a.name, deferred, typing) for a in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from walk(child, deferred, True)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, deferred or function, typing)

    return list(walk(ast.parse(path.read_text(encoding="utf-8")), False, False))


def module_name(path: Path, base: Path) -> str:
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


CORE_FILES = {module_name(p, ROOT): p for p in sorted(CORE.rglob("*.py"))}
PLUGIN_PACKAGES = [p.parent.name for plugin in PLUGINS for p in plugin.glob("reds_*/__init__.py")]
PLUGIN_FILES = [p for plugin in PLUGINS for p in sorted(plugin.glob("reds_*/**/*.py"))]


def core_module(found: Import) -> str:
    """The module of core that an import of core names."""
    whole = f"{found.module}.{found.name}"
    return whole if whole in CORE_FILES else found.module


@pytest.mark.parametrize("module", CORE_FILES)
def test_core_imports_numpy_pluggy_and_filelock_and_nothing_else(module: str) -> None:
    allowed = EVERYWHERE | (
        {"typer", "rich", "click"} if module.split(".")[1:2] in [[m] for m in COMMAND_LINE] else set()
    )
    outside = {i.top for i in imports(CORE_FILES[module]) if not i.deferred and not i.typing}
    assert outside - allowed == set()


def test_core_imports_no_plugin() -> None:
    packages = set(PLUGIN_PACKAGES)
    for module, path in CORE_FILES.items():
        assert {i.top for i in imports(path)} & packages == set(), module


BLOCKED = """
    import importlib, pkgutil, sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {blocked!r}:
                raise ImportError(f"{{name}} is blocked")

    sys.meta_path.insert(0, Blocker())
    for name in {modules!r}:
        importlib.import_module(name)
"""
HEAVY = {
    "tensorflow", "keras", "ai_edge_litert", "tflite_micro", "tflite_runtime", "edgeimpulse_api", "urllib3",
    "ortools", "pulp", "scipy", "highspy",
    "pytoulbar2", "pyscipopt", "gurobipy", "sklearn", "PIL", "h5py", "pandas", "matplotlib", "joblib", "jinja2",
    "pytest", "hypothesis",
}  # fmt: skip


def import_blocked(blocked: set[str], modules: list[str]) -> None:
    code = textwrap.dedent(BLOCKED).format(blocked=blocked, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_core_imports_with_every_library_blocked() -> None:
    modules = [m for m in CORE_FILES if not m.endswith("__main__")]
    import_blocked(HEAVY, modules)
    import_blocked(HEAVY | {"typer", "rich"}, [m for m in modules if not COMMAND_LINE & set(m.split("."))])


def test_plugins_are_found_with_every_library_blocked() -> None:
    """What the entry points name imports none of the libraries behind the plugins; modules behind it may."""
    import_blocked(HEAVY | {"typer", "rich"}, PLUGIN_PACKAGES)


def test_only_the_tensorflow_plugin_imports_tensorflow() -> None:
    for path in [*CORE_FILES.values(), *PLUGIN_FILES]:
        if "reds_tensorflow" not in path.parts:
            litert = set() if "reds_litert" in path.parts else {"ai_edge_litert"}
            assert {i.top for i in imports(path)} & {"tensorflow", "keras", *litert} == set(), path


FRAMEWORK_WORDS = re.compile(r"keras|litert|tflite", re.IGNORECASE)


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(CORE.rglob("*")) if p.suffix in (".py", ".html", ".css")],
    ids=lambda p: str(p.relative_to(CORE)),
)
def test_core_knows_no_framework_by_name(path: Path) -> None:
    """Frameworks declare their files, losses, metrics and data sets; only help texts and examples may name one."""
    if path.relative_to(CORE).with_suffix("").parts[0] not in COMMAND_LINE:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith(">>> ")]
        assert [line for line in lines if FRAMEWORK_WORDS.search(line)] == []


def test_dp_and_greedy_need_nothing_but_numpy() -> None:
    for path in PLUGIN_FILES:
        own = path.relative_to(ROOT / "plugins").parts[1]
        if own in ("reds_dp", "reds_greedy"):
            assert {i.top for i in imports(path)} <= EVERYWHERE | {own}, path


BUILT_UPON = {
    name: {"reds_litert"} for name in ("reds_tflite_micro", "reds_c_engine", "reds_ethos_u", "reds_edge_impulse")
}
"""The plugins whose modules others use: files of LiteRT are what these devices run."""


def test_plugins_import_no_other_plugin_but_those_that_they_are_built_upon() -> None:
    for path in PLUGIN_FILES:
        own = path.relative_to(ROOT / "plugins").parts[1]
        known = {own, "reds_core"} | BUILT_UPON.get(own, set())
        assert {i.top for i in imports(path) if i.top.startswith("reds_")} <= known, path


def test_testing_is_only_for_tests() -> None:
    """The kit ships with core, but nothing that runs in production imports it, save what checks."""
    for module, path in CORE_FILES.items():
        if not module.startswith("reds_core.testing"):
            kit = [i for i in imports(path) if core_module(i).startswith("reds_core.testing")]
            assert all(i.deferred or i.typing for i in kit), module
            assert not kit or module in ("reds_core", "reds_core.commands.check"), module


# --- public names ----------------------------------------------------------------------------------------------------


ALL_FACES = ["reds_core", *(f"reds_core.{face}" for face in [*FACES, *PROVISIONAL])]
DOCUMENTS = sorted(
    {ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/**/*.md"), *ROOT.glob("*/README.md")}
)
"""Not the changelog, which also tells of names that are gone."""
USERS = sorted({*ROOT.glob("plugins/**/*.py"), *ROOT.glob("benchmarks/*.py")})
IMPORT_IN_TEXT = re.compile(r"^ *from (reds_core[\w.]*) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)


@pytest.mark.parametrize("face", ALL_FACES)
def test_faces_list_their_names(face: str) -> None:
    module = importlib.import_module(face)
    assert len(module.__all__) == len(set(module.__all__)) > 0
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


@pytest.mark.parametrize("face", [f for f in ALL_FACES[1:] if CORE_FILES[f].name == "__init__.py"])
def test_faces_define_nothing(face: str) -> None:
    docstring, *rest = ast.parse(CORE_FILES[face].read_text()).body
    assert isinstance(docstring, ast.Expr)
    *found, names = rest
    assert all(isinstance(line, ast.ImportFrom) for line in found)
    assert isinstance(names, ast.Assign)
    assert ast.unparse(names.targets[0]) == "__all__"


@pytest.mark.parametrize("face", PROVISIONAL)
def test_faces_that_may_change_say_so(face: str) -> None:
    assert "may change with a minor version" in (importlib.import_module(f"reds_core.{face}").__doc__ or "")


def beside_faces(found: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Of imports of core, as module and name, those that are not `from FACE import NAME` with a public name."""
    return [
        (module, name)
        for module, name in found
        if f"{module}.{name}" not in ALL_FACES
        and (module not in ALL_FACES or (name is not None and name not in importlib.import_module(module).__all__))
    ]


def imports_in_text(text: str) -> list[tuple[str, str | None]]:
    found = [(m[1], m[2] or m[3]) for m in IMPORT_IN_TEXT.finditer(text)]
    return [
        (module, n.split(" as ")[0].strip(" \n\\")) for module, names in found for n in names.split(",") if n.strip()
    ]


@pytest.mark.parametrize("path", USERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_plugins_and_benchmarks_import_public_names_only(path: Path) -> None:
    found = [(i.module, i.name) for i in imports(path) if i.top == "reds_core"]
    texts = [n.value for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Constant)]
    for text in texts:
        if isinstance(text, str):
            found += imports_in_text(text)
    assert beside_faces(found) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documents_tell_people_to_import_public_names_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert beside_faces(imports_in_text(text)) == []
    dotted = [m[1] for m in re.finditer(r"`(reds_core(?:\.\w+)+)", text)]
    named = [whole.rpartition(".") for whole in dotted if whole not in ALL_FACES]
    assert beside_faces([(module, name) for module, _, name in named]) == []


def test_the_page_of_the_architecture_names_every_package_and_every_face() -> None:
    page = (ROOT / "docs" / "extend" / "architecture.md").read_text()
    table = page.partition("| package |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert [name for name in ORDER if name in named] == named
    assert {part(m) for m in CORE_FILES if part(m)} - {"__main__"} == set(named)
    faces = set(re.findall(r"`(reds_core[\w.]*)`", page.partition("## What others may import")[2]))
    assert faces == set(ALL_FACES)


def test_the_page_for_plugin_authors_says_of_every_face_whether_its_names_stay() -> None:
    page = (ROOT / "docs" / "extend" / "plugins.md").read_text().partition("## Names that stay")[2]
    stable, _, provisional = page.partition("may change with a minor version without a warning")

    def faces(text: str) -> set[str]:
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        return {face for row in rows for face in re.findall(r"`(reds_core[\w.]*)`", row)}

    assert faces(stable) == {"reds_core", *(f"reds_core.{face}" for face in FACES)}
    assert faces(provisional) == {f"reds_core.{face}" for face in PROVISIONAL}


def test_no_two_classes_of_core_share_a_name() -> None:
    found: dict[str, list[str]] = {}
    for module, path in CORE_FILES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


# --- direction -------------------------------------------------------------------------------------------------------


@cache
def imported_by(module: str) -> frozenset[str]:
    """Modules of core that `module` imports, for types as well, and also inside functions."""
    found = [core_module(i) for i in imports(CORE_FILES[module]) if i.top == "reds_core"]
    return frozenset(m for m in found if m in CORE_FILES and m != module)


@cache
def reached_from(module: str) -> frozenset[str]:
    reached: set[str] = set()
    todo = [module]
    while todo:
        for each in imported_by(todo.pop()) - reached:
            reached.add(each)
            todo.append(each)
    return frozenset(reached)


def test_no_module_of_core_imports_itself_in_a_circle() -> None:
    assert [m for m in CORE_FILES if m in reached_from(m)] == []


def part(module: str) -> str:
    """The package or module of core that `module` belongs to; empty for core itself."""
    return module.split(".")[1] if "." in module else ""


def test_every_package_of_core_has_its_place_in_the_order() -> None:
    assert {part(m) for m in CORE_FILES if part(m)} - set(ORDER) == set()


@pytest.mark.parametrize("module", [m for m in CORE_FILES if part(m)])
def test_packages_import_only_what_stands_before_them(module: str) -> None:
    mine = part(module)
    allowed = ONLY.get(mine, set(ORDER[: ORDER.index(mine)])) | {mine}
    assert {m for m in imported_by(module) if part(m) not in allowed} == set()


@pytest.mark.parametrize("package", INSIDE_KNAPSACK)
def test_the_packages_inside_knapsack_keep_their_order(package: str) -> None:
    later = tuple(f"reds_core.knapsack.{p}" for p in INSIDE_KNAPSACK[INSIDE_KNAPSACK.index(package) + 1 :])
    for module in [m for m in CORE_FILES if m.startswith(f"reds_core.knapsack.{package}")]:
        assert {m for m in imported_by(module) if m.startswith(later)} == set(), module


def test_relative_and_typing_imports_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "reds_core" / "network" / "new.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        "from typing import TYPE_CHECKING\nfrom . import axis\nfrom ..runs import api\n"
        "if TYPE_CHECKING:\n    from reds_core.cli import run\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    found = [(i.module, i.name, i.typing) for i in imports(source) if i.top == "reds_core"]
    assert found == [
        ("reds_core.network", "axis", False),
        ("reds_core.runs", "api", False),
        ("reds_core.cli", "run", True),
    ]
