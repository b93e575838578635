"""What a run returns: members by name, models and files from the folder, and tables for people to read."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, describe
from toy_plugins import toy_registry
from toy_runs import Workplace, make_workplace

import reds_core
from reds_core.commands.setting_options import attribute_texts
from reds_core.errors import InputError
from reds_core.plan import Plan, SubnetworkRecord, plan_text
from reds_core.plan import load_plan as load_records
from reds_core.runs.saved_plan import (
    SavedFull,
    SavedPlan,
    SavedSubnetwork,
    UnknownSubnetworkError,
    load_plan,
    saved_plan,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = make_workplace(tmp_path_factory.mktemp("run"))
    place.prune()
    return place


@pytest.fixture
def plan(place: Workplace) -> SavedPlan:
    return saved_plan(load_records(place.out), place.out, registry=toy_registry())


def test_prune_and_load_plan_return_the_same_plan_with_its_folder(tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    made = place.prune()
    assert isinstance(made, SavedPlan)
    assert made.folder == place.out
    for path in (place.out, str(place.out), place.out / "plan.json", str(place.out / "plan.json")):
        read = reds_core.load_plan(path)
        assert (read, read.folder) == (made, place.out)
        assert load_records(path) == made


def test_the_folder_is_not_part_of_the_file(place: Workplace, plan: SavedPlan) -> None:
    assert plan_text(plan) == (place.out / "plan.json").read_text()
    assert str(place.out) not in json.dumps(dataclasses.asdict(plan["50"]))


def test_members_by_name(plan: SavedPlan) -> None:
    assert plan["50"] == plan.subnetworks[1] == list(plan)[1]
    assert plan.names == ("25", "50", "75")
    assert len(plan) == 3
    assert "50" in plan
    assert plan["50"] in plan
    assert "51" not in plan
    assert bool(dataclasses.replace(plan, subnetworks=()))


@pytest.mark.parametrize("name", ["51", 50, None])
def test_an_unknown_name_is_a_key_error_that_lists_the_names(plan: SavedPlan, name: str) -> None:
    with pytest.raises(KeyError) as caught:
        _ = plan[name]
    assert isinstance(caught.value, UnknownSubnetworkError)
    assert "'25', '50', '75'" in str(caught.value)
    assert "51" in str(caught.value) or type(name).__name__ in str(caught.value)


def test_models_are_loaded_through_the_framework(place: Workplace, plan: SavedPlan) -> None:
    member = plan["50"]
    assert describe(member.load()).channels == member.widths
    full = ToyFramework().load_model(place.out / "nested.keras")
    np.testing.assert_array_equal(plan.full.load().weights["stem/kernel"], full.weights["stem/kernel"])


def test_paths_of_files(place: Workplace, plan: SavedPlan) -> None:
    assert plan["50"].path() == plan["50"].path("keras") == place.out / "subnet-50.keras"
    assert plan["50"].path("tflite_int8") == place.out / "subnet-50-int8.tflite"
    assert plan.full.path() == place.out / "nested.keras"
    with pytest.raises(InputError, match=r"'onnx' is unknown .* choose from: keras, tflite, tflite_int8"):
        plan["50"].path("onnx")
    without = dataclasses.replace(plan["50"], files={"keras": "a.keras", "tflite": None})
    with pytest.raises(InputError, match=r"'tflite' was not written .* choose from: keras"):
        without.path("tflite")


def test_plans_and_members_are_paths(place: Workplace, plan: SavedPlan) -> None:
    assert os.fspath(plan) == str(place.out)
    assert os.fspath(plan["50"]) == str(plan["50"].path())
    assert os.fspath(plan.full) == str(plan.full.path())
    assert reds_core.write_report(plan) == place.out / "report.html"
    assert reds_core.inspect(plan["50"], registry=toy_registry(), verbose=0).usage["macs"] == plan["50"].usage["macs"]


def test_a_missing_model_file_is_an_error_of_the_product(plan: SavedPlan) -> None:
    gone = dataclasses.replace(plan["50"], files={"keras": "gone.keras"})
    with pytest.raises(InputError, match=r"gone\.keras"):
        gone.load()


def test_plans_compare_by_their_records(place: Workplace, plan: SavedPlan) -> None:
    records = load_records(place.out)
    assert plan == records
    assert records == plan
    assert plan["50"] == records.subnetworks[1]
    assert records.full == plan.full
    assert plan != dataclasses.replace(records, seed=1)
    assert plan != "a plan"
    assert type(records) is Plan
    assert type(records.subnetworks[0]) is SubnetworkRecord


def test_plans_can_be_copied_and_changed(place: Workplace) -> None:
    plan = load_plan(place.out)
    for copied in (dataclasses.replace(plan), copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        assert copied == plan
        assert copied["50"].path() == plan["50"].path()
    changed = dataclasses.replace(plan["50"], wall_s=None)
    assert isinstance(changed, SavedSubnetwork)
    assert changed.wall_s is None
    assert changed.folder == place.out


def test_reprs_are_short_and_name_the_essentials(plan: SavedPlan) -> None:
    assert repr(plan) == f"<SavedPlan in '{plan.folder}', subnetworks: 25, 50, 75>"
    assert repr(plan["50"]).startswith("<SavedSubnetwork '50': macs 132, params 82, peak_ram 36, accuracy 0.")
    assert repr(load_records(plan.folder)) == "<Plan of pruner 'nested' and scorer 'taylor', subnetworks: 25, 50, 75>"


def test_texts_fit_into_a_screen(plan: SavedPlan) -> None:
    lines = str(plan).splitlines()
    assert str(plan.folder) in lines[0]
    assert lines[1].split() == [
        *("network", "macs", "params", "peak_ram", "before", "keras", "tflite", "int8", "proof")
    ]
    assert [line.split()[0] for line in lines[2:6]] == ["full", "75", "50", "25"]
    assert max(map(len, lines[1:])) <= 80
    assert "stem 4, inside 3" in str(plan["50"])
    assert "subnet-50.keras" in str(plan["50"])
    assert len(str(plan["50"]).splitlines()) < 20


def test_notebooks_show_tables(plan: SavedPlan) -> None:
    assert "<table>" in plan._repr_html_()
    assert "<table>" in plan["50"]._repr_html_()


def test_the_report_is_opened_in_a_browser(place: Workplace, plan: SavedPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    path = plan.open_report()
    assert path == place.out / "report.html"
    assert opened == [path.as_uri()]
    elsewhere = saved_plan(plan, place.folder)
    with pytest.raises(InputError, match=r"holds no report.html"):
        elsewhere.open_report()


def test_imports_are_never_taken_from_the_file(place: Workplace, tmp_path: Path) -> None:
    """Only the caller says which code is run: a plan from elsewhere may name any file."""
    marker = tmp_path / "ran"
    code = tmp_path / "layers.py"
    code.write_text(f"open({str(marker)!r}, 'w').close()\n")
    records = load_records(place.out)
    named = dataclasses.replace(records, options={**records.options, "imports": [str(code)]})
    saved_plan(named, place.out, registry=toy_registry())["50"].load()
    assert not marker.exists()


@pytest.mark.parametrize("cls", [SavedPlan, SavedSubnetwork, SavedFull])
def test_help_explains_every_field(cls: type[Any]) -> None:
    explained = attribute_texts(cls)
    assert [field.name for field in dataclasses.fields(cls) if not explained.get(field.name)] == []
