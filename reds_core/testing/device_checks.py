"""Checks of devices that write no files of their own.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from reds_core.cost.energy_models import BOARD_MODEL, NPU_MODEL, RAPL
from reds_core.errors import InputError, RedsError, UnavailableError, UnsupportedError
from reds_core.framework.device import Device, Profile
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.timings import hash_of, load_timings
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.model_checks import questions
from reds_core.testing.plugin_checks import PluginSubject, check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Settings, Skip
from reds_core.testing.runner import Check
from reds_core.testing.target_checks import ALLOWED, CERTAIN
from reds_core.testing.target_subject import TargetSubject

WHOLE = ("cycles", "instructions", "arena", "arena_head", "flash", "flash_weights", "flash_metadata", "macs")
"""The figures of a profile that are whole numbers."""
ENERGY_SOURCES = (RAPL, BOARD_MODEL, NPU_MODEL)


class DeviceSubject(PluginSubject[Device]):
    """A device under test, with a target that writes files which it reads.

    Args:
        make: Makes a device with its options.
        settings: The expectations that the author states.
        make_files: Makes the target with the sample models that it exports; None if no installed target writes such
            files.
    """

    def __init__(
        self, make: Callable[[], Device], settings: Settings, make_files: Callable[[], TargetSubject | None]
    ) -> None:
        super().__init__(make, settings)
        self._make_files = make_files

    @cached_property
    def files(self) -> TargetSubject:
        """The target that writes files which the device reads.

        Raises:
            Skip: If there is none.
        """
        found = self._make_files()
        if found is None:
            raise Skip("no installed target writes files that it reads")
        return found

    @property
    def configuration(self) -> str | None:
        """The default configuration."""
        return next(iter(self.plugin.known_configurations()), None)

    def overrides(self, method: str) -> bool:
        """Whether the device does something that devices do not do by default."""
        return getattr(type(self.plugin), method) is not getattr(Device, method)

    def profile(self, path: Path) -> Profile:
        """The profile of a file.

        Raises:
            Skip: If the device does not profile, or needs something that cannot be used now, such as a service.
        """
        if not self.overrides("profile"):
            raise Skip("does not profile files")
        try:
            return self.make().profile(path, self.configuration)
        except UnavailableError as error:
            raise Skip(error.what) from error

    def profiled(self) -> list[tuple[str, Profile]]:
        """The profiles of the files of all sample models that the device can run, with the names of the models.

        Raises:
            Skip: If it does not profile, or there are no files.
            Failure: If it can run none of them.
        """
        found = []
        for trial, content in self.files.expressed:
            with self.files.written(trial, content) as path, contextlib.suppress(UnsupportedError):
                found.append((str(trial), self.profile(path)))
        if not found:
            raise Failure("refuses to profile the file of every sample")
        return found


def declares_what_it_is(subject: DeviceSubject) -> None:
    """Discovery relies on these declarations, and runs find the files for a device by the kinds that it reads.

    A device has to profile files, run them or deploy them, since it writes none.
    """
    device = subject.plugin
    check_declaration(device)
    for declared in ("reads", "configurations"):
        found = getattr(device, declared)
        if (
            not isinstance(found, tuple)
            or not all(isinstance(n, str) and n for n in found)
            or len({*found}) < len(found)
        ):
            raise Failure(f"{declared} is {found!r}, not a tuple of different names")
    if not device.reads:
        raise Failure("reads names no kind of files")
    if not isinstance(device.remark, str) or (device.remark and not device.remark.endswith(".")):
        raise Failure(f"remark is {device.remark!r}, not a text of whole sentences")
    if not any(map(subject.overrides, ("profile", "load", "deploy"))):
        raise Failure("neither profiles, nor runs, nor deploys files")


def profiles_files(subject: DeviceSubject) -> None:
    """Reports show what files take, so figures are None or numbers in base units, and parts are no larger than wholes.

    Energies name their source. At least one of the sample models can be profiled.
    """
    for name, profile in subject.profiled():
        if not isinstance(profile, Profile):
            raise Failure(f"returns {profile!r} for {name}, not a Profile")
        for field in WHOLE:
            found = getattr(profile, field)
            if found is not None and (not isinstance(found, int) or isinstance(found, bool) or found < 0):
                raise Failure(f"{field} of {name} is {found!r}, not None or a whole number")
        if profile.latency_ns is not None and not 0 < profile.latency_ns < float("inf"):
            raise Failure(f"latency_ns of {name} is {profile.latency_ns!r}")
        _check_parts(name, profile)
        _check_energy(name, profile)


def _check_energy(name: str, profile: Profile) -> None:
    energy = profile.energy
    if energy is None:
        return
    if energy.source not in ENERGY_SOURCES or not energy.reference:
        raise Failure(
            f"the energy of {name} has source {energy.source!r} and reference {energy.reference!r}, not one of "
            f"{', '.join(ENERGY_SOURCES)} and what it refers to"
        )
    if not 0 < energy.uJ < float("inf"):
        raise Failure(f"the energy of {name} is {energy.uJ!r} uJ")


def _check_parts(name: str, profile: Profile) -> None:
    if profile.arena is not None and (profile.arena_head or 0) > profile.arena:
        raise Failure(f"the head of the arena of {name} is larger than the arena")
    parts = profile.flash_weights, profile.flash_metadata
    if profile.flash is not None and None not in parts and sum(n or 0 for n in parts) != profile.flash:
        raise Failure(f"flash_weights and flash_metadata of {name} do not add up to flash")
    if any(not isinstance(number, int) or number < 1 for number in profile.operators.values()):
        raise Failure(f"operators of {name} are {dict(profile.operators)}, not numbers by kind")


def profiles_the_same_twice(subject: DeviceSubject) -> None:
    """Profiles are compared, so everything that is counted and not measured is the same for the same file."""
    first, second = (
        [dataclasses.replace(profile, latency_ns=None, energy=None, notes=()) for _, profile in subject.profiled()]
        for _ in range(2)
    )
    if first != second:
        raise Failure("profiles of the same files differ")


def runs_files(subject: DeviceSubject) -> None:
    """A device rounds in its own way, but its answers are still those of the file, or the file is of no use on it.

    On the examples of which the models are most certain, the metric is compared with that of the target that wrote the
    file, with the predictions of the model as labels and with other labels.
    """
    if not subject.overrides("load"):
        raise Skip("runs no files on this machine")
    for trial, content in subject.files.expressed:
        with subject.files.written(trial, content) as path:
            try:
                loaded = subject.make().load(subject.files.framework, path)
            except UnsupportedError:
                continue
            own = subject.files.load(path)
            for data in questions(subject.files, trial, CERTAIN):
                found, expected = (_figures(each, data, trial.task) for each in (loaded, own))
                if found.examples != len(data) or not abs(found.metric - expected.metric) <= ALLOWED:
                    raise Failure(f"the file of {trial} scores {found.metric:.6g}, but {expected.metric:.6g} elsewhere")


def _figures(loaded: ExportedModel, data: object, task: object) -> ExportedFigures:
    return loaded.evaluate(loaded.check_data(data, "data"), task)  # type: ignore[arg-type]


def refuses_damaged_files(subject: DeviceSubject) -> None:
    """Copies of files may be incomplete, and users see a clear message and not a traceback, so InputError is raised."""
    trial, content = subject.files.expressed[0]
    damaged = {"a missing file": None, "a file of zeros": bytes(64), "half a file": content[: len(content) // 2]}
    readers: dict[str, Callable[[Path], object]] = {}
    if subject.overrides("profile"):
        readers["profile()"] = subject.profile
    if subject.overrides("load"):
        readers["load()"] = lambda path: subject.make().load(subject.files.framework, path)
    for what, damage in damaged.items():
        for reader, read in readers.items():
            with subject.files.written(trial, damage or b"") as path:
                if damage is None:
                    path.unlink()
                try:
                    read(path)
                except (InputError, UnsupportedError):
                    continue
                except Skip:
                    raise
                except Exception as error:
                    raise Failure(f"{reader} raises {type(error).__name__}, not InputError, for {what}") from error
                raise Failure(f"{reader} accepts {what}")


def prints_nothing(subject: DeviceSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so neither the plugin nor its libraries may print."""
    trial, content = subject.files.expressed[0]
    with captured_stdout() as captured, subject.files.written(trial, content) as path:
        with contextlib.suppress(Skip, RedsError):
            subject.profile(path)
        with contextlib.suppress(RedsError):
            loaded = subject.make().load(subject.files.framework, path)
            _figures(loaded, trial.data, trial.task)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


