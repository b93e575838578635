"""`reds profile` with another machine: a program, its records, and both by ssh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from other_machine import OtherMachine, toy_program, toy_records
from toy_devices import Portable, ToyDevice
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace

import reds_core
from reds_core.errors import InputError, UnavailableError, UnsupportedError
from reds_core.framework.profile_records import ProfileRecord, load_profiles
from reds_core.report.device_tables import device_tables
from reds_core.runs.elsewhere import Elsewhere, hashes_of, timed_on_host
from reds_core.system.ssh import Deadlines, SshHost

REGISTRY = toy_registry(Portable)
FAST = Deadlines(answer=20.0, copy=20.0, silence=0.3, end=20.0)


@pytest.fixture
def out(place: Workplace) -> Path:
    place.prune(settings=NO_TRAINING, budgets={"macs": 0.5})
    return place.out


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OtherMachine:
    return OtherMachine(tmp_path / "machine", monkeypatch)


def profiled(path: Path, **more: Any) -> tuple[ProfileRecord, ...]:
    on = more.pop("on", None if "records" in more else "toy-micro")
    return reds_core.profile(path, on, registry=more.pop("registry", REGISTRY), **more)


def files_of(out: Path) -> dict[str, Path]:
    return {r.file: out / r.file for r in profiled(out, watcher=Listener())}


def written(path: Path, out: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(toy_records("toy-micro", hashes_of(files_of(out)), **changes)))
    return path


def test_a_program_is_written_run_and_its_records_taken_back(out: Path, tmp_path: Path) -> None:
    script, records = tmp_path / "time me.py", tmp_path / "records.json"
    assert profiled(out, script=script) == ()
    assert load_profiles(out) == ()
    subprocess.run([sys.executable, script, out, "--out", records], check=True, capture_output=True)
    found = profiled(out, records=records)
    assert [(r.file, r.member, r.on, r.config, r.machine) for r in found] == [
        ("subnet-50-int8.tflite", "50", "toy-micro", "slow", "toy-pi"),
        ("subnet-50.tflite", "50", "toy-micro", "slow", "toy-pi"),
        ("full-int8.tflite", "full", "toy-micro", "slow", "toy-pi"),
    ]
    for record in found:
        assert record.flash == (out / record.file).stat().st_size
        assert record.latency_ns == 1000 * record.flash
        assert record.timing is not None
        assert (record.timing.spread_ns, record.timing.machine.cpu) == (2, "Cortex-A72")
    assert load_profiles(out) == found


def test_machines_are_kept_beside_each_other(out: Path, tmp_path: Path) -> None:
    records, here = written(tmp_path / "r.json", out), load_profiles(out)
    for name in ("raspberry-pi-4", None, "Pixel 8"):
        profiled(out, records=records, name=name)
    machines = [None, "raspberry-pi-4", "toy-pi", "Pixel 8"]
    assert [r.machine for r in load_profiles(out)] == [machine for machine in machines for _ in range(3)]
    again = profiled(out, records=records, name="raspberry-pi-4")
    assert load_profiles(out)[:3] == here
    assert load_profiles(out)[9:] == again
    assert len(load_profiles(out)) == 12
    shown = {each.table.caption: each.remark for each in device_tables(load_profiles(out), {}, REGISTRY)}
    of = "toy-micro{}, configuration slow".format
    assert list(shown) == [of(""), of(" on toy-pi"), of(" on Pixel 8"), of(" on raspberry-pi-4")]
    assert shown[of("")].startswith("Latency is made up.")
    assert shown[of(" on Pixel 8")] == (
        "Latency is the median of up to 9 inferences on Pixel 8 (Cortex-A72, Linux, 4 cores), with 1 thread and "
        "toys 1.2. Spread is the upper less the lower decile. Flash and operators are counted from the files."
    )
    assert again[0].latency_ns == 2000


def test_a_file_alone(out: Path, tmp_path: Path) -> None:
    path = out / "subnet-50.tflite"
    assert profiled(path, script=tmp_path / "s.py") == ()
    records = tmp_path / "r.json"
    records.write_text(json.dumps(toy_records("toy-micro", hashes_of({path.name: path}))))
    (record,) = profiled(path, records=records)
    assert (record.file, record.member, record.latency_ns) == (str(path), "50", 2000)
    assert load_profiles(out) == ()


def test_records_that_do_not_fit_are_refused(out: Path, tmp_path: Path, reds: Reds) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, Portable)))
    records = written(tmp_path / "r.json", out)
    before = (out / "profile.json").read_text()
    reds("profile", out, "--import", records, "--on", "litert").check_error(2, "holds records of target 'toy-micro'")
    reds("profile", out, "--import", records, "--name", "a\nb").check_error(2, "is not a name for a machine")
    reds("profile", out / "full-int8.tflite", "--import", records).check_error(
        2, "which is no file of .*; give the folder for which the program was written"
    )
    (out / "subnet-50.tflite").write_bytes((out / "subnet-50.tflite").read_bytes() + b" ")
    reds("profile", out, "--import", records).check_error(
        2, "'subnet-50.tflite' has changed since it was timed; write .* --script and run it, or measure again by --host"
    )
    assert (out / "profile.json").read_text() == before
    given = ("--on", "toy-micro", "--script", tmp_path / "s.py", "--json")
    assert reds("profile", out / "full-int8.tflite", *given).json == []


def test_files_that_were_not_timed_or_cannot_be_run_are_named(out: Path, tmp_path: Path) -> None:
    hashes = hashes_of(files_of(out))
    plain = toy_records("toy-micro", hashes)
    nothing = {"median_ns": None, "low_ns": None, "high_ns": None, "runs": 0, "refused": "no operator FLOAT"}
    plain["files"] = [{**plain["files"][0], **nothing}, plain["files"][1]]
    records, heard = tmp_path / "r.json", Listener()
    records.write_text(json.dumps(plain))
    assert len(profiled(out, records=records, watcher=heard)) == 1
    assert heard.warnings[:2] == [
        "'subnet-50-int8.tflite' is left out: toy-pi cannot run it (no operator FLOAT)",
        "1 of 3 files are not timed on toy-pi",
    ]
    records.write_text(json.dumps({**plain, "files": plain["files"][:1]}))
    with pytest.raises(UnsupportedError, match="toy-pi has timed none of the files"):
        profiled(out, records=records, watcher=heard)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"script": "s.py", "host": "ssh:pi"}, "script and host exclude each other"),
        ({"script": "s.py", "records": "r.json"}, "script and records exclude each other"),
        ({"records": "r.json", "host": "ssh:pi"}, "records and host exclude each other"),
        ({"name": "pi"}, "name is for times of another machine"),
        ({"name": "pi", "script": "s.py"}, "name is for times of another machine"),
        ({"host_python": "python3", "records": "r.json"}, "host_python is for a machine that is reached by ssh"),
        ({"host_python": "-c", "host": "ssh:pi"}, "host_python '-c' is not the path of a program"),
        ({"host": "pi"}, "host 'pi' is not of the form ssh:NAME"),
        ({"host": "ssh:"}, "host 'ssh:' is not of the form"),
        ({"host": "ssh:-oProxyCommand=touch x"}, "is not of the form ssh:NAME"),
        ({"host": "ssh:a b"}, "is not of the form"),
        ({"host": "ssh:a;b"}, "is not of the form"),
        ({"records": "none.json"}, "'none.json' cannot be read"),
        ({"script": ""}, "script is empty"),
        ({"on": None}, "on is missing"),
    ],
)
def test_arguments_that_make_no_sense(given: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        profiled(tmp_path, **given)


def test_devices_that_time_nothing_elsewhere(out: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedError, match=r"target 'tflite' times no files on other machines; choose from: .*toy-m"
    ):
        profiled(out, on="tflite", script=tmp_path / "s.py")
    with pytest.raises(UnsupportedError, match="times no files on other machines"):
        ToyDevice().timing_script({})


# --- by ssh ---------------------------------------------------------------------------------------------------------


def test_files_are_timed_by_ssh(out: Path, machine: OtherMachine) -> None:
    heard = Listener()
    found = profiled(out, host="ssh:pi", name="a pi", watcher=heard)
    assert [r.machine for r in found] == ["a pi"] * 3
    assert [r.latency_ns for r in found] == [1000 * (out / r.file).stat().st_size for r in found]
    assert "timing 3 files on pi" in heard.stages
    assert machine.left == []
    assert [line[0] for line in machine.commands] == ["ssh", "scp", "ssh", "scp", "ssh"]


def test_names_with_spaces_and_quotes_are_quoted(tmp_path: Path, machine: OtherMachine) -> None:
    folder = tmp_path / 'it\'s; $(touch x) "here"'
    folder.mkdir()
    names = ["a b.tflite", "it's.tflite", '"; touch x; ".tflite', "$(touch x).tflite", "-rf.tflite", "pi:c.tflite"]
    files = {name: folder / name for name in names}
    for path in files.values():
        path.write_bytes(b"ns 7")
    (machine.home / "my env").mkdir()
    (machine.home / "my env" / "it's python").symlink_to(sys.executable)
    elsewhere = Elsewhere(host=SshHost("pi"), host_python="~/my env/it's python")
    said: list[str] = []
    found = timed_on_host(elsewhere, toy_program(hashes_of(files), "toy-micro"), files, said.append)
    assert [(each.file, each.median_ns) for each in found.files] == [(name, 7.0) for name in names]
    assert len(said) == len(names)
    assert machine.left == ["my env"]


@pytest.mark.parametrize(
    ("mode", "kind", "why"),
    [
        (
            "unreachable",
            InputError,
            r"'pi' cannot be reached by ssh \(ssh: connect to host pi port 22:  ?\[31mNo route",
        ),
        ("no-python", UnavailableError, "'pi' has no python3; install Python 3.9 or later there"),
        ("no-library", UnavailableError, "on 'pi', toys is not installed; run `python3 -m pip install toys` there"),
        ("killed", InputError, r"the connection to 'pi' was lost \(Connection to pi closed by remote host.\); run"),
        ("slow", InputError, "'pi' did not answer within 0.3 s"),
        ("full", InputError, r"'pi' takes no files \(scp: write: No space left on device\)"),
        (
            "out-of-memory",
            InputError,
            "the program on 'pi' was killed by signal 9; check its memory, and",
        ),
        ("silent", InputError, "the program on 'pi' ended with status 1; run the same command again"),
    ],
)
def test_what_goes_wrong_there_is_told_and_nothing_is_left(
    mode: str, kind: type[Exception], why: str, tmp_path: Path, machine: OtherMachine
) -> None:
    machine.become(mode)
    files = {name: tmp_path / name for name in ("a.tflite", "b.tflite")}
    for path in files.values():
        path.write_bytes(b"ns 7")
    deadlines = FAST if mode == "slow" else Deadlines()
    elsewhere = Elsewhere(host=SshHost("pi", deadlines))
    rescued: list[int] = []
    with pytest.raises(kind, match=why):
        timed_on_host(
            elsewhere,
            toy_program(hashes_of(files), "toy-micro"),
            files,
            lambda _: None,
            lambda timings: rescued.append(len(timings.files)),
        )
    assert machine.left == []
    assert rescued == ([1] if mode in ("killed", "out-of-memory", "silent") else [])


def test_the_library_is_to_be_installed_for_the_python_that_is_named(tmp_path: Path, machine: OtherMachine) -> None:
    (machine.home / "my env").mkdir()
    (machine.home / "my env" / "python").symlink_to(sys.executable)
    machine.become("no-library")
    elsewhere = Elsewhere(host=SshHost("pi"), host_python="~/my env/python")
    with pytest.raises(UnavailableError, match="run `~/'my env/python' -m pip install toys` there"):
        timed_on_host(elsewhere, toy_program({}, "toy-micro"), {}, lambda _: None)


def test_an_interrupted_call_leaves_nothing_there(tmp_path: Path, machine: OtherMachine) -> None:
    machine.become("slow")
    path = tmp_path / "a.tflite"
    path.write_bytes(b"ns 7")

    def interrupt() -> None:
        while not any("python3" in " ".join(line) for line in machine.commands):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        timed_on_host(Elsewhere(host=SshHost("pi")), toy_program({}, "toy-micro"), {path.name: path}, lambda _: None)
    assert machine.left == []


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="ssh is not installed; install the OpenSSH client"):
        timed_on_host(Elsewhere(host=SshHost("pi")), "", {}, lambda _: None)
