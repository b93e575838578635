"""Discovery: one broken plugin never stops another, and everything that is wrong is said."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar, get_args, get_type_hints

import numpy as np
import pytest

from reds_core import kinds
from reds_core.discovery import PluginStatus
from reds_core.errors import InputError, UnavailableError, UnsupportedError
from reds_core.hooks import hookspec
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource
from reds_core.knapsack.solver import Solver
from reds_core.plugin import Plugin, PluginOptions, PluginSource
from reds_core.registry import Registry
from reds_core.scoring.scorer import Scorer

SOLVER = """
from dataclasses import dataclass
from reds_core.hooks import hookimpl
from reds_core.knapsack.solution import Answer, Status
from reds_core.knapsack.solver import Claim, Control, Feature, Solver

@dataclass(frozen=True)
class SomeOptions:
    depth: int = 3

class {cls}(Solver):
    name = "{name}"
    features = Feature.{features}
    claims = Claim.{claims}
    controls = Control.NONE
    Options = SomeOptions
    {extra}

    def solve(self, problem, controls):
        return Answer(Status.FEASIBLE, (0,) * len(problem.groups))

@hookimpl
def reds_solvers():
    return [{cls}]
"""
Install = Callable[..., list[EntryPoint]]


def solver_code(name: str, cls: str = "Some", features: str = "ALL", claims: str = "NONE", extra: str = "") -> str:
    return SOLVER.format(name=name, cls=cls, features=features, claims=claims, extra=extra)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a distribution of modules {module: code} and return its entry points, one a module unless given."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def make(
        modules: dict[str, str], dist: str = "third-party", points: dict[str, str] | None = None
    ) -> list[EntryPoint]:
        for module, code in modules.items():
            (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in (points or {m: m for m in modules}).items()]
        (info / "entry_points.txt").write_text("[reds]\n" + "\n".join(lines) + "\n")
        found = importlib.metadata.PathDistribution(info)
        return list(found.entry_points)

    yield make  # type: ignore[misc]
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def problem() -> KnapsackProblem:
    return KnapsackProblem("p", (Group("a", np.array([1, 2]), np.array([1, 2])),))


def test_a_plugin_is_found_and_described(install: Install) -> None:
    registry = Registry(install({"reds_t1": solver_code("fine")}))
    (record,) = registry.records
    assert (record.name, record.kind, record.status, record.detail) == ("fine", "solver", PluginStatus.OK, "")
    assert (record.distribution, record.version) == ("third-party", "1.2")
    assert registry.get(Solver, "fine") is record.plugin
    assert registry.create(Solver, "fine").options.depth == 3
    assert registry.create(Solver, "fine", {"fine": {"depth": "5"}}).options.depth == 5


BROKEN = {
    "import of an absent library": ("import reds_test_absent", "ModuleNotFoundError: .*reds_test_absent"),
    "syntax": ("def", "SyntaxError"),
    "exit at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "no hook": ("x = 1", "implements no hook of reds"),
    "misspelt hook": (
        solver_code("fine") + "\n@hookimpl\ndef reds_solver():\n    return []\n",
        "unknown hook 'reds_solver'",
    ),
    "hook raises": (
        "from reds_core.hooks import hookimpl\n@hookimpl\ndef reds_solvers():\n    raise ValueError('multi\\nline')\n",
        "ValueError: multi line",
    ),
    "hook returns no list": (
        "from reds_core.hooks import hookimpl\n@hookimpl\ndef reds_solvers():\n    return None\n",
        "it returned None, not a list; return a list of subclasses of Solver",
    ),
    "no class": (
        "from reds_core.hooks import hookimpl\n@hookimpl\ndef reds_solvers():\n    return [3]\n",
        "returned 3, which is not a subclass of Solver",
    ),
    "other base": (
        "from reds_core.hooks import hookimpl\n@hookimpl\ndef reds_solvers():\n    return [dict]\n",
        "not a subclass of Solver",
    ),
    "abstract": (
        "from reds_core.hooks import hookimpl\nfrom reds_core.knapsack.solver import Solver\n"
        "class A(Solver):\n    name = 'a'\n"
        "@hookimpl\ndef reds_solvers():\n    return [A]\n",
        "A, which lacks solve",
    ),
    "no name": (solver_code("x").replace('name = "x"', "pass"), "Some, which has no name"),
    "no features": (solver_code("x").replace("features = Feature.ALL", "pass"), "does not declare features"),
    "options that are no dataclass": (
        solver_code("x").replace("@dataclass(frozen=True)", ""),
        "Options is not a frozen dataclass",
    ),
    "options that can change": (
        solver_code("x").replace("@dataclass(frozen=True)", "@dataclass"),
        "Options is not a frozen dataclass",
    ),
    "options of an unknown type": (
        solver_code("x").replace("depth: int = 3", "depth: 'Undefined' = 3"),
        "Options has a type that cannot be resolved .name 'Undefined' is not defined",
    ),
    "options without a default": (
        solver_code("x").replace("depth: int = 3", "depth: int"),
        "Options has no default for depth",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_named_and_stops_no_other(what: str, install: Install) -> None:
    code, message = BROKEN[what]
    points = install({"reds_t_bad": code, "reds_t_a": solver_code("before"), "reds_t_z": solver_code("after")})
    registry = Registry(points)
    broken = [r for r in registry.records if r.status is PluginStatus.BROKEN]
    assert [(r.name, r.kind, r.plugin) for r in broken] == [("reds_t_bad", None, None)]
    assert (broken[0].distribution, broken[0].version) == ("third-party", "1.2")
    assert "\n" not in broken[0].detail
    with pytest.raises(InputError, match=message):
        registry.get(Solver, "reds_t_bad")
    assert set(registry.available(Solver)) == {"before", "after"}


THREE = """
from dataclasses import dataclass
from reds_core.hooks import hookimpl
from reds_core.knapsack.solution import Answer, Status
from reds_core.knapsack.solver import Claim, Control, Feature, Solver

