"""What is said of the files of a subnetwork, and which of them are written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace

from reds_core.framework.data import Arrays
from reds_core.framework.task import Task
from reds_core.report.facts import Metric
from reds_core.runs.exporting import int8_warnings
from reds_core.runs.extraction import ExtractionRequest, extract

SHARE, ERROR = Metric(), Metric("mean_absolute_error", is_share=False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A float32 file and an int8 file of a quarter of its size."""
    paths = tmp_path / "subnet-50.tflite", tmp_path / "subnet-50-int8.tflite"
    for path, size in zip(paths, (4000, 1000), strict=True):
        path.write_bytes(bytes(size))
    return paths


@pytest.mark.parametrize(
    ("metric", "exact", "found", "warned"),
    [
        (SHARE, 0.844, 0.652, True),
        (SHARE, 0.90, 0.879, True),
        (SHARE, 0.90, 0.88, False),
        (SHARE, 0.80, 0.95, False),
        (SHARE, 0.90, float("nan"), True),
        (SHARE, float("nan"), 0.5, False),
        (SHARE, None, None, False),
        (ERROR, 4.0, 4.3, True),
        (ERROR, 4.0, 3.7, True),
        (ERROR, 4.0, 4.19, False),
        (ERROR, 0.0, 0.0, False),
        (ERROR, 1.0, float("inf"), True),
    ],
)
def test_an_int8_file_that_falls_behind_is_warned_of(
    files: tuple[Path, Path], metric: Metric, exact: float | None, found: float | None, warned: bool
) -> None:
    warnings = int8_warnings(*files, exact, found, metric)
    assert len(warnings) == warned
    for warning in warnings:
        assert "'subnet-50-int8.tflite'" in warning
        assert "'subnet-50.tflite'" in warning
        assert metric.text(exact) in warning
        assert metric.text(found) in warning


@pytest.mark.parametrize(("size", "warned"), [(4000, False), (4001, True), (8192, True)])
def test_an_int8_file_that_is_larger_is_warned_of(files: tuple[Path, Path], size: int, warned: bool) -> None:
    files[1].write_bytes(bytes(size))
    warnings = int8_warnings(*files, 0.9, 0.9, SHARE)
    assert [("larger" in w, "'subnet-50-int8.tflite'" in w, "int8=False" in w) for w in warnings] == [
        (True,) * 3
    ] * warned


class Coarse(ToyFramework):
    """Its int8 files are wrong and large, and it says so before."""

    def export_notes(self, model: Any) -> tuple[str, ...]:
        return ("int8 files will be large",)

    def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        super().export(model, path, calibration, quantise)
        if quantise:
            with path.open("ab") as file:
                file.write(bytes(60_000))

    def exported_accuracy(self, path: Path, data: Arrays, task: Task) -> float:
        return 0.5 if "int8" in path.name else 0.9


def test_a_run_says_before_training_and_after_what_becomes_of_int8(place: Workplace) -> None:
    listener = Listener()
    place.prune(registry=toy_registry(framework=Coarse), watcher=listener)
    note, *others = listener.warnings
    assert note == "int8 files will be large"
    assert [("loses 40.0 points" in w, "is larger than" in w) for w in others] == [(True, False), (False, True)] * 3


def test_int8_files_are_compared_with_the_model_file_if_no_float32_file_is_asked_for(place: Workplace) -> None:
    listener = Listener()
    asked = dataclasses.replace(QUICK, targets=("tflite-int8",))
    plan = place.prune(registry=toy_registry(framework=Coarse), watcher=listener, settings=asked)
    expected = []
    for record in plan.subnetworks:
        lost = 100 * (record.accuracy.after - 0.5)
        expected += [f"loses {lost:.1f} points"] if lost > 2 else []
    found = [warning for warning in listener.warnings if "points to int8" in warning]
    assert len(found) == len(expected) > 0
    assert all(text in warning and ".tflite" in warning for text, warning in zip(expected, found, strict=True))


def test_a_run_without_int8_writes_none_and_says_nothing_of_it(place: Workplace) -> None:
    class Refusing(Coarse):
        def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
            assert not quantise
            super().export(model, path, calibration, quantise)

    listener, registry = Listener(), toy_registry(framework=Refusing)
    place.prune(registry=registry, watcher=listener, settings=dataclasses.replace(QUICK, int8=False))
    assert listener.warnings == []
    extract(place.out, ExtractionRequest(("macs=0.4",)), registry, listener)
    assert ["was not trained" in warning for warning in listener.warnings] == [True]
    assert not list(place.out.glob("*int8*"))
    content = json.loads((place.out / "plan.json").read_text())
    assert content["options"]["int8"] is False
    for subnetwork in content["subnetworks"]:
        assert subnetwork["files"]["tflite_int8"] is subnetwork["accuracy"]["tflite_int8"] is None
        assert subnetwork["accuracy"]["tflite"] is not None
    assert len(content["subnetworks"]) == 4


def test_without_data_nothing_is_said_of_int8(place: Workplace) -> None:
    listener = Listener()
    place.prune(registry=toy_registry(framework=Coarse), watcher=listener, data=None, settings=NO_TRAINING)
    assert listener.warnings == []
