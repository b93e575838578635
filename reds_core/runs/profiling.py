"""Profiles the files of a run, or a file alone, on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from reds_core.cost.energy_models import energy_model as model_named
from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.framework.device import FULL, Device
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.framework.timings import load_timings
from reds_core.plan import FORMAT, PLAN_FILE, Plan, load_plan
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.counting_devices import configuration_of
from reds_core.runs.elsewhere import given_elsewhere
from reds_core.runs.participants import check_options
from reds_core.runs.profile_energy import with_model
from reds_core.runs.publishing import complete, report
from reds_core.runs.remote_profiling import DeviceFile, RemoteProfiler
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.watcher import Watcher


def profile(
    path: str | PathLike[str],
    on: str | None = None,
    *,
    config: str | None = None,
    options: PluginOptions | None = None,
    script: str | PathLike[str] | None = None,
    records: str | PathLike[str] | None = None,
    host: str | None = None,
    name: str | None = None,
    host_python: str | None = None,
    energy_model: str | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> tuple[ProfileRecord, ...]:
    """Measure or count what one inference takes on a device, and what the file takes in flash.

    This is what `reds profile` does. For the folder of a run, the records are also written to `profile.json` in it, in
    place of those of the same device, configuration and machine, and the report is written again.

    Latencies of another machine, such as a Raspberry Pi, are measured by a program: `script` writes it, and `records`
    takes back what it writes there; `host` does both by ssh.

    Args:
        path: The folder of a finished run, or a file for a device.
        on: The name of the target that profiles. None means the one that `records` states.
        config: A configuration of that target. None means its first one, if it has any.
        options: Options of plugins, as `{plugin: {key: text}}`.
        script: A Python file to write, which times the files on another machine without reds.
        records: The file that this program wrote on the other machine.
        host: Another machine as `ssh:NAME`, on which the program is run at once. The files are copied to a temporary
            folder there, which is removed afterwards.
        name: The name of the other machine in records and reports. None means the one that it has for itself.
        host_python: The Python interpreter on `host`. None means `python3`.
        energy_model: The model of a board whose energy the records state, such as `"board-model:nucleo-l4r5zi"`, in
            place of one that is measured. It is power times the latency or the cycles on that board where the records
            hold them, and otherwise a multiple of the multiply-accumulates of each file.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress on another machine, and of warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: warnings.

    Returns:
        One record for each file that the device reads, smallest subnetworks first, the full network last. Figures that
        are not known are None. Empty with `script`.

    Raises:
        InputError: If the path, the configuration or the energy model does not exist, a file is damaged, the folder
            holds no file that the device reads, arguments exclude each other, files have changed since they were timed,
            or the other machine cannot be reached.
        UnsupportedError: If the target does not profile files, or cannot run any of the files.
        UnavailableError: If a library is not installed, here or on the other machine, or a service that profiles
            cannot be used.

    Example:
        >>> for record in reds_core.profile("slim", "tflite-micro"):
        ...     print(record.member, record.arena_head, record.flash)
    """
    registry, place = given_registry(registry), given_path(path, "path")
    elsewhere = given_elsewhere(script, records, host, name, host_python)
    timings = None if elsewhere.records is None else load_timings(elsewhere.records)
    if timings is not None and on not in (None, timings.on):
        raise InputError(
            f"'{elsewhere.records}' holds records of target '{timings.on}'", f"leave out {argument('on', on)}"
        )
    model = None if energy_model is None else model_named(energy_model)
    if model is not None and elsewhere.script is not None:
        raise InputError(
            f"a program that times files on another machine knows no {argument('energy_model')}",
            f"give it with {argument('records')}, when the program has run",
        )
    on = _given_name(on if timings is None else timings.on)
    device = registry.create(Device, on, options)
    check_options(registry, options or {}, ((Device, on),))
    if not place.exists():
        raise InputError(f"'{place}' does not exist", "give the folder of a run, or a file for a device")
    _check_able(registry, device, "timing_script" if elsewhere.is_asked else "profile")
    chosen = configuration_of(device, config)
    with following(verbose, watcher) as followed:
        subject = (
            RemoteProfiler(device, chosen, elsewhere, timings, followed)
            if elsewhere.is_asked
            else _Profiler(device, chosen, followed, has_notes=model is None)
        )
        if not place.is_dir():
            found = subject.profiled([DeviceFile(place, str(path), _member_of(place))], place)
            return found if model is None else with_model(found, model, followed)
        if elsewhere.script is not None:
            return subject.profiled(_files_of(device, place, load_plan(place)), place)
        with locked_folder(place, "a profile", "try again when the other command has ended"):
            complete(place, followed)
            plan = load_plan(place)
            found = subject.profiled(_files_of(device, place, plan), place)
            found = found if model is None else with_model(found, model, followed)
            save_profiles(place, found)
            report(plan, place, followed)
        return found


def _check_able(registry: Registry, device: Device, method: str) -> None:
    """Raise UnsupportedError for a device that does not override a method."""
    base = getattr(Device, method)
    if getattr(type(device), method) is not base:
        return
    does = "times no files on other machines" if method == "timing_script" else "does not profile files"
    able = sorted(name for name, kind in registry.available(Device).items() if getattr(kind, method) is not base)
    raise UnsupportedError(f"target '{device.name}' {does}", f"choose from: {', '.join(able) or 'none'}")


def _given_name(on: str | None) -> str:
    if on is None:
        raise InputError(f"{argument('on')} is missing", "give the name of a target that profiles")
    if not isinstance(on, str):
        raise InputError(f"{argument('on')} of type {type(on).__name__} is not a name", "give the name of a target")
    return on


def files_on(device: Device, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the files of a run that a device reads: the name of the member and that of the file, the full one last."""
    for member, files in (*((record.name, record.files) for record in plan.subnetworks), (FULL, plan.full.files)):
        # kinds of files have underscores in their names in plans of version 1
        names = {kind.replace("_", "-") if plan.format == FORMAT else kind: name for kind, name in files.items()}
        for kind in device.kinds:
            name = names.get(kind)
            if name is not None:
                yield member, name


