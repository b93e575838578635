"""Exports of a finished family to a folder of their own, for a toy device and a toy target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from command_line import Reds
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule, ToyTarget, toy_registry
from toy_runs import NO_TRAINING, Workplace, contents

import reds_core
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.deployment import Deployment
from reds_core.framework.device import Device, MemberFile
from reds_core.framework.target import ExportSource, Target
from reds_core.registry import Registry
from reds_core.runs.deploying import export


class Shelf(Device):
    """A device that holds the names of the members and the sizes of their files."""

    name = "shelf"
    reads = ("tflite-int8",)

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        path = out / "src" / "shelf.txt"
        path.parent.mkdir()
        path.write_text("\n".join(f"{file.name} {file.path.stat().st_size}" for file in files))
        more = [out / f"{file.name}.txt" for file in files]
        for each in more:
            each.write_text("x")
        return Deployment((path, *more), 100, 20, {file.name: 8 for file in files}, ("one layer has its own weights",))


class Scale(Device):
    """A device that deploys nothing."""

    name = "scale"
    reads = ("tflite-int8",)


class Failing(Shelf):
    name = "failing"

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        (out / "half.txt").write_text("x")
        raise UnsupportedError("it cannot run operator SIN of layer 'a'", "replace the layer")


@pytest.fixture
def registry() -> Registry:
    return toy_registry(Shelf, Scale, Failing, ToyTarget)


@pytest.fixture
def run(place: Workplace) -> Path:
    place.prune(settings=NO_TRAINING)
    return place.out


def shelf(folder: Path) -> list[str]:
    return [line.split()[0] for line in (folder / "src" / "shelf.txt").read_text().splitlines()]


def test_a_device_gets_the_files_of_the_members_the_full_one_last(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    out = tmp_path / "made"
    made = export(run, "shelf", out=out, registry=registry, verbose=0)
    assert shelf(out) == ["25", "50", "75", "full"]
    assert made.members == ("25", "50", "75", "full")
    assert made.files == ("25.txt", "50.txt", "75.txt", "full.txt", "src/shelf.txt")
    assert made.size_bytes == sum((out / name).stat().st_size for name in made.files)
    assert (made.weights_bytes, made.tables_bytes, made.arena_bytes["25"]) == (100, 20, 8)
    assert made.notes == ("one layer has its own weights",)


def test_members_are_chosen_by_name_in_the_order_of_the_plan(run: Path, tmp_path: Path, registry: Registry) -> None:
    for members in (("50", "25"), "50, 25", ["50", "25", "full"]):
        made = export(run, "shelf", out=tmp_path / "made", members=members, registry=registry, verbose=0)
        assert made.members == ("25", "50", "full")
    made = export(run, "shelf", out=tmp_path / "made", members="full", registry=registry, verbose=0)
    assert made.members == ("full",)
    with pytest.raises(InputError, match=r"no subnetwork '26' in the run; .*choose from: 25, 50, 75"):
        export(run, "shelf", out=tmp_path / "made", members="25,26", registry=registry, verbose=0)


def test_an_earlier_export_is_replaced_and_other_files_are_not(run: Path, tmp_path: Path, registry: Registry) -> None:
    out = tmp_path / "made"
    export(run, "shelf", out=out, registry=registry, verbose=0)
    (out / "notes.txt").write_text("mine")
    export(run, "shelf", out=out, members="25", registry=registry, verbose=0)
    assert sorted(contents(out)) == ["25.txt", "full.txt", "notes.txt", "reds-export.json", "src/shelf.txt"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "25.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no earlier export"):
        export(run, "shelf", out=other, registry=registry, verbose=0)
    assert (other / "25.txt").read_text() == "mine"
    export(run, "shelf", out=other, mode="overwrite", registry=registry, verbose=0)
    assert (other / "25.txt").read_text() == "x"
    with pytest.raises(InputError, match="holds a run; choose another"):
        export(run, "shelf", out=run, mode="overwrite", registry=registry, verbose=0)


def test_a_list_of_files_that_leaves_the_folder_is_refused(run: Path, tmp_path: Path, registry: Registry) -> None:
    out, outside = tmp_path / "made", tmp_path / "outside.txt"
    outside.write_text("mine")
    export(run, "shelf", out=out, registry=registry, verbose=0)
    record = json.loads((out / "reds-export.json").read_text())
    (out / "reds-export.json").write_text(json.dumps(record | {"files": ["../outside.txt"]}))
    with pytest.raises(InputError, match="cannot be read"):
        export(run, "shelf", out=out, registry=registry, verbose=0)
    assert outside.exists()


def test_a_failed_export_leaves_the_folder_as_it_was(run: Path, tmp_path: Path, registry: Registry) -> None:
    out = tmp_path / "made"
    export(run, "shelf", out=out, registry=registry, verbose=0)
    before = contents(out)
    with pytest.raises(UnsupportedError, match="operator SIN"):
        export(run, "failing", out=out, registry=registry, verbose=0)
    assert contents(out) == before
    with pytest.raises(UnsupportedError, match="operator SIN"):
        export(run, "failing", out=tmp_path / "new", registry=registry, verbose=0)
    assert not (tmp_path / "new").exists()


def test_missing_files_and_devices_that_deploy_nothing_are_refused(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(UnsupportedError, match=r"target 'scale' exports no families; choose from: .*shelf"):
        export(run, "scale", out=tmp_path / "made", registry=registry, verbose=0)
    for members in ([25], 25):
        with pytest.raises(InputError, match=r"members cannot be .*25.*; give the names of subnetworks"):
            export(run, "shelf", out=tmp_path / "made", members=members, registry=registry, verbose=0)  # type: ignore[arg-type]
    (run / "full-int8.tflite").unlink()
    with pytest.raises(InputError, match="holds no tflite-int8 file of the full network; prune with data"):
        export(run, "shelf", out=tmp_path / "made", registry=registry, verbose=0)
    (run / "subnet-50-int8.tflite").unlink()
    with pytest.raises(
        InputError, match=r"holds no tflite-int8 file of subnetwork '50'; prune with data and `?targets=[^,]*$"
    ):
        export(run, "shelf", out=tmp_path / "made", registry=registry, verbose=0)
    with pytest.raises(InputError, match="holds no finished run"):
        export(tmp_path / "nowhere", "shelf", out=tmp_path / "made", registry=registry, verbose=0)
    assert not (tmp_path / "made").exists()


def test_other_targets_write_a_file_of_each_member(run: Path, tmp_path: Path, registry: Registry) -> None:
    out = tmp_path / "made"
    made = export(run, "toy-device", out=out, members="50", registry=registry, verbose=0)
    assert made.files == ("full-device.npz", "subnet-50-device.npz")
    framework = ToyFramework()
    model = ToyTarget().load(framework, out / "subnet-50-device.npz")
    assert model is not None
    copied = export(run, "tflite", out=tmp_path / "copied", members="50", registry=registry, verbose=0)
    assert copied.files == ("full.tflite", "subnet-50.tflite")
    assert (tmp_path / "copied" / "subnet-50.tflite").read_bytes() == (run / "subnet-50.tflite").read_bytes()


def test_files_that_the_run_lacks_are_calibrated_on_its_data(run: Path, tmp_path: Path, registry: Registry) -> None:
    expected = {name: (run / name).read_bytes() for name in ("full-int8.tflite", "subnet-50-int8.tflite")}
    for name in expected:
        (run / name).unlink()
    export(run, "tflite-int8", out=tmp_path / "made", members="50", registry=registry, verbose=0)
    assert {name: (tmp_path / "made" / name).read_bytes() for name in expected} == expected
    (run.parent / "data.npz").unlink()
    with pytest.raises(InputError, match="target 'tflite-int8' needs data to calibrate its files; give data"):
        export(run, "tflite-int8", out=tmp_path / "other", members="50", registry=registry, verbose=0)


def test_files_that_the_run_lacks_share_the_integers_of_its_full_network(
    run: Path, tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, bytes | None]] = []

    def noted(self: Target, source: ExportSource, path: Path) -> None:
        written.append((path.name, None if source.full is None else source.full.path.read_bytes()))
        path.write_bytes(b"made")

    full = (run / "full-int8.tflite").read_bytes()
    (run / "subnet-50-int8.tflite").unlink()
    monkeypatch.setattr(type(registry.create(Target, "tflite-int8")), "export", noted)
    export(run, "tflite-int8", out=tmp_path / "made", members="25,50", registry=registry, verbose=0)
    assert written == [("subnet-50-int8.tflite", full)]
    assert (tmp_path / "made" / "full-int8.tflite").read_bytes() == full


def test_the_command_prints_what_was_written(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, Shelf)))
    place.prune(settings=NO_TRAINING)
    out = place.folder / "made"
    outcome = reds("export", place.out, "--target", "shelf", "--members", "25,50", "--out", out)
    assert outcome.status == 0, outcome.err
    assert "one layer has its own weights" in outcome.err
    for text in ("25, 50, full", f"4 in {out}", "100 B", "20 B", "25 8 B"):
        assert text in outcome.out
    found: Mapping[str, object] = reds("export", place.out, "--target", "shelf", "--out", out, "--json").json
    assert found["members"] == ["25", "50", "75", "full"]
    reds("export", place.out, "--target", "shelf", "--members", "9", "--out", out).check_error(2, "no subnetwork '9'")
    (out / "reds-export.json").unlink()
    reds("export", place.out, "--target", "shelf", "--out", out).check_error(2, "is not empty")
    assert reds("export", place.out, "--target", "shelf", "--out", out, "--overwrite").status == 0


def test_the_call_is_public() -> None:
    assert reds_core.export is export
