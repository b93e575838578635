"""Profiles the files of a run, or a file alone, on a device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, UnsupportedError, argument, suggestion
from reds_core.framework.device import FULL, Device
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.plan import FORMAT, PLAN_FILE, Plan, load_plan
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.participants import check_options
from reds_core.runs.publishing import complete, report
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.watcher import Watcher


def profile(
    path: str | PathLike[str],
    on: str,
    *,
    config: str | None = None,
    options: PluginOptions | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> tuple[ProfileRecord, ...]:
    """Measure or count what one inference takes on a device, and what the file takes in flash.

    This is what `reds profile` does. For the folder of a run, the records are also written to `profile.json` in it, in
    place of those of the same device and configuration, and the report is written again.

    Args:
        path: The folder of a finished run, or a file for a device.
        on: The name of the target that profiles.
        config: A configuration of that target. None means its first one, if it has any.
        options: Options of plugins, as `{plugin: {key: text}}`.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: warnings.

    Returns:
        One record for each file that the device reads, smallest subnetworks first, the full network last. Figures that
        are not known are None.

    Raises:
        InputError: If the path or the configuration does not exist, a file is damaged, or the folder holds no file
            that the device reads.
        UnsupportedError: If the target does not profile files, or cannot run any of the files.
        UnavailableError: If a library is not installed.

    Example:
        >>> for record in reds_core.profile("slim", "tflite-micro"):
        ...     print(record.member, record.arena_head, record.flash)
    """
    registry, place = given_registry(registry), given_path(path, "path")
    device = registry.create(Device, _given_name(on), options)
    check_options(registry, options or {}, ((Device, on),))
    if type(device).profile is Device.profile:
        able = sorted(name for name, kind in registry.available(Device).items() if kind.profile is not Device.profile)
        raise UnsupportedError(f"target '{on}' does not profile files", f"choose from: {', '.join(able) or 'none'}")
    subject = _Profiler(device, _configuration(device, config))
    with following(verbose, watcher) as followed:
        if not place.is_dir():
            if not place.exists():
                raise InputError(f"'{place}' does not exist", "give the folder of a run, or a file for a device")
            return (subject.record(place, str(path), _member_of(place)),)
        with locked_folder(place, "a profile", "try again when the other command has ended"):
            complete(place, followed)
            plan = load_plan(place)
            records = tuple(subject.of_run(place, plan, followed))
            save_profiles(place, records)
            report(plan, place, followed)
        return records


def _given_name(on: str) -> str:
    if not isinstance(on, str):
        raise InputError(f"{argument('on')} of type {type(on).__name__} is not a name", "give the name of a target")
    return on


def _configuration(device: Device, config: str | None) -> str | None:
    """Return the configuration to use.

    Raises:
        InputError: If the device has no such configuration.
    """
    known = device.configurations
    if config is None:
        return known[0] if known else None
    if config not in known:
        fix = (
            f"{suggestion(config, known)}choose from: {', '.join(known)}"
            if known
            else f"leave out {argument('config')}"
        )
        raise InputError(f"target '{device.name}' has no configuration '{config}'", fix)
    return config


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


@dataclass(frozen=True)
class _Profiler:
    """A device with one of its configurations."""

    device: Device
    config: str | None

    def record(self, path: Path, name: str, member: str | None) -> ProfileRecord:
        with guarded(self.device):
            found = self.device.profile(path, self.config)
        return ProfileRecord.of(found, name, member, self.device.name, self.config)

    def of_run(self, folder: Path, plan: Plan, watcher: Watcher) -> Iterator[ProfileRecord]:
        """Yield the profiles of the files of a run. Files that the device cannot run are left out with a warning.

        Raises:
            InputError: If the run has no file that the device reads.
            UnsupportedError: If the device can run none of them.
        """
        files = list(files_on(self.device, plan))
        if not files:
            raise InputError(
                f"'{folder}' holds no file that target '{self.device.name}' reads",
                f"prune with one of these targets: {', '.join(self.device.kinds) or 'none'}",
            )
        refused: list[UnsupportedError] = []
        for member, name in files:
            watcher.stage(f"profiling {name}")
            try:
                yield self.record(folder / name, name, member)
            except UnsupportedError as error:
                refused.append(error)
                watcher.warn(f"'{name}' is left out: {error.what}")
        if len(refused) == len(files):
            raise refused[0]
