"""Kinds of files are what a framework declares; core writes, names and reports what is declared, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_plans import complete
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, make_workplace, skip_report
from toy_targets import ToyFileTarget

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.file_kinds import INT8_BYTES, FileKind, FileKinds, file_kinds_of
from reds_core.framework.framework import Framework
from reds_core.registry import Registry
from reds_core.report import facts
from reds_core.report.facts import gather
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.watcher import Watcher

MODEL = FileKind("torch", "PyTorch", ".pt2")
ONNX = FileKind("onnx", "ONNX", ".onnx", "float32")
INT8 = FileKind("onnx-int8", "ONNX", "-int8.onnx", "int8", INT8_BYTES)
KINDS = FileKinds(MODEL, (ONNX, INT8.in_version_1))


class OnnxTarget(ToyFileTarget):
    name = "onnx"
    file = ONNX


class OnnxInt8Target(ToyFileTarget):
    name = "onnx-int8"
    file = INT8


class OnnxFramework(ToyFramework):
    file = MODEL
    targets = ("onnx", "onnx-int8")


def onnx_registry() -> Registry:
    return toy_registry(OnnxTarget, OnnxInt8Target, framework=OnnxFramework)


class ModelsOnly(ToyFramework):
    """Writes no files for devices, and brings neither data sets nor a network."""

    file = MODEL
    targets = ()
    load_dataset = Framework.load_dataset
    build_baseline = Framework.build_baseline


def test_what_kinds_are_called() -> None:
    assert [k.title for k in KINDS.all] == ["PyTorch", "ONNX float32", "ONNX int8"]
    assert [k.column for k in KINDS.exported] == ["onnx", "int8"]
    assert KINDS.int8 == INT8.in_version_1
    assert KINDS.exported_with(4) == ONNX
    assert KINDS.file_names("subnet-50")["onnx_int8"] == "subnet-50-int8.onnx"


def test_names_that_nobody_declares_stand_for_themselves() -> None:
    known = [FileKinds(FileKind("keras", "Keras", ".keras")), KINDS]
    assert file_kinds_of(["torch", "onnx"], known) == FileKinds(MODEL, (ONNX,))
    assert file_kinds_of(["torch", "onnx", "onnx_int8"], known) == KINDS
    assert file_kinds_of(["onnx", "onnx_int8"], known) == KINDS, "accuracies name exported kinds only"
    assert file_kinds_of([], known) == known[0]
    unknown = file_kinds_of(["own", "device"], [KINDS])
    assert [k.title for k in unknown.all] == ["own", "device"]
    assert unknown.int8 is None
    assert [k.title for k in file_kinds_of([], []).all] == ["model"]


def test_a_run_writes_the_kinds_of_its_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place, registry = make_workplace(tmp_path), onnx_registry()
    plan = place.prune(registry=registry, budgets={"macs": [0.5]})
    (record,) = plan.subnetworks
    assert record.files == {"torch": "subnet-50.pt2", "onnx": "subnet-50.onnx", "onnx_int8": "subnet-50-int8.onnx"}
    written = {p.name for p in place.out.iterdir() if p.name.startswith(("nested", "subnet-"))}
    assert written == {"nested.pt2", *record.files.values()}
    assert list(record.accuracy.exported) == ["onnx", "onnx_int8"]
    assert extract(place.out, ExtractionRequest(("macs=0.4",)), registry, Watcher()).files["onnx"] == "subnet-40.onnx"


def test_a_framework_need_not_write_files_for_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place, registry = make_workplace(tmp_path), toy_registry(framework=ModelsOnly)
    (record,) = place.prune(registry=registry, budgets={"macs": [0.5]}).subnetworks
    assert record.files == {"torch": "subnet-50.pt2"}
    assert record.accuracy.exported == {}
    assert record.accuracy.after is not None


def test_a_framework_need_not_bring_data_sets_or_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place, registry = make_workplace(tmp_path), toy_registry(framework=ModelsOnly)
    with pytest.raises(InputError, match="framework 'toy' knows no data set 'mnist'; give digits"):
        place.prune(registry=registry, data="mnist")
    with pytest.raises(UnsupportedError, match="framework 'toy' builds no network of its own; give a model"):
        place.prune(registry=registry, model=None, settings=QUICK)
    assert not (place.out / "plan.json").exists()
    with pytest.raises(UnsupportedError, match="framework 'toy' exports no files for devices"):
        ModelsOnly().converted(None, "float32", None)


def test_an_object_of_no_framework_is_told_which_models_there_are(tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    with pytest.raises(
        InputError, match="a model of type dict belongs to no installed framework; give a PyTorch model"
    ):
        place.prune(registry=toy_registry(framework=ModelsOnly), model={}, settings=NO_TRAINING, data=None)


class _NothingInstalled:
    def file_kinds(self) -> tuple[FileKinds, ...]:
        return ()


def test_reports_without_the_framework_call_kinds_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "Registry", _NothingInstalled)
    plan = complete()
    family = gather(plan, tmp_path)
    assert [kind.title for kind in family.kinds.all] == ["keras", "tflite", "tflite_int8"]
    figures = [f.accuracy for f in family.subnetworks[0].files]
    accuracy = plan.subnetworks[0].accuracy
    assert figures == [accuracy.after, *accuracy.exported.values()]
