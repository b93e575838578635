"""Latency tables of another machine: exported segments, their times, and runs that keep to them."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from other_machine import OtherMachine
from rich.console import Console
from toy_framework import describe, residual_model
from toy_latency import PortableToyFramework, timed_registry, toy_latencies
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace, make_workplace, skip_report

import reds_core
from reds_core import progress
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table
from reds_core.errors import InputError, UnsupportedError
from reds_core.plan import load_plan
from reds_core.report.latency_source import latency_sentences
from reds_core.report.run_page import run_page

SETTINGS = LatencySettings(points=3, checks=2)
REGISTRY = toy_registry(framework=PortableToyFramework)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    return make_workplace(tmp_path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OtherMachine:
    return OtherMachine(tmp_path / "machine", monkeypatch)


def measured(place: Workplace, **more: Any) -> LatencyTable:
    given: dict[str, Any] = {"settings": SETTINGS, "registry": REGISTRY, "verbose": 0} | more
    return reds_core.measure_latency(given.pop("model", place.model), place.folder / "t.json", **given)


def records_of(place: Workplace, files: int | None = None) -> Path:
    """Write the program, run it, and keep some of its records."""
    script, records = place.folder / "time.py", place.folder / "records.json"
    measured(place, script=script)
    command = [sys.executable, str(script), str(place.folder / "t-parts"), "--out", str(records)]
    subprocess.run(command, check=True, capture_output=True)
    content = json.loads(records.read_text())
    records.write_text(json.dumps(content | {"files": content["files"][:files]}))
    return records


def same_times(table: LatencyTable, place: Workplace) -> bool:
    """Whether the times are those that the toy framework makes up here, but for the empty model."""
    here = toy_latencies(residual_model(), place.folder / "here.json", SETTINGS)

    def times(table: LatencyTable) -> Any:
        return (
            [(sample.segment, sample.widths, sample.timing.ns) for sample in table.samples],
            [(check.widths, check.measured.ns) for check in table.checks],
            (table.full.ns, table.narrow.ns),
        )

    found, expected = times(table), times(here)
    return (sorted(found[0]), *found[1:]) == (sorted(expected[0]), *expected[1:])


def test_a_table_is_made_of_the_records_of_a_program(place: Workplace) -> None:
    records = records_of(place)
    assert not (place.folder / "t.json").exists()
    table = measured(place, records=records, name="raspberry-pi-4")
    assert table.complete
    assert load_latency_table(place.folder / "t.json") == table
    assert (table.machine.name, table.machine.cpu, table.machine.cores) == ("raspberry-pi-4", "Cortex-A72", 4)
    assert (table.versions, table.overhead.ns, table.full.spread_ns) == ({"toys": "1.2"}, 0.25, 2)
    assert same_times(table, place)
    assert not (place.folder / "t-parts").exists()


def test_a_run_keeps_to_it_and_times_nothing_here(place: Workplace) -> None:
    table, heard = measured(place, records=records_of(place)), Listener()
    settings = dataclasses.replace(NO_TRAINING, latency_table=str(place.folder / "t.json"))
    plan = place.prune(settings=settings, registry=REGISTRY, budgets={"latency": 0.8}, watcher=heard)
    (record,) = plan.subnetworks
    full = table.form(describe(residual_model())).at(table.channels)
    assert record.usage["latency"] <= 0.8 * full
    assert record.latency_measured_ns is None
    said = "exported files are not timed: the latency table is of toy-pi, not of this machine"
    assert said in heard.notes
    assert load_plan(place.out).latency_machine == table.machine
    sentence = "Latencies are predicted from times that were measured on toy-pi (Cortex-A72, Linux, 4 cores)."
    assert latency_sentences(plan.latency_machine) == (sentence,)
    assert sentence in run_page(plan, place.out)


def test_an_unfinished_table_is_gone_on_with(place: Workplace) -> None:
    with pytest.raises(InputError, match="do not hold the times of the whole network; let the program run longer"):
        measured(place, records=records_of(place, 2))
    part = measured(place, records=records_of(place, 9), name="pi")
    assert (part.complete, len(part.samples), part.checks) == (False, 6, ())
    assert json.loads(records_of(place).read_text())["files"][0]["file"].startswith("segment-")
    with pytest.raises(InputError, match=r"t.json' holds latencies of pi, not of other; choose another file"):
        measured(place, records=place.folder / "records.json", name="other")
    with pytest.raises(InputError, match="holds latencies measured on another machine"):
        measured(place)
    whole = measured(place, records=place.folder / "records.json")
    assert whole.complete
    assert whole.machine.name == "pi"
    assert same_times(whole, place)


def test_files_are_exported_once(place: Workplace) -> None:
    told: list[tuple[int, int]] = []
    records_of(place)
    folder = place.folder / "t-parts"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "full.toy").write_bytes(b"damaged")
    measured(place, script=place.folder / "time.py", told=lambda done, of: told.append((done, of)))
    assert told == [(len(before) - 1, len(before) - 1)]
    changed = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != before[path]}
    assert changed == {"full.toy", "parts.json"}
    with pytest.raises(InputError, match="t-parts' holds files of another model, or for other settings; remove it"):
        measured(place, script=place.folder / "time.py", settings=LatencySettings(points=2))


def test_what_was_timed_is_kept_if_a_file_is_refused(place: Workplace) -> None:
    records = records_of(place)
    content = json.loads(records.read_text())
    at = next(i for i, each in enumerate(content["files"]) if each["file"].startswith("segment-"))
    refused = {"median_ns": None, "low_ns": None, "high_ns": None, "runs": 0, "refused": "no CONV"}
    files = [each | refused if i == at else each for i, each in enumerate(content["files"])]
    records.write_text(json.dumps(content | {"files": files}))
    name = files[at]["file"]
    with pytest.raises(UnsupportedError, match=rf"toy-pi cannot run '{name}', a part of the network \(no CONV\)"):
        measured(place, records=records)
    table = load_latency_table(place.folder / "t.json")
    assert not table.complete
    assert len(table.samples) == sum(each["file"].startswith("segment-") for each in files) - 1
    left = json.loads(records_of(place).read_text())["files"]
    assert left[0]["file"] == name
    assert all(each["file"].startswith("check-") for each in left[1:])
    assert measured(place, records=records).complete


@pytest.mark.parametrize("name", ["", ".", "..", "../full.toy", "/full.toy", "..\\full.toy"])
def test_files_outside_of_the_folder_are_refused(place: Workplace, name: str) -> None:
    records = records_of(place)
    path = place.folder / "t-parts" / "parts.json"
    content = json.loads(path.read_text())
    content["files"][1]["file"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"parts.json' cannot be read .*is not the name of a file"):
        measured(place, records=records)


def test_records_of_other_files_are_refused(place: Workplace, reds: Reds) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, PortableToyFramework)))
    records, command = records_of(place), ("latency", place.model, "--out", place.folder / "t.json", "--points", 3)
    command = (*command, "--checks", 2)
    content = json.loads(records.read_text())
    for change, why in (
        ({"sha256": "0" * 64}, "'overhead.toy' has changed since it was timed"),
        ({"file": "x.toy"}, "which is no file of"),
        (
            {"median_ns": None, "low_ns": None, "high_ns": None, "refused": "no CONV"},
            "cannot run 'overhead.toy', a part",
        ),
    ):
        records.write_text(json.dumps(content | {"files": [content["files"][0] | change, *content["files"][1:]]}))
        reds(*command, "--records", records).check_error(2, why)
    records.write_text(json.dumps(content | {"threads": 2}))
    reds(*command, "--records", records).check_error(2, "the records are of 2 threads; give --threads 2")
    reds(*command, "--records", records, "--host", "ssh:pi").check_error(2, "--records and --host exclude each other")
    assert not (place.folder / "t.json").exists()
    records.write_text(json.dumps(content))
    assert reds(*command, "--records", records, "--json").json["complete"]
    reds(*command, "--script", "s.py").check_error(2, "is complete")
    reds(*command, "--records", records).check_error(2, "t.json' is complete; choose another file, or remove this one")
    (place.folder / "t.json").unlink()
    reds(*command, "--records", records).check_error(2, "no files were exported .*; export them by --script first")
    assert reds(*command, "--script", place.folder / "s.py").out.startswith("wrote ")


def test_by_ssh(place: Workplace, machine: OtherMachine) -> None:
    machine.become("killed")
    with pytest.raises(InputError, match="the connection to 'pi' was lost"):
        measured(place, host="ssh:pi")  # before the whole network was timed
    assert not (place.folder / "t.json").exists()
    machine.become("fine")
    table = measured(place, host="ssh:pi", name="a pi")
    assert (table.complete, table.machine.name) == (True, "a pi")
    assert same_times(table, place)
    assert machine.left == []
    assert not (place.folder / "t-parts").exists()


def test_a_complete_table_is_not_passed_off_as_one_of_another_machine(
    place: Workplace, machine: OtherMachine, reds: Reds
) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, PortableToyFramework)))
    table = measured(place, records=records_of(place), name="pi")
    with pytest.raises(InputError, match=r"t.json' holds latencies of pi, not of jetson; choose another file"):
        measured(place, host="ssh:pi", name="jetson")
    command = ("latency", place.model, "--out", place.folder / "t.json", "--points", 3, "--checks", 2)
    for more in ((), ("--name", "pi")):
        ran = reds(*command, "--host", "ssh:pi", *more)
        assert (ran.status, "t.json' is complete, so nothing was measured" in " ".join(ran.err.split())) == (0, True)
    assert load_latency_table(place.folder / "t.json") == table
    assert machine.commands == []


def test_one_bar_is_shown_after_the_other(
    place: Workplace, machine: OtherMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(progress, "_shows_bars", lambda verbose: True)
    monkeypatch.setattr(progress, "status_console", lambda: console)
    assert measured(place, host="ssh:pi", verbose="auto").complete
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert -1 < shown.rfind("exporting segments") < shown.index("timing segments on pi")


def test_a_lost_connection_keeps_what_was_timed(place: Workplace, machine: OtherMachine) -> None:
    measured(place, records=records_of(place, 5))
    machine.become("killed")
    with pytest.raises(InputError, match="the connection to 'pi' was lost"):
        measured(place, host="ssh:pi")
    assert len(load_latency_table(place.folder / "t.json").samples) == 3
    machine.become("fine")
    assert measured(place, host="ssh:pi").complete


def test_probes_that_export_nothing(place: Workplace) -> None:
    with pytest.raises(UnsupportedError, match="the files of this target are timed on this machine only"):
        measured(place, script=place.folder / "time.py", registry=timed_registry())
