"""Every command is one call of `reds_core`: the command reads options and prints, the call does the work."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from command_line import Reds, write_problem
from reds_dp import DpSolver
from reds_greedy import GreedySolver
from toy_devices import ToyDevice
from toy_framework import residual_model, toy_arrays
from toy_latency import TimedToyFramework, timed_registry
from toy_plugins import FIRST_PARTY, BruteSolver, IdleSolver, PluginModule, toy_registry
from toy_runs import BUDGETS, NO_TRAINING, Workplace, without_times

import reds_core
from reds_core import cli
from reds_core.bench.runner import BenchSettings
from reds_core.compare.grid import Grid
from reds_core.compare.runner import CompareSettings
from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import ContractViolation, InputError
from reds_core.knapsack.file import load_problem, problem_digest
from reds_core.knapsack.solution import Status
from reds_core.knapsack.solver import Controls
from reds_core.plan import load_plan
from reds_core.runs.options import LatencyOptions, PruneOptions, WidthOptions
from reds_core.system.records import to_json

CALLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plugins": ("plugins", ()),
    "inspect": ("inspect", ("m.keras",)),
    "formulate": ("formulate_model", ("m.keras", "--budget", "macs=0.5", "--out", "p.npz")),
    "latency": ("measure_latency", ("m.keras", "--out", "t.json")),
    "sensitivity": ("sensitivity", ("m.keras", "--data", "d.npz", "--transform", "t", "--out", "s")),
    "exits": ("exits", ("m.keras", "--out", "e.keras")),
    "thresholds": ("choose_thresholds", ("m.keras", "--data", "d.npz", "--out", "t")),
    "solve": ("solve", ("p.npz",)),
    "convert": ("convert_problem", ("p.npz", "p.mps")),
    "prune": ("prune", ("m.keras",)),
    "extract": ("extract", ("out", "--budget", "macs=0.4")),
    "export": ("export", ("out", "--target", "c-engine", "--out", "d")),
    "audit": ("run_audit", ("out", "--data", "d.npz", "--out", "a")),
    "suite": ("export_suite", ("export", "tiny", "d")),
    "evaluate": ("evaluate", ("m.keras", "--data", "d.npz")),
    "profile": ("profile", ("f.tflite", "--on", "litert")),
    "simulate": ("simulate", ("out", "--trace", "solar", "--governor", "pi", "--out", "d")),
    "report": ("write_report", ("out",)),
    "bench": ("run_bench", ("p.npz",)),
    "compare": ("run_comparison", ("r.yaml",)),
    "new": ("new_plugin", ("solver", "acme")),
    "check": ("check", ("nested",)),
}
"""For each command its call, and arguments that are enough to reach it."""
MORE_CALLS = {"plugins": ("describe_plugin",)}
"""Other calls of a command, which take the rest of its options."""
PRINTING = {"quiet", "verbose", "as_json"}
KEYWORDS: dict[str, set[str]] = {
    "prune": set(PruneOptions.__annotations__),
    "formulate": set(WidthOptions.__annotations__),
    "latency": set(LatencyOptions.__annotations__),
}
"""What calls take as `**more`."""
SETTINGS: dict[str, tuple[type[Any], ...]] = {
    "bench": (BenchSettings,),
    "compare": (CompareSettings, Grid),
}
"""What the arguments of a call hold besides: fields that options of the command set."""
OTHER_NAMES = {
    "option": "options",
    "budget": "budgets",
    "metric": "metrics",
    "suite": "suites",
    "governor": "governors",
    "transform": "transforms",
    "target": "targets",
    "resume": "mode",
    "no_int8": "int8",
    "overwrite": "mode",
}
UNITS = ("_s", "_bytes")


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(cli.application())
    return dict(group.commands)


def call_of(command: str) -> Any:
    return getattr(reds_core, CALLS[command][0])


def test_every_command_has_its_call() -> None:
    assert set(CALLS) == set(commands())
    assert {name for name, _ in CALLS.values()} <= set(reds_core.__all__)


@pytest.mark.parametrize("command", CALLS)
def test_calls_are_documented(command: str) -> None:
    text = inspect.getdoc(call_of(command)) or ""
    assert f"This is what `reds {command}` does" in text
    arguments = inspect.signature(call_of(command)).parameters
    assert [p for p in arguments if not re.search(rf"^    {p}: [A-Z]", text, re.MULTILINE)] == []
    for part in ("Returns", *(["Args", "Raises"] if arguments else []), "Example"):
        assert f"\n{part}:\n" in text, part
    page = (Path(__file__).parents[2] / "docs" / "guide" / "python.md").read_text()
    assert f"| `reds {command}` | `{CALLS[command][0]}(" in page


@pytest.mark.parametrize("command", CALLS)
def test_every_option_is_an_argument_or_a_setting(command: str) -> None:
    arguments = set(inspect.signature(call_of(command)).parameters) | KEYWORDS.get(command, set())
    for name in MORE_CALLS.get(command, ()):
        arguments |= set(inspect.signature(getattr(reds_core, name)).parameters)
    arguments |= {field.name for cls in SETTINGS.get(command, ()) for field in dataclasses.fields(cls)}
    if command == "formulate":
        arguments |= {"out"}  # the file to which the command saves what the call returns
    if command == "convert":
        arguments |= {"solution"}  # has a call of its own, `check_solution`
    if command == "suite":
        arguments |= {"action"}  # says which call is made: `suites` or `export_suite`
    for parameter in commands()[command].params:
        name = OTHER_NAMES.get(parameter.name, parameter.name)
        if name not in PRINTING | {"help"}:
            assert {name, str(parameter.name), *(name + unit for unit in UNITS)} & arguments, name


@pytest.mark.parametrize("command", CALLS)
def test_defaults_are_those_of_the_command_line(command: str) -> None:
    options = {p.name: p.default for p in commands()[command].params if p.name != "verbose"}
    for name, argument in inspect.signature(call_of(command)).parameters.items():
        option = options.get(name, options.get(name.removesuffix("_bytes")))
        if isinstance(option, str | int | float) and argument.default is not None and not callable(option):
            default = getattr(argument.default, "value", argument.default)
            assert default == option or (default, option) == ((), None), name


@pytest.mark.parametrize("command", CALLS)
def test_commands_make_their_calls(reds: Reds, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, arguments = CALLS[command]

    def called(*given: Any, **named: Any) -> Any:
        inspect.signature(real).bind(*given, **named)
        raise InputError("the call was made", "this is a test")

    real = call_of(command)
    home = "reds_core.testing" if command == "check" else real.__module__
    monkeypatch.setattr(importlib.import_module(home), name, called)
    reds(command, *arguments).check_error(2, "the call was made")
    assert list(tmp_path.iterdir()) == []


# --- command and call agree -----------------------------------------------------------------------------------------


def facts(found: Any) -> Any:
    return json.loads(to_json(found))


def test_plugins_agree(reds: Reds) -> None:
    listed = reds("plugins", "--json").json
    found = [{key: getattr(record, key) for key in listed[0]} for record in reds_core.plugins()]
    assert facts(found) == listed


def test_inspect_agrees(reds: Reds, place: Workplace) -> None:
    printed = reds("inspect", place.model, "--element-size", 4, "--json").json
    assert facts(reds_core.inspect(place.model, element_size=4)) == printed
    assert facts(reds_core.inspect(residual_model(), element_size=4, registry=toy_registry())) == printed


def test_formulate_and_solve_agree(reds: Reds, place: Workplace) -> None:
    path = place.folder / "p.npz"
    reds("formulate", place.model, "--data", place.data, "--budget", "macs=0.5", "--out", path)
    formulated = reds_core.formulate_model(place.model, place.data, {"macs": 0.5}).problem
    assert problem_digest(formulated) == problem_digest(load_problem(path))
    printed = reds("solve", path, "--json").json
    for asked in (path, str(path), formulated):
        for solver in ("auto", "brute", BruteSolver()):
            solution = reds_core.solve(asked, solver)
            assert (solution.widths, solution.value) == (printed["widths"], printed["value"])


def test_a_model_object_is_formulated_and_timed(tmp_path: Path) -> None:
    model, data = residual_model(), toy_arrays(residual_model())
    examples = ((data["x_train"], data["y_train"]), (data["x_test"], data["y_test"]))
    problem = reds_core.formulate_model(model, examples, {"macs": 0.5}, registry=toy_registry()).problem
    assert problem.name == "residual-50"
    settings = LatencySettings(points=2, repeats=10, checks=1)
    for _ in range(2):  # the second call goes on, which it does for the same model only
        table = reds_core.measure_latency(model, tmp_path / "t.json", settings, registry=timed_registry())
        assert table.complete


def test_latency_agrees(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, TimedToyFramework)))
    out = place.folder / "t.json"
    printed = reds("latency", place.model, "--points", 2, "--repeats", 20, "--out", out, "--json").json
    table = reds_core.measure_latency(str(place.model), str(out), points=2, repeats=20)
    assert facts(table) == printed


def test_prune_and_extract_agree(reds: Reds, place: Workplace) -> None:
    options = ("--scorer", "magnitude", "--finetune-epochs", 0, "--seed", 3)
    reds("prune", place.model, "--data", place.data, "--budget", "macs=0.75,0.5,0.25", *options, "--out", place.out)
    other = place.folder / "other"
    arguments: dict[str, Any] = {"scorer": "magnitude", "finetune_epochs": 0, "seed": 3}
    plan = reds_core.prune(place.model, place.data, BUDGETS, other, **arguments)
    assert without_times(plan) == without_times(load_plan(place.out))
    reds("extract", place.out, "--budget", "macs=0.4")
    member = reds_core.extract(str(other), {"macs": 0.4})
    (same,) = [s for s in load_plan(place.out).subnetworks if s.name == "40"]
    assert dataclasses.replace(member, wall_s=None) == dataclasses.replace(same, wall_s=None)


def test_check_agrees(reds: Reds) -> None:
    printed = reds("check", "nested", "--json").json
    (report,) = reds_core.check("nested")
    assert [(r["name"], r["outcome"]) for r in printed[0]["results"]] == [
        (r.name, r.outcome.value) for r in report.results
    ]


# --- arguments ------------------------------------------------------------------------------------------------------


class Elsewhere(os.PathLike[str]):
    """A path that is neither a text nor a Path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_paths_may_be_of_any_kind(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, TimedToyFramework)))
    model, data = Elsewhere(place.model), Elsewhere(place.data)
    plan = reds_core.prune(model, data, BUDGETS, Elsewhere(place.out), settings=NO_TRAINING)
    assert load_plan(place.out) == plan
    assert reds_core.inspect(model).usage["macs"] == plan.full.usage["macs"]
    assert reds_core.extract(Elsewhere(place.out), ["macs=0.4"]).name == "40"
    formulation = reds_core.formulate_model(model, data, {"macs": 0.5}, imports=())
    path = place.folder / "p.npz"
    reds_core.save_problem(formulation.problem, path)
    assert reds_core.solve(Elsewhere(path)).status is Status.OPTIMAL
    table = place.folder / "t.json"
    assert reds_core.measure_latency(model, Elsewhere(table), LatencySettings(points=2, repeats=10)).complete
    again = place.folder / "again"
    recipe = Elsewhere(place.out / "recipe.yaml")
    repeated = reds_core.prune(recipe=recipe, out=Elsewhere(again))
    assert without_times(repeated).subnetworks == without_times(plan).subnetworks


