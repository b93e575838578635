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
from toy_targets import ToyInt8

import reds_core
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.exported import ExportedModel
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource
from reds_core.framework.task import Task
from reds_core.report.facts import Metric, gather
from reds_core.runs.export_warnings import int8_warnings
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest

INT8 = ToyInt8.file.in_version_1
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
    full, members = others[:2], others[2:]
    assert [("points by quantisation to int8" in w, "is larger than" in w) for w in full] == [
        (True, False),
        (False, True),
    ]
    assert all("'full-int8.tflite'" in w and "'nested.keras'" in w for w in full)
    assert [("loses 40.0 points" in w, "is larger than" in w) for w in members] == [(True, False), (False, True)] * 3


def test_int8_files_are_compared_with_the_model_file_if_no_float32_file_is_asked_for(place: Workplace) -> None:
    listener = Listener()
    asked = dataclasses.replace(QUICK, targets=("tflite-int8",))
    plan = place.prune(registry=toy_registry(framework=Coarse), watcher=listener, settings=asked)
    expected = []
    for record in (plan.full, *plan.subnetworks):
        assert record.accuracy.after is not None
        lost = 100 * (record.accuracy.after - 0.5)
        expected += [f"loses {lost:.1f} points"] if lost > 2 else []
    found = [warning for warning in listener.warnings if "points by quantisation to int8" in warning]
    assert len(found) == len(expected) > 0
    assert "'full-int8.tflite'" in found[0]
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


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """The int8 files that are exported, each with the file of the full network whose weights it may share."""
    found: list[tuple[str, str | None]] = []
    export = ToyInt8.export

    def recorded(self: ToyInt8, source: ExportSource, path: Path) -> None:
        found.append((path.name, None if source.full is None else source.full.path.name))
        export(self, source, path)

    monkeypatch.setattr(ToyInt8, "export", recorded)
    return found


@pytest.mark.parametrize(("int8", "shares"), [("shared", True), ("separate", False)])
def test_members_share_the_weights_of_the_full_network(
    place: Workplace, exports: list[tuple[str, str | None]], int8: Any, shares: bool
) -> None:
    place.prune(settings=dataclasses.replace(QUICK, int8=int8))
    extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), Listener())
    extract(place.out, ExtractionRequest(("macs=0.6",), finetune_epochs=1), toy_registry(), Listener())
    full = "full-int8.tflite"
    shared = full if shares else None
    assert exports == [
        (full, None),
        *((f"subnet-{name}-int8.tflite", shared) for name in ("25", "50", "75", "40")),
        ("subnet-60-int8.tflite", None),
    ]
    plan = reds_core.load_plan(place.out)
    assert plan.full.path("tflite_int8") == place.out / full
    assert plan.full.accuracy.exported["tflite_int8"] == gather(plan, place.out).full.accuracy_of(INT8)
    content = json.loads((place.out / "plan.json").read_text())
    assert content["full"]["files"] == {"tflite_int8": full}
    assert set(content["full"]["accuracy"]) == {"before", "after", "tflite_int8"}


def test_a_folder_without_a_file_to_share_is_extended(place: Workplace, exports: list[tuple[str, str | None]]) -> None:
    """As a folder of an earlier version, whose options say that int8 files are written but not how."""
    place.prune()
    path = place.out / "plan.json"
    content = json.loads(path.read_text())
    del content["full"]["files"], content["full"]["accuracy"]["tflite_int8"]
    content["options"]["int8"] = True
    path.write_text(json.dumps(content))
    (place.out / "full-int8.tflite").unlink()
    listener = Listener()
    extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), listener)
    assert exports[-1] == ("subnet-40-int8.tflite", None)
    assert "weights of its own, since" in listener.warnings[0]
    assert place.resume().options["int8"] is True
    place.prune(mode="overwrite", settings=dataclasses.replace(QUICK, int8=False))
    assert not list(place.out.glob("*int8*"))


def test_a_full_network_that_cannot_be_expressed_shares_nothing(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, exports: list[tuple[str, str | None]]
) -> None:
    recorded = ToyInt8.export

    def export(self: ToyInt8, source: ExportSource, path: Path) -> None:
        recorded(self, source, path)
        if path.name.startswith("full"):
            raise UnsupportedError("it is too large", "make it smaller")

    monkeypatch.setattr(ToyInt8, "export", export)
    plan = place.prune()
    assert [shared for _, shared in exports] == [None] * 4
    assert not plan.full.files
    assert not (place.out / "full-int8.tflite").exists()
    assert all(member.files["tflite_int8"] for member in plan.subnetworks)


def test_warnings_of_targets_name_the_file(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    export = ToyInt8.export

    def warning(self: ToyInt8, source: ExportSource, path: Path) -> None:
        export(self, source, path)
        source.warn("is special")

    monkeypatch.setattr(ToyInt8, "export", warning)
    listener = Listener()
    place.prune(watcher=listener, budgets={"macs": [0.5]})
    assert [text for text in listener.warnings if "special" in text] == ["'subnet-50-int8.tflite' is special"]


def test_a_file_that_cannot_be_run_does_not_end_the_run(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(self: ToyInt8, framework: Framework, path: Path) -> ExportedModel:
        raise InputError(f"'{path.name}' cannot be read", "export it again")

    monkeypatch.setattr(ToyInt8, "load", damaged)
    listener = Listener()
    plan = place.prune(watcher=listener, budgets={"macs": [0.5]})
    assert plan["50"].accuracy.exported["tflite_int8"] is None
    assert plan["50"].accuracy.exported["tflite"] is not None
    assert (place.out / "subnet-50-int8.tflite").exists()
    assert [text for text in listener.warnings if "is not measured: 'subnet-50-int8.tflite' cannot be read" in text]


def test_without_data_nothing_is_said_of_int8(place: Workplace) -> None:
    listener = Listener()
    place.prune(registry=toy_registry(framework=Coarse), watcher=listener, data=None, settings=NO_TRAINING)
    assert listener.warnings == []