class First(Solver):
    name = "first"
    features = Feature.ALL
    claims = Claim.NONE
    controls = Control.NONE

    def solve(self, problem, controls):
        return Answer(Status.FEASIBLE, (0,) * len(problem.groups))

class Last(First):
    name = "last"

{bad}

@hookimpl
def reds_solvers():
    return [First, Bad, Last]
"""
BAD_CLASSES = {
    "abstract": ("class Bad(Solver):\n    name = 'bad'", "returned Bad, which lacks solve"),
    "of another kind": (
        "class Bad:\n    name = 'bad'",
        "returned <class 'reds_t_three.Bad'>, which is not a subclass of",
    ),
    "no class": ("Bad = 7", "returned 7, which is not a subclass of Solver"),
    "without a name": ("class Bad(First):\n    name = ''", "returned Bad, which has no name"),
    "without features": (
        "class Bad(Solver):\n    name = 'bad'\n    def solve(self, problem, controls):\n        raise ValueError",
        "returned Bad, which does not declare features, claims, controls",
    ),
    "with options that can change": (
        "@dataclass\nclass Loose:\n    x: int = 1\nclass Bad(First):\n    name = 'bad'\n    Options = Loose",
        "returned Bad, whose Options is not a frozen dataclass",
    ),
    "with one text as its libraries": (
        "class Bad(First):\n    name = 'bad'\n    requires = 'numpy'",
        "returned Bad, whose requires is not a tuple of import names",
    ),
    "that fails when it is asked what it lacks": (
        "class Bad(First):\n    name = 'bad'\n    @classmethod\n    def missing(cls):\n        raise OSError('off')",
        "Bad failed with OSError: off",
    ),
}


@pytest.mark.parametrize("what", BAD_CLASSES)
def test_a_broken_class_leaves_the_others_of_its_package_usable(what: str, install: Install) -> None:
    code, why = BAD_CLASSES[what]
    registry = Registry(install({"reds_t_three": THREE.format(bad=code)}))
    assert set(registry.available(Solver)) == {"first", "last"}
    (broken,) = [r for r in registry.records if r.status is PluginStatus.BROKEN]
    assert (broken.name, broken.kind, broken.plugin, broken.distribution) == ("reds_t_three", None, None, "third-party")
    assert why in broken.detail
    assert next(registry.solvers_for(problem())).name == "first"


def test_every_broken_class_of_a_package_is_listed(install: Install) -> None:
    bad = "class Bad(Solver):\n    name = 'bad'\nclass Worse(Solver):\n    name = 'worse'\n"
    code = THREE.format(bad=bad).replace("[First, Bad, Last]", "[Worse, First, Bad, Last]")
    registry = Registry(install({"reds_t_three": code}))
    assert set(registry.available(Solver)) == {"first", "last"}
    details = [r.detail for r in registry.records if r.status is PluginStatus.BROKEN]
    assert [[w for w in ("Bad", "Worse") if w in d] for d in details] == [["Worse"], ["Bad"]]


@pytest.mark.parametrize("error", ["ValueError('on purpose')", "SystemExit(3)"])
def test_a_hook_that_raises_leaves_the_other_hooks_of_its_package_usable(error: str, install: Install) -> None:
    code = THREE.format(bad="Bad = Last").replace("[First, Bad, Last]", "[First, Last]")
    code += f"\n@hookimpl\ndef reds_scorers():\n    raise {error}\n"
    registry = Registry(install({"reds_t_three": code}))
    assert set(registry.available(Solver)) == {"first", "last"}
    (broken,) = [r for r in registry.records if r.status is PluginStatus.BROKEN]
    assert (
        broken.detail
        == f"hook 'reds_scorers' failed with {error.split('(')[0]}: {error.split('(')[1].strip(chr(39) + ')')}"
    )


def test_a_hook_that_fails_halfway_has_offered_what_it_gave_before(install: Install) -> None:
    code = THREE.format(bad="Bad = Last").replace(
        "return [First, Bad, Last]", "yield First\n    raise ValueError('tired')"
    )
    registry = Registry(install({"reds_t_three": code}))
    assert set(registry.available(Solver)) == {"first"}
    (broken,) = [r for r in registry.records if r.status is PluginStatus.BROKEN]
    assert broken.detail == "hook 'reds_solvers' failed with ValueError: tired"


# --- kinds ----------------------------------------------------------------------------------------------------------


class Gadget(Plugin, ABC):
    """A kind of plugin that reds does not have. A gadget works with all solvers that are installed."""

    kind = "gadget"
    declares = ("colour",)
    colour: ClassVar[str]
    solvers: tuple[Solver, ...] = ()

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        self.solvers = tuple(source.create(Solver, name, settings) for name in source.available(Solver))

    @abstractmethod
    def turn(self) -> int: ...


@hookspec
def reds_gadgets() -> Sequence[type[Gadget]]:
    """The gadget classes of a plugin package."""
    raise NotImplementedError


GADGETS = """
from test_registry_kind import Gadget
from reds_core.hooks import hookimpl