def test_solve_keeps_to_what_it_is_asked(tmp_path: Path) -> None:
    path = write_problem(tmp_path / "p.npz", capacity=7)
    registry = toy_registry(IdleSolver)
    found = reds_core.solve(path, "brute", time_limit=2.5, seed=3, threads=2, memory_limit="2GiB", registry=registry)
    told = " ".join(found.detail)
    assert all(f"does not honour {control}" in told for control in ("time_limit", "seed", "threads", "memory_limit"))
    assert reds_core.solve(path, "brute", time_limit=None, memory_limit=2**31, registry=registry).value == found.value
    assert "does not honour gap" in reds_core.solve(path, "brute", gap=0.01, registry=registry).detail
    assert reds_core.solve(path, "idle", registry=registry).choice is None
    limits = Controls(2.5, seed=3, threads=2, hint=(0,) * len(load_problem(path).groups))
    told = " ".join(reds_core.solve(path, "brute", limits, registry=registry).detail)
    assert all(f"does not honour {control}" in told for control in ("time_limit", "seed", "threads", "hint"))
    for arguments, why in (
        ({"time_limit": 0}, "time limit 0 is not above 0"),
        ({"threads": 0}, "threads 0 is below 1"),
        ({"memory_limit": "much"}, "memory limit 'much' is not an amount"),
        ({"solver": "brut"}, "unknown solver 'brut'; did you mean 'brute'"),
        ({"options": {"brute": {"x": "1"}}}, "solver 'brute' has no option 'x'"),
        ({"problem": ""}, "problem is empty"),
        ({"problem": tmp_path / "none.npz"}, "does not exist"),
    ):
        with pytest.raises(InputError, match=why):
            reds_core.solve(**{"problem": path, "registry": registry, **arguments})


