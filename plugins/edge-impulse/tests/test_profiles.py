"""Profiles by a stand-in for the service, which checks every request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from model_files import dense
from reds_edge_impulse.device import EdgeImpulse, EdgeImpulseOptions
from reds_edge_impulse.estimates import SHORT
from stand_in import KEY, StandIn, memory_of
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule
from toy_runs import NO_TRAINING, make_workplace

from reds_core.errors import InputError, UnavailableError, UnsupportedError

M4, M7 = "cortex-m4f-80mhz", "cortex-m7-216mhz"
OF_FLOATS = {
    "variant": "float32",
    "device": M4,
    "tfliteFileSizeBytes": 1,
    "isSupportedOnMcu": True,
    "timePerInferenceMs": 7,
    "customMetrics": [],
    "hasPerformance": True,
}
OF_ONE_FILE = [
    "GET /projects",
    "POST /N/pretrained-model/upload",
    "GET /N/jobs/N/status",
    "POST /N/pretrained-model/profile",
    "GET /N/jobs/N/status",
    "GET /N/pretrained-model",
]


@pytest.fixture
def impulse(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    """The command line with Edge Impulse."""
    reds = Reds(capsys, monkeypatch)
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, EdgeImpulse)))
    return reds


def test_a_file_is_uploaded_profiled_and_asked_for(service: StandIn, int8_file: Path) -> None:
    profile = EdgeImpulse().profile(int8_file, M4)
    memory = memory_of(int8_file.read_bytes())["tflite"]
    assert (profile.arena, profile.flash) == (memory["arenaSize"], memory["rom"])
    assert profile.latency_ns == 3_000_000.0
    assert (profile.operators, profile.macs, profile.notes) == ({"FULLY_CONNECTED": 1}, 12 * 4, ())
    assert (profile.cycles, profile.arena_head, profile.energy) == (None, None, None)
    assert service.lines == OF_ONE_FILE
    upload = service.requests[1]
    assert upload.file == int8_file.read_bytes()
    assert upload.fields == {"modelFileName": int8_file.name, "modelFileType": "tflite", "device": M4}


def test_float_files_have_figures_of_their_own(service: StandIn, float_file: Path) -> None:
    profile = EdgeImpulse().profile(float_file, M4)
    assert profile.latency_ns == 7_000_000.0
    assert profile.flash == memory_of(float_file.read_bytes())["tflite"]["rom"]


@pytest.mark.parametrize(("engine", "key"), [("eon", "eon"), ("eon-ram-optimized", "eonRamOptimized")])
def test_memory_of_another_engine(service: StandIn, int8_file: Path, engine: Any, key: str) -> None:
    profile = EdgeImpulse(EdgeImpulseOptions(engine=engine)).profile(int8_file, M4)
    memory = memory_of(int8_file.read_bytes())[key]
    assert (profile.arena, profile.flash) == (memory["arenaSize"], memory["rom"])
    assert memory != memory_of(int8_file.read_bytes())["tflite"]


def test_configurations_are_the_devices_of_the_service(service: StandIn) -> None:
    assert EdgeImpulse().known_configurations() == (M7, M4, "raspberry-pi-4")
    assert service.lines == ["GET /projects", "GET /N"]
    service.behaviour.devices = (*service.behaviour.devices, "\x1b[2J", "x" * 999)
    assert EdgeImpulse().known_configurations() == (M7, M4, "raspberry-pi-4")
    service.behaviour.devices = service.behaviour.devices[:3]
    service.behaviour.selected = None
    assert EdgeImpulse().known_configurations() == service.behaviour.devices


def test_less_than_a_millisecond_is_not_known(service: StandIn, int8_file: Path) -> None:
    service.behaviour.profile["timePerInferenceMs"] = 0
    profile = EdgeImpulse().profile(int8_file, M4)
    assert profile.latency_ns is None
    assert profile.notes == (SHORT,)
    assert "less than one counts as not known" in EdgeImpulse.remark


def test_memory_that_is_not_stated_is_not_known(service: StandIn, int8_file: Path) -> None:
    service.behaviour.profile["memory"] = {"tflite": {"ram": 1, "rom": 2, "arenaSize": 3}}
    profile = EdgeImpulse(EdgeImpulseOptions(engine="eon")).profile(int8_file, M4)
    assert (profile.arena, profile.flash, profile.latency_ns) == (None, None, 3_000_000.0)
    service.behaviour.profile["memory"] = None
    assert EdgeImpulse().profile(int8_file, M4).arena is None


def test_a_damaged_file_is_not_uploaded(service: StandIn, int8_file: Path) -> None:
    content = int8_file.read_bytes()
    for damaged in (bytes(64), content[: len(content) // 2]):
        int8_file.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a LiteRT model"):
            EdgeImpulse().profile(int8_file, M4)
    int8_file.unlink()
    with pytest.raises(InputError, match="does not exist"):
        EdgeImpulse().profile(int8_file, M4)
    assert service.requests == []


def test_a_project_without_devices(service: StandIn, int8_file: Path) -> None:
    service.behaviour.devices = ()
    assert EdgeImpulse().known_configurations() == ()
    with pytest.raises(UnavailableError, match="lists no devices"):
        EdgeImpulse().profile(int8_file)


# --- what the service says of a file -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "profile", "message"),
    [
        ({"profileJobFailed": True}, {}, "failed to profile"),
        ({"profileInfo": None}, {}, f"has no profile of .* on {M4}"),
        ({"profileInfo": {"table": {}}}, {}, f"has no profile of .* on {M4}"),
        ({}, {"isSupportedOnMcu": False, "mcuSupportError": "needs 2 MB."}, rf"cannot run on {M4} \(needs 2 MB\);"),
        ({}, {"isSupportedOnMcu": False}, rf"cannot run on {M4} \(no reason is given\)"),
        ({"profileInfo": {"float32": OF_FLOATS, "table": {}}}, {}, f"has no profile of .* on {M4}"),
        ({}, {"profilingError": f"\x1b[2Jno {KEY} here\nand more"}, rf"on {M4} \(\[2Jno \.\.\. here\)"),
        ({}, {"profilingError": "x" * 999}, rf"cannot run on {M4} \(x{{200}}\)"),
        ({}, {"profilingError": "operator XYZ"}, rf"cannot run on {M4} \(operator XYZ\)"),
        ({}, {"hasPerformance": False, "timePerInferenceMs": None, "memory": None}, f"no figures for {M4}"),
    ],
)
def test_files_that_the_service_cannot_profile(
    service: StandIn, int8_file: Path, model: dict[str, Any], profile: dict[str, Any], message: str
) -> None:
    service.behaviour.model, service.behaviour.profile = model, profile
    with pytest.raises(UnsupportedError, match=message):
        EdgeImpulse().profile(int8_file, M4)


@pytest.mark.parametrize(
    ("model", "profile", "message"),
    [
        ({}, {"timePerInferenceMs": 0.4}, "timePerInferenceMs is 0.4"),
        ({}, {"timePerInferenceMs": -1}, "timePerInferenceMs is -1"),
        ({}, {"memory": {"tflite": {"ram": 1, "rom": "2", "arenaSize": 3}}}, "rom is '2'"),
        ({}, {"memory": {"tflite": {"ram": 1, "rom": "2" * 999, "arenaSize": 3}}}, "rom is '2{199}\\)"),
        ({}, {"memory": {"tflite": {"ram": 1, "rom": 2, "arenaSize": True}}}, "arenaSize is True"),
        ({"profileInfo": [1]}, {}, "cannot be read"),
    ],
)
def test_answers_that_are_malformed(
    service: StandIn, int8_file: Path, model: dict[str, Any], profile: dict[str, Any], message: str
) -> None:
    service.behaviour.model, service.behaviour.profile = model, profile
    with pytest.raises(UnavailableError, match=message):
        EdgeImpulse().profile(int8_file, M4)


# --- commands ------------------------------------------------------------------------------------------------------


def test_the_command_prints_figures_and_what_they_mean(impulse: Reds, service: StandIn, int8_file: Path) -> None:
    shown = impulse("profile", int8_file, "--on", "edge-impulse", "--config", M4)
    assert shown.status == 0, shown.err
    assert "estimates of Edge Impulse" in shown.out
    [record] = impulse("profile", int8_file, "--on", "edge-impulse", "--json").json
    assert (record["on"], record["config"], record["latency_ns"]) == ("edge-impulse", M7, 3e6)
    assert service.lines[-len(OF_ONE_FILE) :] == OF_ONE_FILE


def test_an_unknown_device_is_refused_before_anything_is_uploaded(
    impulse: Reds, service: StandIn, int8_file: Path
) -> None:
    done = impulse("profile", int8_file, "--on", "edge-impulse", "--config", "cortex-m4f-80mhx")
    done.check_error(2, f"no configuration 'cortex-m4f-80mhx'; did you mean .*{M4}.*choose from: {M7}, {M4}, raspberry")
    assert service.lines == ["GET /projects", "GET /N"]


def test_without_a_key_nothing_is_sent(
    impulse: Reds, service: StandIn, int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EI_API_KEY")
    impulse("profile", int8_file, "--on", "edge-impulse").check_error(2, "needs an API key .*; set .* EI_API_KEY")
    assert service.requests == []


def test_a_wrong_key_is_told_and_not_shown(
    impulse: Reds, service: StandIn, int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EI_API_KEY", "ei_wrong")
    done = impulse("profile", int8_file, "--on", "edge-impulse")
    done.check_error(2, r"refuses the key in EI_API_KEY \(401 Unauthorized\); set the environment variable")
    assert "ei_wrong" not in done.err + done.out
    assert KEY not in done.err + done.out


def test_the_files_of_a_run(impulse: Reds, service: StandIn, tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.5]})
    contents = {}
    for index, name in enumerate(("subnet-50", "full")):  # the toy framework writes files of its own
        path = place.out / f"{name}-int8.tflite"
        assert path.exists()
        contents[path.name] = dense(12 + index, 4, is_int8=True)
        path.write_bytes(contents[path.name])
    other = place.out / "subnet-50.tflite"
    other.write_bytes(dense(12, 4, is_int8=False))
    done = impulse("profile", place.out, "--on", "edge-impulse", "--config", M4, "--json")
    assert done.status == 0, done.err
    found = {record["file"]: record for record in done.json}
    assert set(found) == {*contents, other.name}
    for name, content in contents.items():
        assert found[name]["flash"] == memory_of(content)["tflite"]["rom"]
    assert found["full-int8.tflite"]["member"] == "full"
    assert [request.file_name for request in service.requests if request.file] == [r["file"] for r in done.json]
    assert service.lines == ["GET /projects", "GET /N", *OF_ONE_FILE * 3]
    kept = json.loads((place.out / "profile.json").read_text())["records"]
    assert {(record["on"], record["config"]) for record in kept} == {("edge-impulse", M4)}
