"""What devices that join runs make of the files, in the plan and the report."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from html_pages import Page
from sample_streams import Loader
from toy_devices import JoiningDevice, Lacking, ToyDevice
from toy_framework import residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace

import reds_core
from reds_core.errors import InputError
from reds_core.framework.data import Arrays
from reds_core.plan import Plan, load_plan
from reds_core.report import write_report
from reds_core.runs import device_figures
from reds_core.runs.device_figures import most_examples, spread

REGISTRY = toy_registry(JoiningDevice, ToyDevice)
BUDGETS = {"macs": [0.75, 0.5]}


def pruned(place: Workplace, **more: Any) -> Plan:
    asked: dict[str, Any] = {"settings": NO_TRAINING, "budgets": BUDGETS, "registry": REGISTRY}
    return place.prune(**(asked | more))


def test_accuracy_and_memory_are_in_the_plan(place: Workplace) -> None:
    pruned(place)
    plan = load_plan(place.out)
    for record in (*plan.subnetworks, plan.full):
        found = record.devices["toy_board"]
        profile = JoiningDevice().profile(place.out / found.file, "slow")
        assert found.file == record.files["tflite_int8"]
        assert (found.arena, found.arena_head) == (profile.arena, profile.arena_head)
        assert record.accuracy.exported["toy_board"] == 0.25
        assert found.examples == len(toy_arrays(residual_model())["x_test"])
        assert found.same_answers == 0.8
        assert list(record.devices) == ["toy_board"], "the other device joins no runs"


def test_names_have_hyphens_in_plans_of_version_2(place: Workplace) -> None:
    plan = pruned(place, targets=("tflite-int8",))
    assert [list(record.devices) for record in plan.subnetworks] == [["toy-board"]] * 2
    assert "toy-board" in plan.subnetworks[0].accuracy.exported


def test_without_the_device_or_its_files_nothing_is_written(place: Workplace) -> None:
    heard = Listener()
    plan = pruned(place, registry=toy_registry(), watcher=heard)
    assert [record.devices for record in plan.subnetworks] == [{}, {}]
    assert '"devices"' not in (place.out / "plan.json").read_text()
    plan = pruned(place, settings=dataclasses.replace(NO_TRAINING, int8=False), mode="overwrite", watcher=heard)
    assert [record.devices for record in plan.subnetworks] == [{}, {}]
    assert heard.warnings == []


def test_without_data_there_is_nothing_to_calibrate_files(place: Workplace) -> None:
    plan = pruned(place, data=None)
    assert [record.devices for record in plan.subnetworks] == [{}, {}]


def test_a_file_that_the_device_cannot_run_is_named(place: Workplace) -> None:
    heard = Listener()
    plan = pruned(place, registry=toy_registry(Lacking), watcher=heard)
    assert [record.devices for record in plan.subnetworks] == [{}, {}]
    assert "toy_board" not in plan.subnetworks[0].accuracy.exported
    why = "is not measured on toy-board: toy-board has no operator DENSE, which 'full-int8.tflite' needs"
    assert heard.warnings == [f"'full-int8.tflite' {why}"], "once, although it cannot run the others either"


def test_few_examples_are_run_of_a_large_network(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_figures, "MOST_MACS", 1)
    monkeypatch.setattr(device_figures, "LEAST_EXAMPLES", 8)
    plan = pruned(place)
    assert [record.devices["toy_board"].examples for record in plan.subnetworks] == [8, 8]
    page = " ".join(Page(write_report(plan, place.out).read_text()).text.split())
    for text in ("On toy-board, 8 examples", "Activations on toy-board", "Arena of toy-board, at most"):
        assert text in page
    assert "Answers of toy-board that are the same" in page


def test_how_many_examples_are_run() -> None:
    assert most_examples(10**8) == 100
    assert most_examples(12_500_000) == 800
    assert most_examples(0) == device_figures.MOST_MACS
    data = Arrays(np.arange(10), np.arange(10))
    assert spread(data, 4).y.tolist() == [0, 3, 6, 9]
    assert len(spread(data, 40)) == 10


def test_of_a_stream_its_sample_is_run(place: Workplace) -> None:
    arrays = toy_arrays(residual_model())
    train, test = ((arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test"))
    plan = pruned(place, data=(Loader(*train), Loader(*test)))
    assert [record.devices["toy_board"].examples for record in plan.subnetworks] == [len(test[0])] * 2


def test_an_added_member_is_measured_as_well(place: Workplace) -> None:
    pruned(place)
    member = reds_core.extract(place.out, {"macs": 0.6}, registry=REGISTRY)
    assert member.devices["toy_board"].same_answers == 0.8


def test_the_table_in_python(place: Workplace) -> None:
    frame = pruned(place).to_frame()  # type: ignore[attr-defined]
    assert frame.loc["50", "accuracy_toy_board"] == 0.25
    assert frame.loc["50", "arena_head_toy_board_bytes"] < frame.loc["50", "arena_toy_board_bytes"]
    assert frame.loc["50", "same_answers_toy_board"] == 0.8


def test_files_are_evaluated_on_a_device(place: Workplace) -> None:
    pruned(place)
    file = place.out / "subnet-50-int8.tflite"
    found = reds_core.evaluate(file, place.data, on="toy-board", registry=REGISTRY)
    own = reds_core.evaluate(file, place.data, registry=REGISTRY)
    assert (found.value, found.on) == (0.25, "toy-board")
    assert own.on is None
    assert dataclasses.replace(found, value=own.value, on=None) == own
    with pytest.raises(InputError, match="on is given, but a model object is not a file for a device"):
        reds_core.evaluate(residual_model(), place.data, on="toy-board", registry=REGISTRY)
