"""`reds profile`: files of a run, or a file alone, on a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from html_pages import Page
from toy_devices import AbsentService, AskingDevice, Lacking, ToyDevice
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace

import reds_core
from reds_core.errors import InputError, PluginFailure, UnavailableError, UnsupportedError
from reds_core.framework.device import Device, Energy, Profile
from reds_core.framework.profile_records import PROFILE_FILE, ProfileRecord, load_profiles
from reds_core.framework.target import Target
from reds_core.plan import load_plan
from reds_core.report import write_report
from reds_core.system.records import to_json

REGISTRY = toy_registry(ToyDevice)


@pytest.fixture
def out(place: Workplace) -> Path:
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.75, 0.5]})
    return place.out


def profiled(path: Path, on: str = "toy-micro", **more: Any) -> tuple[ProfileRecord, ...]:
    return reds_core.profile(path, on, registry=more.pop("registry", REGISTRY), **more)


def test_all_files_of_a_run_that_the_device_reads(out: Path) -> None:
    records = profiled(out)
    assert [(r.member, r.file) for r in records] == [
        ("50", "subnet-50-int8.tflite"),
        ("50", "subnet-50.tflite"),
        ("75", "subnet-75-int8.tflite"),
        ("75", "subnet-75.tflite"),
        ("full", "full-int8.tflite"),
    ]
    assert {(r.on, r.config) for r in records} == {("toy-micro", "slow")}
    for record in records:
        found = ToyDevice().profile(out / record.file, "slow")
        assert record == ProfileRecord.of(found, record.file, record.member, "toy-micro", "slow")
        assert record.flash == (out / record.file).stat().st_size


def test_a_record_has_the_fields_of_the_format(out: Path) -> None:
    record = profiled(out)[0]
    plain = json.loads(to_json(record))
    assert list(plain) == [
        *("file", "member", "on", "config", "latency_ns", "cycles", "instructions", "arena", "arena_head"),
        *("sram", "flash", "flash_weights", "flash_metadata", "operators", "cpu_operators", "macs", "energy"),
    ]
    assert plain["cycles"] is None
    assert plain["energy"] == {
        **{"uJ": 0.5, "source": "rapl", "reference": "a toy", "constants": {}},
        **{"error_percent": None, "about": ""},
    }
    assert record.energy == Energy(0.5, "rapl", "a toy")


def test_profiles_are_kept_by_device_and_configuration(out: Path) -> None:
    first, second = profiled(out), profiled(out, config="fast")
    assert load_profiles(out) == (*first, *second)
    assert [r.latency_ns for r in first] == [5 * r.latency_ns for r in second if r.latency_ns is not None]
    again = profiled(out)
    assert again == first
    assert load_profiles(out) == (*second, *first)
    assert json.loads((out / PROFILE_FILE).read_text())["format"] == "reds-profile/1"


def test_a_device_may_ask_for_its_configurations(place: Workplace) -> None:
    registry = toy_registry(AskingDevice)
    [record] = profiled(place.model, "toy-service", registry=registry)
    assert record.config == "fast"
    [other] = profiled(place.model, "toy-service", registry=registry, config="slow")
    assert (record.latency_ns or 0) * 5 == other.latency_ns
    with pytest.raises(InputError, match=r"no configuration 'slwo'; did you mean 'slow'.* choose from: fast, slow"):
        profiled(place.model, "toy-service", registry=registry, config="slwo")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        profiled(place.model, "toy-service", registry=toy_registry(AbsentService))
    with pytest.raises(InputError, match="does not exist"):  # told before anyone is asked
        profiled(place.folder / "none.tflite", "toy-service", registry=toy_registry(AbsentService))


def test_the_report_shows_them(out: Path) -> None:
    assert "On devices" not in Page(write_report(load_plan(out), out).read_text()).text
    (out / "report.html").unlink()
    profiled(out)
    assert (out / "report.html").exists(), "it is written again"
    page = Page(write_report(load_plan(out), out).read_text())
    assert "On devices" in page.text
    assert "toy-micro, configuration slow" in page.text
    assert "Latency is made up." not in page.text  # the report asks the installed plugins, to which toys do not belong
    assert "subnet-50-int8.tflite" in page.text


def test_a_file_alone(out: Path, tmp_path: Path) -> None:
    (record,) = profiled(out / "subnet-50-int8.tflite")
    assert (record.file, record.member) == (str(out / "subnet-50-int8.tflite"), "50")
    assert not (out / PROFILE_FILE).exists()
    alone = tmp_path / "alone" / "m.tflite"
    alone.parent.mkdir()
    alone.write_bytes((out / "subnet-50-int8.tflite").read_bytes())
    (record,) = profiled(alone)
    assert record.member is None


def test_files_that_the_device_cannot_run_are_left_out(out: Path) -> None:
    class Picky(ToyDevice):
        def profile(self, path: Path, configuration: str | None = None) -> Profile:
            if "int8" not in path.name:
                raise UnsupportedError(f"toy-micro has no operator FLOAT, which '{path.name}' needs", "use int8")
            return super().profile(path, configuration)

    heard = Listener()
    records = profiled(out, registry=toy_registry(Picky), watcher=heard)
    assert [r.member for r in records] == ["50", "75", "full"]
    why = "'subnet-50.tflite' is left out: toy-micro has no operator FLOAT, which 'subnet-50.tflite' needs"
    assert heard.warnings[0] == why
    with pytest.raises(UnsupportedError, match="toy-board has no operator DENSE"):
        profiled(out, "toy-board", registry=toy_registry(Lacking), watcher=heard)


class Exotic(ToyDevice):
    name = "exotic"
    reads = ("hex",)


class Buggy(ToyDevice):
    name = "buggy"

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        raise KeyError("latency")


def test_errors(out: Path, tmp_path: Path) -> None:
    registry = toy_registry(ToyDevice, Exotic, Buggy)
    for path, on, more, why in (
        (tmp_path / "none", "toy-micro", {}, "none' does not exist; give the folder of a run, or a file"),
        (tmp_path, "toy-micro", {}, "holds no finished run"),
        (out, "toy-mcro", {}, r"unknown target 'toy-mcro'; did you mean 'toy-micro'\?"),
        (out, 3, {}, "on of type int is not a name"),
        (
            out,
            "toy-micro",
            {"config": "fsat"},
            r"no configuration 'fsat'; did you mean 'fast'\? choose from: slow, fast",
        ),
        (out, "toy-micro", {"options": {"toy-micro": {"x": "1"}}}, "has no option 'x'"),
        (out, "exotic", {}, "holds no file that target 'exotic' reads; prune with one of these targets: hex"),
        ("", "toy-micro", {}, "path is empty"),
    ):
        with pytest.raises(InputError, match=why):
            profiled(path, on, registry=registry, **more)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=r"target 'tflite' does not profile files; choose from: .*toy-micro"):
        profiled(out, "tflite", registry=registry)
    with pytest.raises(PluginFailure, match="target 'buggy' failed with KeyError"):
        profiled(out, "buggy", registry=registry)
    (out / PROFILE_FILE).write_text("{}")
    with pytest.raises(InputError, match=r"cannot be read \(it is not of format reds-profile/1\); remove"):
        profiled(out)


def test_a_device_is_not_a_target_that_writes_files(place: Workplace) -> None:
    with pytest.raises(InputError, match="target 'toy-micro' writes no files, it profiles or deploys those of other"):
        REGISTRY.create(Target, "toy-micro")
    with pytest.raises(InputError, match="target 'toy-micro' writes no files"):
        place.prune(settings=NO_TRAINING, targets=("toy-micro",), registry=REGISTRY)
    assert REGISTRY.create(Device, "tflite").name == "tflite"
    assert not place.out.exists() or load_plan(place.out)


def test_what_devices_do_by_default_is_refused(out: Path) -> None:
    class Bare(Device):
        name = "bare"

    for attempt in (
        lambda: Bare().profile(out),
        lambda: Bare().load(None, out),  # type: ignore[arg-type]
        lambda: Bare().deploy((), out),
    ):
        with pytest.raises(UnsupportedError, match="target 'bare'"):
            attempt()


def test_the_command(reds: Reds, out: Path) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyDevice)))
    shown = reds("profile", out, "--on", "toy-micro", "--config", "fast")
    assert shown.status == 0, shown.err
    lines = shown.out.splitlines()
    columns = ["file", "network", "latency", "energy (measured)", "activations", "arena", "flash", "weights"]
    assert lines[0].split() == " ".join(columns).split()
    assert [line.split()[:2] for line in lines[1:3]] == [["subnet-50-int8.tflite", "50"], ["subnet-50.tflite", "50"]]
    assert lines[-1] == "Latency is made up. Energy is measured (source rapl): a toy."
    printed = reds("profile", out, "--on", "toy-micro", "--json")
    assert printed.json == json.loads(to_json(profiled(out)))
    reds("profile", out).check_error(2, "--on is missing; give the name of a target that profiles")
    reds("profile", out, "--on", "tflite").check_error(2, "does not profile files")