def times_files_elsewhere(subject: DeviceSubject) -> None:
    """The program for other machines runs there without reds, so it is run as there, on a file and then on another one.

    It times the file that it was written for, and refuses one of other content.
    """
    if not subject.overrides("timing_script"):
        raise Skip("times no files on other machines")
    trial, content = subject.files.expressed[0]
    with subject.files.written(trial, content) as path:
        program, records = path.with_name("time_files.py"), path.with_name("records.json")
        program.write_text(subject.make().timing_script({path.name: hash_of(content)}), encoding="utf-8")
        command = [sys.executable, str(program), str(path.parent), "--out", str(records), "--stop-with-input"]

        def run() -> subprocess.CompletedProcess[bytes]:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                assert process.stderr is not None
                complaint = process.stderr.read()  # before its standard input is closed
                return subprocess.CompletedProcess(command, process.wait(), None, complaint)

        ran = run()
        if ran.returncode:
            said = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise Failure(f"the program ends with status {ran.returncode}: {said}")
        try:
            found = load_timings(records)
        except InputError as error:
            raise Failure(f"the program writes something else: {error.what}") from error
        if found.on != subject.plugin.name or [each.file for each in found.files] != [path.name]:
            raise Failure(f"the program writes records of {found.on} for {[each.file for each in found.files]}")
        path.write_bytes(content + b" ")
        if not run().returncode:
            raise Failure("the program accepts a file of other content")


DEVICE_CHECKS: tuple[Check[DeviceSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(profiles_files, ("declares_what_it_is",)),
    Check(profiles_the_same_twice, ("profiles_files",)),
    Check(runs_files, ("declares_what_it_is",)),
    Check(refuses_damaged_files, ("declares_what_it_is",)),
    Check(prints_nothing, ("declares_what_it_is",)),
    Check(times_files_elsewhere, ("declares_what_it_is",)),
)
"""Every check of a device, in the order of the report."""
