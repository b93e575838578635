"""Archives of the members of a family, built by a stand-in for the service, which checks every request."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from model_files import dense
from reds_edge_impulse.device import EdgeImpulse, EdgeImpulseOptions
from stand_in import StandIn
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, make_workplace

import reds_core
from reds_core.errors import InputError, UnavailableError, UnsupportedError
from reds_core.framework import MemberFile

OF_ONE_MEMBER = [
    "GET /projects",
    "POST /N/pretrained-model/upload",
    "GET /N/jobs/N/status",
    "GET /N/pretrained-model",
    "POST /N/pretrained-model/save",
    "POST /N/jobs/build-ondevice-model",
    "GET /N/jobs/N/status",
    "GET /N/deployment/download",
]


@pytest.fixture
def members(tmp_path: Path) -> list[MemberFile]:
    """The files of a family of two."""
    made = []
    for index, name in enumerate(("50", "full")):
        path = tmp_path / f"{name}-int8.tflite"
        path.write_bytes(dense(12 + index, 4, is_int8=True))
        made.append(MemberFile(name, path))
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def built(path: Path) -> tuple[bytes, Any]:
    """The model in an archive, and what the stand-in was told of it."""
    with zipfile.ZipFile(path) as archive:
        return archive.read("model.tflite"), json.loads(archive.read("about.json"))


def test_one_archive_for_each_member(service: StandIn, members: list[MemberFile], out: Path) -> None:
    made = EdgeImpulse().deploy(members, out)
    assert made.files == (out / "50.zip", out / "full.zip")
    for member, path in zip(members, made.files, strict=True):
        content, about = built(path)
        assert content == member.path.read_bytes()
        assert about == {
            "described": {
                "input": {"inputType": "other"},
                "model": {"modelType": "classification", "labels": ["0", "1", "2", "3"]},
            },
            "built": {"type": "zip", "modelType": "int8", "engine": "tflite"},
        }
    targets = ["GET /projects", "GET /N/deployment/targets/data-sources"]
    assert service.lines == [*targets, *OF_ONE_MEMBER * 2]


def test_options_of_what_is_built(service: StandIn, members: list[MemberFile], out: Path) -> None:
    options = EdgeImpulseOptions(engine="eon-ram-optimized", deploy_target="arduino", labels="yes, no,up,down")
    [_, path] = EdgeImpulse(options).deploy(members, out).files
    _, about = built(path)
    assert about["built"] == {"type": "arduino", "modelType": "int8", "engine": "tflite-eon-ram-optimized"}
    assert about["described"]["model"]["labels"] == ["yes", "no", "up", "down"]


def test_a_regression(service: StandIn, float_file: Path, out: Path) -> None:
    service.behaviour.outputs = ((1, 1),)
    [path] = EdgeImpulse(EdgeImpulseOptions(output="regression")).deploy([MemberFile("full", float_file)], out).files
    _, about = built(path)
    assert about["described"]["model"] == {"modelType": "regression"}
    assert about["built"]["modelType"] == "float32"
    service.behaviour.outputs = ((1, 4),)
    with pytest.raises(UnsupportedError, match=r"one number of a regression, and .* has 4"):
        EdgeImpulse(EdgeImpulseOptions(output="regression")).deploy([MemberFile("full", float_file)], out)


@pytest.mark.parametrize(
    ("disposition", "ending"),
    [
        ('attachment; filename="project-linux-v3.eim"', ".eim"),
        ("attachment; filename=project.zip; size=7", ".zip"),
        ("attachment; filename=../../evil/../x.tar", ".tar"),
        ("attachment; filename=no-ending", ".zip"),
        ("", ".zip"),
    ],
)
def test_names_of_archives(
    service: StandIn, members: list[MemberFile], out: Path, disposition: str, ending: str
) -> None:
    service.behaviour.disposition = disposition
    assert EdgeImpulse().deploy(members[:1], out).files == (out / f"50{ending}",)


def test_an_unknown_deployment(service: StandIn, members: list[MemberFile], out: Path) -> None:
    with pytest.raises(InputError, match=r"no deployment 'arduino-2'; give .*deploy_target one of: zip, arduino, run"):
        EdgeImpulse(EdgeImpulseOptions(deploy_target="arduino-2")).deploy(members, out)
    assert service.lines == ["GET /projects", "GET /N/deployment/targets/data-sources"]


def test_labels_that_do_not_fit(service: StandIn, members: list[MemberFile], out: Path) -> None:
    with pytest.raises(InputError, match=r"edge-impulse.labels has 2 names, and .* has 4 classes"):
        EdgeImpulse(EdgeImpulseOptions(labels="yes,no")).deploy(members, out)


@pytest.mark.parametrize("shapes", [(), ((1, 4), (1, 2)), ((1, 8, 8, 2),)])
def test_outputs_of_other_forms(
    service: StandIn, members: list[MemberFile], out: Path, shapes: tuple[tuple[int, ...], ...]
) -> None:
    service.behaviour.outputs = shapes
    with pytest.raises(UnsupportedError, match=r"one output of shape \(1, N\)"):
        EdgeImpulse().deploy(members, out)


@pytest.mark.parametrize("archive", [b"", b"PK not all of it"])
def test_an_archive_that_is_not_complete(
    service: StandIn, members: list[MemberFile], out: Path, archive: bytes
) -> None:
    service.behaviour.archive = archive
    with pytest.raises(UnavailableError, match="the archive of '50' is not complete"):
        EdgeImpulse().deploy(members, out)


def test_a_build_that_fails(service: StandIn, members: list[MemberFile], out: Path) -> None:
    service.behaviour.failing = frozenset({"build"})
    with pytest.raises(UnsupportedError, match=r"failed at '.*50-int8.tflite' while building it \(ERR: operator XYZ"):
        EdgeImpulse().deploy(members, out)


def test_a_build_that_is_refused(service: StandIn, members: list[MemberFile], out: Path) -> None:
    service.behaviour.answers["POST /N/jobs/build-ondevice-model"] = (200, b'{"success": false, "error": "No quota"}')
    with pytest.raises(UnsupportedError, match=r"refuses '.*50-int8.tflite' \(No quota\)"):
        EdgeImpulse().deploy(members, out)


def test_a_download_that_breaks_off_is_asked_for_again(service: StandIn, members: list[MemberFile], out: Path) -> None:
    service.behaviour.drop["GET /N/deployment/download"] = 1
    assert EdgeImpulse().deploy(members[:1], out).files == (out / "50.zip",)


def test_damaged_files_are_found_before_anything_is_sent(
    service: StandIn, members: list[MemberFile], out: Path
) -> None:
    members[1].path.write_bytes(bytes(80))
    with pytest.raises(InputError, match=r"full-int8.tflite' cannot be read"):
        EdgeImpulse().deploy(members, out)
    assert service.requests == []


def test_the_members_of_a_run(service: StandIn, tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.75, 0.5]})
    for index, name in enumerate(("subnet-50", "subnet-75", "full")):  # the toy framework writes files of its own
        (place.out / f"{name}-int8.tflite").write_bytes(dense(12 + index, 4, is_int8=True))
    registry = toy_registry(EdgeImpulse)
    made = reds_core.export(place.out, "edge-impulse", members="50", out=tmp_path / "board", registry=registry)
    assert (made.members, made.files) == (("50", "full"), ("50.zip", "full.zip"))
    content, _ = built(tmp_path / "board" / "50.zip")
    assert content == (place.out / "subnet-50-int8.tflite").read_bytes()
