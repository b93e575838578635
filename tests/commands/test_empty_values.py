"""An empty text, which a shell variable that is not set leaves, never stands for the current folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from toy_plugins import ToyBits, toy_registry
from toy_runs import Workplace, contents, make_workplace, skip_report
from typer.main import get_command

import reds_core
from reds_core import cli
from reds_core.errors import InputError
from reds_core.runs.formulating import formulate_model
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.latency import measure_latency
from reds_core.runs.recipe import load_recipe
from reds_core.runs.settings import RunSettings


@pytest.fixture
def reds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    return Reds(capsys, monkeypatch)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return place


def parameters() -> Iterator[tuple[str, str, str]]:
    """Every command with every argument and option that takes a value: its name as shown, and as typed."""
    group: Any = get_command(cli.application())
    for name, command in group.commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                yield name, parameter.name.upper(), ""
            elif not getattr(parameter, "is_flag", False) and parameter.name != "help":
                option = max(parameter.opts, key=len)
                yield name, option, option


PARAMETERS = list(parameters())


def arguments_before(command: str, shown: str) -> list[str]:
    """Something for each argument that a command takes before the one that is shown as `shown`."""
    arguments = [name for of, name, typed in PARAMETERS if of == command and not typed]
    return ["x"] * arguments.index(shown)


def test_every_command_is_looked_at() -> None:
    assert {name for name, _, _ in PARAMETERS} > {
        "prune",
        "extract",
        "bench",
        "compare",
        "latency",
        "formulate",
        "solve",
    }
    assert ("prune", "--out", "--out") in PARAMETERS
    assert ("prune", "MODEL", "") in PARAMETERS
    assert len(PARAMETERS) > 80


@pytest.mark.parametrize(("command", "shown", "typed"), PARAMETERS, ids=lambda text: text)
def test_an_empty_value_is_refused_by_every_command(
    reds: Reds, place: Workplace, command: str, shown: str, typed: str
) -> None:
    for arguments in [[typed, ""], [f"{typed}="]] if typed else [[*arguments_before(command, shown), ""]]:
        reds(command, *arguments).check_error(2, f"error: {shown} is empty; give a value or leave it out")
    assert list(Path().iterdir()) == []


def test_a_full_stop_is_the_current_folder(reds: Reds, place: Workplace) -> None:
    done = reds("prune", "../model.keras", "--data", "../data.npz", "--finetune-epochs", "0", "--out", ".")
    assert done.status == 0, done.err
    assert Path("plan.json").exists()


@pytest.mark.parametrize("key", ["model", "data", "out", "latency_table"])
def test_recipes_hold_no_empty_paths(place: Workplace, key: str) -> None:
    path = place.folder / "recipe.yaml"
    path.write_text(f"seed: 1\n{key}: ''\n")
    with pytest.raises(InputError, match=f"line 2: {key} is empty; give a value, or leave the key out"):
        load_recipe(path)
    path.write_text("options: {taylor: {criterion: ''}}\n")
    assert load_recipe(path).settings.options == {"taylor": {"criterion": ""}}


@pytest.mark.parametrize("key", ["model", "data", "out", "recipe"])
def test_python_calls_refuse_empty_paths(place: Workplace, key: str) -> None:
    before = contents(place.folder)
    with pytest.raises(InputError, match=f"^{key} is empty; give a path"):
        place.prune(**{"recipe": None, "settings": None} | {key: ""})
    assert contents(place.folder) == before
    assert not place.out.exists()


def test_other_python_calls_refuse_empty_paths(place: Workplace) -> None:
    registry = toy_registry()
    for call, what in (
        (lambda: load_for_inspection("", registry), "model"),
        (lambda: formulate_model("", None, {"macs": 0.5}, scorer="magnitude", registry=registry), "model"),
        (lambda: formulate_model(place.model, "", {"macs": 0.5}, registry=registry), "data"),
        (lambda: RunSettings(latency_table=""), "latency_table"),
        (lambda: measure_latency(place.model, "", registry=registry), "out"),
        (lambda: measure_latency("", "table.json", registry=registry), "model"),
        (lambda: reds_core.sensitivity("", "d", "toy-bits", "s", registry=toy_registry(ToyBits)), "model"),
        (lambda: reds_core.sensitivity(place.model, "d", "toy-bits", "", registry=toy_registry(ToyBits)), "out"),
        (lambda: reds_core.run_audit("", "d", "a", registry=registry), "folder"),
        (lambda: reds_core.run_audit("r", "d", "", registry=registry), "out"),
        (lambda: reds_core.simulate("", "solar", "pi", "s"), "run"),
        (lambda: reds_core.simulate("d", "solar", "pi", ""), "out"),
        (lambda: reds_core.choose_thresholds("", "d", "t", registry=registry), "model"),
        (lambda: reds_core.choose_thresholds(place.model, "d", "", registry=registry), "out"),
        (lambda: reds_core.run_bench(reds_core.BenchSettings(), ""), "out"),
        (lambda: reds_core.run_comparison(reds_core.CompareSettings(reds_core.Grid(())), ""), "out"),
    ):
        with pytest.raises(InputError, match=f"^{what} is empty; give a path"):
            call()
    assert list(Path().iterdir()) == []
