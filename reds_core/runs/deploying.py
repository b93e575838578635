"""Writes the members of a finished family for a device, to a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.errors import InputError, UnsupportedError, argument, command, suggestion
from reds_core.framework.deployment import Deployment
from reds_core.framework.device import FULL, Device, MemberFile
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource, FullExport, Target
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.plan import FORMAT, Plan, SubnetworkRecord, load_plan, plan_folder
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.calibration import calibration_setting
from reds_core.runs.dataset import Dataset
from reds_core.runs.export_folder import FamilyExport, check_free, replace_export
from reds_core.runs.file_names import full_device_file, full_file, member_file
from reds_core.runs.finished_family import settings_of
from reds_core.runs.folder import Mode
from reds_core.runs.forms import DataObject, mode_of
from reds_core.runs.given_data import Splits, given_data
from reds_core.runs.input_model import is_labelled_run
from reds_core.runs.member_data import member_calibration, read_member_data
from reds_core.runs.options import given_options
from reds_core.runs.participants import FRAMEWORKS, check_options
from reds_core.runs.settings import SHARED, RunSettings, merged_options
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.watcher import Watcher


def export(
    folder: str | PathLike[str],
    target: str,
    *,
    out: str | PathLike[str],
    members: str | Sequence[str] = (),
    data: str | PathLike[str] | Dataset | DataObject | None = None,
    calibration: int | str | PathLike[str] | Dataset | DataObject | None = None,
    mode: Mode | str = Mode.REFUSE,
    options: PluginOptions | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> FamilyExport:
    """Write the members of a finished family for a device.

    This is what `reds export` does. A device that holds a whole family, such as the C engine, gets the files of the
    members and writes what it needs; other targets write one file of each member. The full network always comes last.

    Args:
        folder: The folder of a finished run.
        target: The name of a target.
        out: The folder to write to. It must be empty or hold an earlier export, which is replaced.
        members: The names of the subnetworks besides the full network, such as `["25", "50"]` or `"25,50"`. Empty means
            all of them.
        data: The data of the run, as `prune` takes it. It is only needed if files are calibrated and the data was given
            as objects in Python.
        calibration: What files are calibrated on, as `prune` takes it. None means what the run used. Files that the run
            wrote are copied only with None.
        mode: What to do if `out` holds other files: `"refuse"`, or `"overwrite"` to write among them.
        options: Options of plugins, as `{plugin: {key: text}}`.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: bars in a
            terminal or a notebook, lines elsewhere; 2: lines.

    Returns:
        What was written, with the figures that the device states.

    Raises:
        InputError: If the folder holds no finished run or lacks the files that the device reads, if a member is
            unknown, or if `out` holds other files or cannot be written.
        UnsupportedError: If the target exports no families, or cannot express a member.
        UnavailableError: If a library is not installed.

    Example:
        >>> made = reds_core.export("slim", "c-engine", members=["25", "50"], out="engine")
        >>> made.weights_bytes, made.arena_bytes["25"]
    """
    place, how = given_path(out, "out"), mode_of(mode)
    if how is Mode.RESUME:
        raise InputError("an export cannot be resumed", f"give {argument('mode', 'overwrite')}")
    registry, given, split = given_registry(registry), given_options(options), given_data(data, is_labelled_run(folder))
    source = plan_folder(folder)
    plan = load_plan(source)
    settings = settings_of(plan, source)
    calibrated_on, calibration_data = calibration_setting(calibration)
    if calibrated_on is not None:
        settings = replace(settings, calibration=calibrated_on)
    device = registry.create(Device, target, merged_options(settings.options, given))
    check_options(registry, given, ((Device, target), FRAMEWORKS))
    if not _exports(type(device)):
        able = sorted(name for name, kind in registry.available(Device).items() if _exports(kind))
        raise UnsupportedError(f"target '{target}' exports no families", f"choose from: {', '.join(able) or 'none'}")
    chosen = _chosen(plan, members)
    check_free(place, how)
    with following(verbose, watcher) as followed, locked_folder(place, "an export"):
        family = _Family(source, plan, settings, registry, followed)

        def write(work: Path) -> Deployment:
            if isinstance(device, Target) and type(device).deploy is Device.deploy:
                return family.exported(device, chosen, split, work, calibrated_on is not None, calibration_data)
            if calibrated_on is not None:
                raise InputError(
                    f"target '{target}' takes the files of the run, which are calibrated already",
                    f"give {argument('calibration')} to {command('prune')}",
                )
            return family.deployed(device, chosen, work)

        made = replace_export(place, target, (*(member.name for member in chosen), FULL), write)
        for note in made.notes:
            followed.warn(note)
        return made


def _exports(device: type[Device]) -> bool:
    """Whether a device deploys families, or is a target that writes a file of each member."""
    return device.deploy is not Device.deploy or issubclass(device, Target)


def _chosen(plan: Plan, names: str | Sequence[str]) -> tuple[SubnetworkRecord, ...]:
    """Return the subnetworks with some names, smallest first; all of them without names.

    Raises:
        InputError: If there is none of a name, or something else than names is given.
    """
    given = names.split(",") if isinstance(names, str) else names
    if not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
        raise InputError(f"members cannot be {names!r}", "give the names of subnetworks, such as ['25', '50']")
    asked = [name.strip() for name in given]
    asked = [name for name in asked if name]
    known = [member.name for member in plan.subnetworks]
    for name in asked:
        if name not in (*known, FULL):
            raise InputError(
                f"there is no subnetwork '{name}' in the run",
                f"{suggestion(name, known)}choose from: {', '.join(known) or 'none'}",
            )
    return tuple(member for member in plan.subnetworks if not asked or member.name in asked)


@dataclass(frozen=True)
class _Family:
    """The family of a finished run.

    Attributes:
        folder: The folder of the run.
        plan: Its plan.
        settings: Its settings.
        registry: The plugins to choose from.
        watcher: Notified of progress and warnings.
    """

    folder: Path
    plan: Plan
    settings: RunSettings
    registry: Registry
    watcher: Watcher

    @property
    def framework(self) -> Framework:
        """The framework of the models."""
        return self.registry.default_framework(self.settings.options, self.settings.imports)

    def deployed(self, device: Device, members: Sequence[SubnetworkRecord], work: Path) -> Deployment:
        """Let a device write what it needs from the files of the members.

        Raises:
            InputError: If the run has no such file of a member.
            UnsupportedError: If the device deploys no families, or cannot run a file.
        """
        if not device.kinds:
            return device.deploy((), work)  # which refuses
        kinds = [
            next((kind for kind in group if self._file(None, kind) is not None), group[0])
            for group in device.deployed_kinds
        ]
        files = [
            MemberFile(name, self._present(member, name, kind)) for name, member in _named(members) for kind in kinds
        ]
        self.watcher.stage(f"exporting for {device.name}")
        with guarded(device):
            return device.deploy(files, work)

    def exported(
        self,
        target: Target,
        members: Sequence[SubnetworkRecord],
        data: Dataset | Splits | str | None,
        work: Path,
        is_anew: bool,
        calibration: Any | None,
    ) -> Deployment:
        """Write a file of each member. A file that the run wrote already is copied.

        Args:
            target: The target.
            members: The members besides the full network.
            data: The data of the run; None to read it from where the run did.
            work: The folder of the files.
            is_anew: Whether calibrated files are written again, since they are calibrated on other examples.
            calibration: Data on which files are calibrated if it is an object in Python, else None.

        Raises:
            InputError: If files are calibrated and the data of the run cannot be read.
            UnsupportedError: If the target cannot express a member.
        """
        kind, paths = target.file, list[Path]()
        missing = list[tuple[SubnetworkRecord | None, Path]]()
        for name, member in _named(members):
            path = work / (full_device_file(kind) if member is None else member_file(kind, name))
            found = None if is_anew and kind.is_calibrated else self._file(member, kind.name)
            if found is None:
                missing.append((member, path))
            else:
                shutil.copyfile(found, path)
            paths.append(path)
        if missing:
            maker = _Maker.of(self, target, data, work, calibration)
            for member, path in missing:
                self.watcher.stage(f"exporting {FULL if member is None else member.name}")
                maker.write(member, path)
        return Deployment(tuple(paths))

    def _present(self, member: SubnetworkRecord | None, name: str, kind: str) -> Path:
        """Return a file of the run.

        Raises:
            InputError: If the run has not written it.
        """
        path = self._file(member, kind)
        if path is None:
            network = "the full network" if member is None else f"subnetwork '{name}'"
            without = "" if self.settings.int8 else f", and without {argument('int8', False)}"
            raise InputError(
                f"'{self.folder}' holds no {kind} file of {network}",
                f"prune with data and {argument('targets', kind)}{without}",
            )
        return path

    def _file(self, member: SubnetworkRecord | None, kind: str) -> Path | None:
        """Return the file of a kind of a member, or of the full network for None; None if there is no such file."""
        files = self.plan.full.files if member is None else member.files
        # kinds of files have underscores in their names in plans of version 1
        name = files.get(kind.replace("-", "_") if self.plan.format == FORMAT else kind)
        path = None if name is None else self.folder / name
        return path if path is not None and path.is_file() else None


def _named(members: Sequence[SubnetworkRecord]) -> list[tuple[str, SubnetworkRecord | None]]:
    """Return the names of members with their records, and last that of the full network with None."""
    return [*((member.name, member) for member in members), (FULL, None)]


@dataclass(frozen=True)
class _Maker:
    """Writes files of a target from the models of a run.

    Attributes:
        family: The family.
        framework: The framework of its models.
        target: The target.
        full: The full network.
        shared: The full network with its file, if members share its integers.
    """

    family: _Family
    framework: Framework
    target: Target
    full: ExportSource
    shared: FullExport | None

    @staticmethod
    def of(
        family: _Family, target: Target, data: Dataset | Splits | str | None, work: Path, calibration_data: Any | None
    ) -> _Maker:
        """Read the full network, and the data if files are calibrated.

        Raises:
            InputError: If a file is missing, or the data is needed and cannot be read.
        """
        framework = family.framework
        if target.made_from != framework.name:
            raise InputError(
                f"target '{target.name}' is made from models of framework '{target.made_from}', not of "
                f"'{framework.name}'",
                "choose another target",
            )
        model = framework.load_model(family.folder / full_file(framework.file))
        calibration = None
        if target.file.is_calibrated:
            read = read_member_data(family, model, data, family.watcher)
            calibration = member_calibration(family, model, read, calibration_data)
            if calibration is None:
                raise InputError(
                    f"target '{target.name}' needs data to calibrate its files",
                    f"give {argument('data')} or {argument('calibration')}",
                )
        full = ExportSource(framework, model, framework.inspect(model), calibration=calibration)
        is_shared = target.file.is_calibrated and family.settings.int8 == SHARED
        shared = FullExport(full, work / full_device_file(target.file)) if is_shared else None
        if shared is not None and not shared.path.is_file():  # first, since the members share its integers
            with guarded(target):
                target.export(full, shared.path)
        return _Maker(family, framework, target, full, shared)

    def write(self, member: SubnetworkRecord | None, path: Path) -> None:
        """Write the file of a member, or of the full network for None.

        Raises:
            InputError: If the model is missing or damaged.
            UnsupportedError: If the target cannot express it.
        """
        with guarded(self.target):
            if member is None:
                if self.shared is None:
                    self.target.export(self.full, path)
                return
            name = next(iter(member.files.values()))
            if name is None:
                raise InputError(f"subnetwork '{member.name}' has no model file", f"run {command('prune')} again")
            model = self.framework.load_model(self.family.folder / name)
            levels = UNTOUCHED if member.settings is None else LevelSettings(member.settings)
            source = ExportSource(
                self.framework,
                model,
                self.framework.inspect(model),
                levels,
                self.full.calibration,
                self.shared,
                warn=lambda text: self.family.watcher.warn(f"'{path.name}' {text}"),
            )
            self.target.export(source, path)