def _member_of(path: Path) -> str | None:
    """Return the name of the member whose file this is by the plan beside it; None without one."""
    if not (path.parent / PLAN_FILE).exists():
        return None
    plan = load_plan(path.parent)
    if path.name in plan.full.files.values():
        return FULL
    return next((record.name for record in plan.subnetworks if path.name in record.files.values()), None)


def _files_of(device: Device, folder: Path, plan: Plan) -> list[DeviceFile]:
    """Return the files of a run that a device reads.

    Raises:
        InputError: If there is none.
    """
    files = [DeviceFile(folder / name, name, member) for member, name in files_on(device, plan)]
    if not files:
        raise InputError(
            f"'{folder}' holds no file that target '{device.name}' reads",
            f"prune with one of these targets: {', '.join(device.kinds) or 'none'}",
        )
    return files


@dataclass(frozen=True)
class _Profiler:
    """A device with one of its configurations, on this machine.

    Attributes:
        device: The device.
        config: Its configuration.
        watcher: Is told of files that are left out, and of what could not be determined.
        has_notes: Whether it is told of figures that the device could not determine.
    """

    device: Device
    config: str | None
    watcher: Watcher
    has_notes: bool = True

    def profiled(self, files: Sequence[DeviceFile], where: Path) -> tuple[ProfileRecord, ...]:
        """Return the profiles of files. Files of a run that the device cannot run are left out with a warning.

        Raises:
            UnsupportedError: If the device can run none of them.
        """
        records: list[ProfileRecord] = []
        notes: dict[str, None] = {}
        refused: list[UnsupportedError] = []
        for file in files:
            if where.is_dir():
                self.watcher.stage(f"profiling {file.name}")
            try:
                records.append(self._record(file, notes))
            except UnsupportedError as error:
                refused.append(error)
                if where.is_dir():
                    self.watcher.warn(f"'{file.name}' is left out: {error.what}")
        if not records:
            raise refused[0]
        for note in notes if self.has_notes else ():
            self.watcher.warn(note)
        return tuple(records)

    def _record(self, file: DeviceFile, notes: dict[str, None]) -> ProfileRecord:
        """Return the profile of a file, and add to the notes, each of which is kept once."""
        with guarded(self.device):
            found = self.device.profile(file.path, self.config)
        notes.update(dict.fromkeys(found.notes))
        return ProfileRecord.of(found, file.name, file.member, self.device.name, self.config)