class Red(Gadget):
    name = "red"
    colour = "red"
    def turn(self):
        return 1

class Colourless(Gadget):
    name = "colourless"
    def turn(self):
        return 2

class Still(Gadget):
    name = "still"
    colour = "blue"

@hookimpl
def reds_gadgets():
    return [Red, Colourless, Still]
"""


def test_a_new_kind_is_one_class_and_one_hook_specification(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "test_registry_kind", types.SimpleNamespace(Gadget=Gadget))
    specifications = types.SimpleNamespace(**vars(kinds), reds_gadgets=reds_gadgets)
    points = install({"reds_t_gadgets": GADGETS, "reds_t_solver": solver_code("fine")})
    registry = Registry(points, specifications)
    found = [(r.name, r.kind, r.status) for r in registry.records]
    assert found == [
        ("fine", "solver", PluginStatus.OK),
        ("red", "gadget", PluginStatus.OK),
        ("reds_t_gadgets", None, PluginStatus.BROKEN),
        ("reds_t_gadgets", None, PluginStatus.BROKEN),
    ]
    assert "Colourless, which does not declare colour" in registry.records[2].detail
    assert "Still, which lacks turn" in registry.records[3].detail
    gadget = registry.create(Gadget, "red", {"fine": {"depth": "7"}})
    assert [(s.name, s.options.depth) for s in gadget.solvers] == [("fine", 7)]
    with pytest.raises(
        InputError, match=r"unknown gadget 'green'; installed: red; broken: reds_t_gadgets, see `reds_core.plugins`"
    ):
        registry.get(Gadget, "green")
    with pytest.raises(InputError, match=r"plugin 'reds_t_gadgets' is broken .*unknown hook 'reds_gadgets'"):
        Registry(points).get(Solver, "reds_t_gadgets")


def test_every_kind_has_a_name_of_its_own() -> None:
    hooks = [hook for name, hook in vars(kinds).items() if name.startswith("reds_")]
    bases = [get_args(get_args(get_type_hints(hook)["return"])[0])[0] for hook in hooks]
    assert [base.kind for base in bases] == [
        "solver",
        "scorer",
        "pruner",
        "framework",
        "layers",
        "transform",
        "target",
        "governor",
    ]


def test_an_interrupt_during_discovery_passes(install: Install) -> None:
    points = install({"reds_t_stop": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        Registry(points)


def test_a_missing_library_makes_a_plugin_unavailable(install: Install) -> None:
    needy = solver_code("needy", extra='requires = ("reds_test_absent", "numpy")')
    told = solver_code("told", extra='requires = ("reds_test_absent",)\n    install = "pip install it[all]"')
    registry = Registry(install({"reds_t_needy": needy, "reds_t_told": told}))
    assert [(r.name, r.kind, r.status) for r in registry.records] == [
        ("needy", "solver", PluginStatus.UNAVAILABLE),
        ("told", "solver", PluginStatus.UNAVAILABLE),
    ]
    assert registry.available(Solver) == {}
    with pytest.raises(UnavailableError, match="needs reds_test_absent: pip install reds_test_absent") as caught:
        registry.create(Solver, "needy")
    assert caught.value.exit_status == 2
    with pytest.raises(UnavailableError, match=r"pip install it\[all\]"):
        registry.get(Solver, "told")


def test_found_twice_with_one_value_is_one_plugin(install: Install) -> None:
    points = install({"reds_t_twice": solver_code("twice")})
    again = install({}, dist="again", points={"reds_t_twice": "reds_t_twice"})
    renamed = install({}, dist="renamed", points={"other": "reds_t_twice"})
    registry = Registry([*points, *again, *renamed])
    assert [(r.name, r.status) for r in registry.records] == [("twice", PluginStatus.OK)]


def test_two_plugins_of_one_name_and_kind_are_broken_both(install: Install) -> None:
    points = install({"reds_t_one": solver_code("same"), "reds_t_fine": solver_code("fine")})
    points += install({"reds_t_two": solver_code("same")}, dist="other-party")
    registry = Registry(points)
    broken = [r for r in registry.records if r.status is PluginStatus.BROKEN]
    assert {(r.name, r.distribution) for r in broken} == {("same", "third-party"), ("same", "other-party")}
    with pytest.raises(InputError, match=r"two solvers are named 'same', in .*other-party 1\.2.*uninstall one"):
        registry.get(Solver, "same")
    assert set(registry.available(Solver)) == {"fine"}


def test_one_name_in_two_kinds_is_no_conflict(install: Install) -> None:
    scorer = """
        from reds_core.hooks import hookimpl
        from reds_core.scoring.scorer import Scorer
        class S(Scorer):
            name = "same"
            needs_data = False
            def score(self, *args):
                raise NotImplementedError
        @hookimpl
        def reds_scorers():
            return [S]
        """
    registry = Registry(install({"reds_t_one": solver_code("same"), "reds_t_scorer": scorer}))
    assert [(r.name, r.kind, r.status) for r in registry.records] == [
        ("same", "solver", PluginStatus.OK),
        ("same", "scorer", PluginStatus.OK),
    ]
    assert registry.get(Scorer, "same") is not registry.get(Solver, "same")


def test_unknown_names_are_answered_with_what_there_is(install: Install) -> None:
    registry = Registry(install({"reds_t_a": solver_code("cpsat"), "reds_t_b": solver_code("other")}))
    with pytest.raises(InputError, match=r"unknown solver 'cpsta'; did you mean 'cpsat'\? installed: cpsat, other"):
        registry.get(Solver, "cpsta")
    with pytest.raises(InputError, match="unknown scorer 'cpsat'; installed: none"):
        registry.get(Scorer, "cpsat")


def test_auto_takes_exact_solvers_first_and_then_those_with_a_bound(install: Install) -> None:
    modules = {
        "reds_t_a": solver_code("aaa"),
        "reds_t_b": solver_code("bounding", claims="BOUND"),
        "reds_t_c": solver_code("exact", claims="OPTIMAL", features="PAIR_TERMS"),
        "reds_t_d": solver_code("eager", extra="auto_rank = 10", features="BOUNDS"),
        "reds_t_e": solver_code("picky", extra="auto_rank = 1\n    def refusal(self, problem):\n        return 'no'"),
    }
    registry = Registry(install(modules))
    assert next(registry.solvers_for(problem())).name == "eager"
    two = (Group("a", np.array([1]), np.array([1])), Group("b", np.array([1]), np.array([1])))
    assert next(registry.solvers_for(KnapsackProblem("p", two, (Pair(0, 1),)))).name == "exact"
    peak = KnapsackProblem("p", two, (), (PeakResource("ram", 3),))
    assert next(registry.solvers_for(peak)).name == "bounding"


def test_auto_says_why_none_takes_a_problem(install: Install) -> None:
    modules = {
        "reds_t_a": solver_code("flat", features="NONE"),
        "reds_t_b": solver_code("picky", extra="def refusal(self, problem):\n        return 'too large'"),
    }
    registry = Registry(install(modules))
    peak = KnapsackProblem("p", problem().groups, (), (PeakResource("ram", 3),))
    with pytest.raises(UnsupportedError, match=r"flat: it does not handle peak; picky: too large"):
        next(registry.solvers_for(peak))


def test_the_installed_plugins_are_all_fine() -> None:
    records = Registry().records
    assert [f"{r.name}: {r.detail}" for r in records if r.status is PluginStatus.BROKEN] == []
    assert "greedy" in Registry().available(Solver)


def test_discovery_imports_no_library_behind_a_plugin() -> None:
    code = """
        import sys
        from reds_core.registry import Registry
        Registry()
        heavy = {"tensorflow", "keras", "ortools", "pulp", "scipy", "highspy", "sklearn", "matplotlib", "pandas"}
        print(sorted(heavy & set(sys.modules)))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
