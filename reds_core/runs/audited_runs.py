"""Finished runs that are audited together: their members, their input models, and the methods that they used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.audit.records import MethodRecord
from reds_core.errors import InputError, argument, command
from reds_core.framework.framework import Framework
from reds_core.plan import Plan, SubnetworkRecord, load_plan, plan_folder
from reds_core.report import units
from reds_core.runs.file_names import baseline_file
from reds_core.runs.finished_family import settings_of
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.runs.settings import RunSettings

_NOT_OF_METHODS = ("model", "data", "seed", "imports", "latency_table", "validation_data", "threads", "memory_limit")
"""Options that say what a run was given, or on what it was computed, not what it does."""
_ONE_METHOD = "all runs"


@dataclass(frozen=True, eq=False)
class AuditedRun:
    """A finished run.

    Attributes:
        folder: Its folder.
        plan: Its plan.
        settings: Its settings.
    """

    folder: Path
    plan: Plan
    settings: RunSettings

    def file_of(self, member: SubnetworkRecord, framework: Framework) -> Path | None:
        """The model file of a member; None if none was written."""
        name = member.files.get(framework.file.name)
        return None if name is None else self.folder / name

    def input_model(self, framework: Framework, given: Path | None) -> Path:
        """Find the file of the input model, which must be as it was.

        Args:
            framework: Reads it.
            given: Where it is now; None if it is where the run read it.

        Raises:
            InputError: If it is not there, or has changed.
        """
        named = self.plan.options.get("model")
        kept = self.folder / baseline_file(framework.file)
        places = [given] if given is not None else [*([Path(named)] if isinstance(named, str) else []), kept]
        found = [place for place in places if place.is_file()]
        for place in found:
            if self._is_input(framework, place):
                return place
        what = f"'{found[0]}' has changed since the run" if found else f"'{places[0]}' does not exist"
        raise InputError(
            f"{what}, which is the input model of the run in '{self.folder}'",
            f"give that model as {argument('model')}",
        )

    def _is_input(self, framework: Framework, path: Path) -> bool:
        digest = self.plan.hashes.model
        if digest is None or file_hash(path) == digest:
            return True
        if isinstance(self.plan.options.get("model"), str) and Path(self.plan.options["model"]).is_absolute():
            return False
        model = framework.load_model(path)  # an object in Python, of which the run hashed the weights
        return weights_hash(framework, model, framework.inspect(model)) == digest


def read_runs(folders: Sequence[Path]) -> tuple[AuditedRun, ...]:
    """Read finished runs.

    Raises:
        InputError: If no folder is given or one is given twice, or if a folder holds no finished run, or one without
            subnetworks.
    """
    if not folders:
        raise InputError("no run is given", f"give the folders of one or several runs of {command('prune')}")
    found, seen = [], set()
    for given in folders:
        folder = plan_folder(given)
        if folder.resolve() in seen:
            raise InputError(f"'{folder}' is given twice", "give each run once")
        seen.add(folder.resolve())
        plan = load_plan(folder)
        if not plan.subnetworks:
            raise InputError(f"the run in '{folder}' has no subnetworks", "audit another run")
        found.append(AuditedRun(folder, plan, settings_of(plan, folder)))
    return tuple(found)


def member_names(runs: Sequence[AuditedRun]) -> tuple[str, ...]:
    """The names of all members, in the order of the first plan and then of those that have others."""
    return tuple(dict.fromkeys(member.name for run in runs for member in run.plan.subnetworks))


def missing_notes(runs: Sequence[AuditedRun], framework: Framework) -> tuple[str, ...]:
    """A sentence for each member that is missing in a folder."""
    notes = []
    for name in member_names(runs):
        for run in runs:
            member = next((m for m in run.plan.subnetworks if m.name == name), None)
            if member is None:
                notes.append(f"The run in '{run.folder}' has no subnetwork '{name}'.")
            elif run.file_of(member, framework) is None:
                notes.append(f"The run in '{run.folder}' wrote no model file of subnetwork '{name}'.")
    return tuple(notes)


def methods_of(runs: Sequence[AuditedRun]) -> tuple[MethodRecord, ...]:
    """Group runs by the settings in which they differ, apart from their seeds, models and data."""
    options = [{k: v for k, v in run.plan.options.items() if k not in _NOT_OF_METHODS} for run in runs]
    keys = [key for key in dict.fromkeys(k for each in options for k in each) if _differs(options, key)]
    folders: dict[str, list[str]] = {}
    for run, own in zip(runs, options, strict=True):
        folders.setdefault(_method_name(options, own, keys), []).append(str(run.folder))
    return tuple(MethodRecord(name, tuple(each)) for name, each in folders.items())


def _differs(options: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(each.get(key) != options[0].get(key) for each in options)


def _method_name(options: Sequence[Mapping[str, Any]], own: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The settings in which a run differs from others, such as "scorer taylor, finetune epochs 2"."""
    parts = []
    for key in keys:
        setting = own.get(key)
        if isinstance(setting, Mapping) and all(isinstance(each.get(key), Mapping) for each in options):
            nested = [each[key] for each in options]
            inner = [k for k in dict.fromkeys(k for each in nested for k in each) if _differs(nested, k)]
            parts += [f"{key} {k} {units.setting(setting.get(k))}" for k in inner]
        else:
            parts.append(f"{key} {units.setting(setting)}")
    return ", ".join(parts).replace("_", " ") or _ONE_METHOD


@dataclass(frozen=True)
class InputModels:
    """The input models of runs.

    Attributes:
        files: The files of the models that differ, in the order of the runs.
        of_runs: For each run, the number of its model in `files`.
    """

    files: tuple[Path, ...]
    of_runs: tuple[int, ...]

    @classmethod
    def of(cls, runs: Sequence[AuditedRun], framework: Framework, given: Path | None, seeds: int | None) -> InputModels:
        """Find the input models of runs.

        Args:
            runs: The runs.
            framework: Reads the models.
            given: The file of the one input model, if it is no longer where the runs read it.
            seeds: With how many seeds it is trained; None if it is not.

        Raises:
            InputError: If a model is missing or has changed, or if several are to be trained with seeds.
        """
        digests = [run.plan.hashes.model or str(run.folder) for run in runs]
        distinct = list(dict.fromkeys(digests))
        if seeds is not None and len(distinct) > 1:
            raise InputError(
                f"the runs have {len(distinct)} different input models, which are the uncompressed networks",
                f"leave out {argument('seeds')}",
            )
        files = tuple(runs[digests.index(each)].input_model(framework, given) for each in distinct)
        return cls(files, tuple(distinct.index(each) for each in digests))


@dataclass(frozen=True, eq=False)
class AuditedMember:
    """The networks of one name over all runs.

    Attributes:
        runs: The numbers of the runs that have one.
        records: The record of each in its plan.
        files: The file of each.
    """

    runs: tuple[int, ...]
    records: tuple[SubnetworkRecord, ...]
    files: tuple[Path, ...]


def members_of(runs: Sequence[AuditedRun], framework: Framework) -> dict[str, AuditedMember]:
    """The members of all runs by name, without those of which no model file was written."""
    found = {}
    for name in member_names(runs):
        own = []
        for number, run in enumerate(runs):
            record = next((m for m in run.plan.subnetworks if m.name == name), None)
            file = None if record is None else run.file_of(record, framework)
            if record is not None and file is not None:
                own.append((number, record, file))
        if own:
            numbers, records, files = zip(*own, strict=True)
            found[name] = AuditedMember(numbers, records, files)
    return found