def test_a_solver_object_is_guarded_as_others_are(tmp_path: Path) -> None:
    class Wrong(BruteSolver):
        name = "wrong"

        def solve(self, problem: Any, controls: Any) -> Any:
            return dataclasses.replace(super().solve(problem, controls), bound=0)

    with pytest.raises(ContractViolation):
        reds_core.solve(write_problem(tmp_path / "p.npz", capacity=7), Wrong(), registry=toy_registry())


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_snippets_of_the_page_run(
    reds: Reds, place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, with a small model and data in the folder. What starts processes is left out."""
    monkeypatch.chdir(place.folder)
    device = type("LiteRt", (ToyDevice,), {"name": "litert"})
    reds.install(PluginModule("toy", (*FIRST_PARTY, TimedToyFramework, DpSolver, GreedySolver, device)))
    page = (Path(__file__).parents[2] / "docs" / "guide" / "python.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(snippets) >= 8
    namespace: dict[str, Any] = {"__name__": "page"}
    for snippet in snippets:
        if "import keras" in snippet:  # run by the tests of the plugin for Keras
            continue
        exec(compile(snippet, "docs/guide/python.md", "exec"), namespace)
    assert "Status.OPTIMAL" in capsys.readouterr().out


ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "plugins" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def calls_on_page(page: Path) -> list[tuple[str, ast.Call]]:
    """The calls of public functions in the Python blocks of a page, with the names of the functions."""
    found = []
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        tree = ast.parse(block)
        nodes = list(ast.walk(tree))
        imported = {
            alias.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "reds_core" for alias in n.names
        }
        for node in nodes:
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                name = called.removeprefix("reds_core.")
                if name in reds_core.__all__ and (name != called or name in imported):
                    found.append((name, node))
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if calls_on_page(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_calls_on_pages_have_the_arguments_of_the_functions(page: Path) -> None:
    for name, call in calls_on_page(page):
        function = getattr(reds_core, name)
        if inspect.isfunction(function) and not any(isinstance(each, ast.Starred) for each in call.args):
            named = {keyword.arg for keyword in call.keywords if keyword.arg}
            inspect.signature(function).bind_partial(*call.args, **dict.fromkeys(named))
            if "more" in inspect.signature(function).parameters:
                known = set(inspect.signature(function).parameters) | set(PruneOptions.__annotations__)
                known |= set(LatencyOptions.__annotations__)
                assert named <= known, (name, named - known)


def test_many_pages_have_calls() -> None:
    assert len([page for page in PAGES if calls_on_page(page)]) > 8
