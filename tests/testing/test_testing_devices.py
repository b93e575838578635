"""The conformance kit for devices: an honest one passes, each bad one fails the check meant for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import toy_devices
from kit_reports import failed
from toy_devices import Portable, ToyDevice
from toy_plugins import toy_registry

from reds_core.framework.device import Device
from reds_core.testing import DEVICE_CHECKS, CheckOutcome, check, check_device, device_conformance

TOYS = toy_registry(ToyDevice)
BAD_DEVICES: list[tuple[type[Device], str, str]] = [
    (toy_devices.Unread, "declares_what_it_is", "reads names no kind of files"),
    (toy_devices.Doubled, "declares_what_it_is", "not a tuple of different names"),
    (toy_devices.Idle, "declares_what_it_is", "neither profiles, nor runs, nor deploys files"),
    (toy_devices.Real, "profiles_files", "is 0.5, not None or a whole number"),
    (toy_devices.Tipped, "profiles_files", "is larger than the arena"),
    (
        toy_devices.Nameless,
        "profiles_files",
        "has source 'measured' and reference 'a toy', not one of rapl, board-model",
    ),
    (toy_devices.Leaking, "profiles_files", "do not add up to flash"),
    (toy_devices.Untyped, "profiles_files", "not a Profile"),
    (toy_devices.Lacking, "profiles_files", "refuses to profile the file of every sample"),
    (toy_devices.Restless, "profiles_the_same_twice", "profiles of the same files differ"),
    (toy_devices.Wrong, "runs_files", "elsewhere"),
    (toy_devices.Crashing, "refuses_damaged_files", "raises FileNotFoundError, not InputError, for a missing file"),
    (toy_devices.Trusting, "times_files_elsewhere", "the program accepts a file of other content"),
    (toy_devices.Printing, "prints_nothing", "printed 'profiled"),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("device", "name", "reason"), BAD_DEVICES, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_device_fails_the_check_meant_for_it(device: type[Device], name: str, reason: str) -> None:
    found = failed(check_device(device, registry=TOYS))
    assert list(found) == [name], found
    assert reason in found[name]


def test_every_check_has_a_device_that_fails_it_and_says_why() -> None:
    assert {bad[1] for bad in BAD_DEVICES} | {"imports_nothing_heavy"} == {c.name for c in DEVICE_CHECKS}
    assert all(len(each.reason) > 40 for each in DEVICE_CHECKS)


@pytest.mark.usefixtures("quick")
@device_conformance(Portable, registry=TOYS)
def test_an_honest_device_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("quick")
def test_check_finds_devices_by_name() -> None:
    (report,) = check("toy-micro", TOYS)
    assert (report.plugin, report.kind, report.ok) == ("toy-micro", "target", True), str(report)


@pytest.mark.usefixtures("quick")
def test_a_device_without_a_target_that_writes_its_files_is_only_looked_at() -> None:
    class Exotic(ToyDevice):
        reads = ("exotic",)

    report = check_device(Exotic, registry=TOYS)
    assert failed(report) == {}
    skipped = {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert skipped["profiles_files"] == "no installed target writes files that it reads"


@pytest.mark.usefixtures("quick")
def test_a_device_is_asked_for_its_configurations() -> None:
    report = check_device(toy_devices.AskingDevice, registry=TOYS)
    assert failed(report) == {}
    assert [r.name for r in report.with_outcome(CheckOutcome.SKIPPED)] == ["times_files_elsewhere"]


@pytest.mark.usefixtures("quick")
def test_checks_of_profiles_are_skipped_where_a_service_cannot_be_used() -> None:
    report = check_device(toy_devices.AbsentService, registry=TOYS)
    assert failed(report) == {}
    skipped = {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert skipped.pop("times_files_elsewhere") == "times no files on other machines"
    assert skipped == dict.fromkeys(
        ("profiles_files", "profiles_the_same_twice", "refuses_damaged_files"), "the toy service cannot be reached"
    )
