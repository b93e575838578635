"""The folder of a run: its files, whether a run may use it, and what an earlier run left in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from reds_core.cost.budget import parse_budgets
from reds_core.errors import InputError, argument
from reds_core.framework.file_kinds import FileKind, FileKinds
from reds_core.framework.profile_records import PROFILE_FILE
from reds_core.plan import PLAN_FILE, Hashes, Plan, load_plan
from reds_core.plan_details import DETAILS_FILE
from reds_core.plugin import PluginOptions
from reds_core.report.model_card import CARD_FILE, is_model_card
from reds_core.report.run_report import REPORT_FILE
from reds_core.run_history import HISTORY_FILE
from reds_core.runs.calibration_setting import examples_wanted
from reds_core.runs.checkpoint import FOLDER as CHECKPOINT_FOLDER
from reds_core.runs.checkpoint import has_checkpoint, has_progress, remove_checkpoints
from reds_core.runs.dataset import OBJECTS
from reds_core.runs.drop_goal import all_budget_names
from reds_core.runs.file_names import baseline_file, full_device_file, full_file, is_output, member_files
from reds_core.runs.recipe import RECIPE_FILE
from reds_core.runs.settings import SHARED, TRANSFORM_SETTINGS, RunSettings
from reds_core.system.files import absolute, make_folder, remove_partial_files, write_text
from reds_core.system.folder_lock import locked_folder
from reds_core.system.records import from_plain, parse_json, to_json

SCORES_FILE = "scores.npz"
ORDER_FILE = "order.npz"
RUN_FILE = "run.json"
VALIDATION = "validation_data"
"""The option that records that validation data was given."""
OPTIMIZER = "optimizer"
"""The option that records the type of an optimizer that was given as an object."""
OPTIONS_OF_OBJECTS = (VALIDATION, OPTIMIZER)
"""Options that are only recorded if an object in Python is given."""

_INPUTS = ("model", "data")
"""Options that are no settings."""
_SOURCES = ("model", "data", "latency_table", "imports")
"""Options that only say where to read from. Hashes detect changes of the model, the data and the latencies."""


class Mode(Enum):
    """What to do with a folder that already holds a run."""

    REFUSE = "refuse"
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class RunRecord:
    """What a run was started with, which must be the same if the run is resumed.

    Attributes:
        options: All settings by name.
        hashes: Hashes of the input model, the data and the latency table. That of the model is None while a baseline
            is being trained.
    """

    options: Mapping[str, Any]
    hashes: Hashes

    def settings(self) -> RunSettings:
        """The settings that the run was started with.

        Raises:
            TypeError, ValueError, KeyError: If they are not those of this version.
        """
        own = {name: value for name, value in self.options.items() if name not in (*_INPUTS, *OPTIONS_OF_OBJECTS)}
        found: RunSettings = from_plain(RunSettings, own)
        return found

    def source(self, key: str, where: Path) -> str | None:
        """Where the run read its model, data or latency table from: an absolute path, or the name of a data set.

        Args:
            key: "model", "data" or "latency_table".
            where: The folder of the run, for error messages.

        Raises:
            InputError: If the model or the data was an object in Python.
        """
        place: str | None = self.options.get(key)
        if key == "model" and place is not None and not Path(place).is_absolute():
            what = f"the run in '{where}' does not record the path of its model '{place}'"
            raise InputError(what, "give it again")
        if key == "data" and place in OBJECTS:
            raise InputError(f"the data of the run in '{where}' was given as objects in Python", "give it again")
        return place

    def imports(self) -> tuple[str, ...]:
        """The user's own files and modules that the run imported."""
        return tuple(self.options.get("imports") or ())

    @property
    def calibration_source(self) -> str | None:
        """The path or the name of the data that files were calibrated on; None for training examples."""
        setting: str | None = self.options.get("calibration")
        return setting if examples_wanted(setting) is None else None

    def plugin_options(self) -> PluginOptions:
        """The options of plugins that the run was started with."""
        options: PluginOptions = self.options.get("options") or {}
        return options

    def check_options(self, options: Mapping[str, Any], where: Path) -> None:
        """Refuse to resume with different settings.

        Raises:
            InputError: If a setting differs; the message names the first.
        """
        for key in dict.fromkeys((*options, *self.options, *OPTIONS_OF_OBJECTS)):
            was, is_now = self.options.get(key), options.get(key)
            if key == "int8" and was is True:
                was = SHARED  # as it was written when there was no choice
            if key in TRANSFORM_SETTINGS and not was and not is_now and False not in (was, is_now):
                continue  # a run without transforms and targets does not state them
            if is_now != was and key not in _SOURCES:
                name, first, now = _difference(key, was, is_now)
                raise InputError(f"the run in '{where}' was started with {name} {first}, not {now}", _start_over())

    def check_hashes(self, hashes: Hashes, where: Path) -> None:
        """Refuse to resume with a different model, data set, calibration data or latency table.

        Raises:
            InputError: If one of them differs; the message names it.
        """
        if self.hashes.model is not None and hashes.model != self.hashes.model:
            raise InputError(f"the model is not the one that the run in '{where}' was started with", _start_over())
        if hashes.data != self.hashes.data:
            raise InputError(f"the data is not what the run in '{where}' was started with", _start_over())
        is_early = self.hashes.model is None  # a baseline is trained before calibration data is read
        if not is_early and hashes.calibration != self.hashes.calibration:
            raise InputError(f"the calibration data is not what the run in '{where}' was started with", _start_over())
        if hashes.latency_table != self.hashes.latency_table:
            raise InputError(
                f"the latency table is not the one that the run in '{where}' was started with", _start_over()
            )


def _start_over() -> str:
    return f"resume with the original inputs and settings, or start over with {argument('mode', 'overwrite')}"


def _difference(key: str, was: Any, is_now: Any) -> tuple[str, str, str]:
    """The name of the first setting that differs, and its two values. `key` may hold several settings."""
    if isinstance(was, Mapping) and isinstance(is_now, Mapping) and key != "options":
        inner = next(each for each in {**was, **is_now} if was.get(each) != is_now.get(each))
        return f"{key} {inner}", _setting_text(was.get(inner)), _setting_text(is_now.get(inner))
    return key, _setting_text(was), _setting_text(is_now)


def _setting_text(setting: Any) -> str:
    """A setting as users write it."""
    if isinstance(setting, Mapping):
        return ", ".join(f"{key} {_setting_text(value)}" for key, value in setting.items()) or "none"
    if isinstance(setting, list):
        return " ".join(_setting_text(value) for value in setting) or "none"
    return "none" if setting is None else str(setting)


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, and what to do if it already holds one.

    The argument `kinds` of several methods is the kinds of files that the run writes for each network.

    Attributes:
        path: The folder.
        mode: What to do if it already holds a run.
    """

    path: Path
    mode: Mode

    def baseline(self, kind: FileKind) -> Path:
        """The file of the baseline of a run without a model, or of the model object that a run was started with."""
        return self.path / baseline_file(kind)

    def locked(self) -> AbstractContextManager[None]:
        """Context manager that locks the folder against other commands, threads and processes.

        Raises:
            InputError: If one of them is writing to it.
        """
        return locked_folder(self.path)

    def known(self) -> RunRecord | None:
        """What the run to resume was started with; None if a new run starts.

        Raises:
            InputError: If the record of the run is damaged.
        """
        if self.mode is not Mode.RESUME:
            return None
        if (self.path / PLAN_FILE).exists():
            plan = load_plan(self.path)
            return RunRecord(plan.options, plan.hashes)
        return self._record() if (self.path / CHECKPOINT_FOLDER).exists() else None

    def earlier_settings(self) -> RunSettings | None:
        """The settings of the run to resume; None if a new run starts, or if they are those of another version.

        Raises:
            InputError: If the record of the run is damaged.
        """
        record = self.known()
        if record is None:
            return None
        try:
            return record.settings()
        except (TypeError, ValueError, KeyError):  # the settings that are given are compared with those of the record
            return None

    def accept(self, model: Any, kind: FileKind) -> RunRecord | None:
        """Check that the run may use the folder, and create it.

        Args:
            model: The path of the model file, a model object, or None.
            kind: The kind of the model files that the run writes for each network.

        Returns:
            What the run to resume was started with; None if a new run starts.

        Raises:
            InputError: If the folder cannot be written, holds a run that must not be changed, or if the run would
                replace `model`.
        """
        if isinstance(model, Path) and self._writes(absolute(model), kind):
            raise InputError(f"the run would replace its own model '{model}'", f"choose another {argument('out')}")
        finished = (self.path / PLAN_FILE).exists()
        begun = (self.path / CHECKPOINT_FOLDER).exists()
        if self.mode is Mode.REFUSE and (finished or begun):
            raise InputError(
                f"'{self.path}' holds {'a finished' if finished else 'an unfinished'} run",
                f"add {argument('mode', 'resume')} to continue it, {argument('mode', 'overwrite')} to start over, or "
                f"choose another {argument('out')}",
            )
        baseline, is_new = self.baseline(kind), not (finished or begun)
        if self.mode is not Mode.OVERWRITE and is_new and not isinstance(model, Path) and baseline.exists():
            raise InputError(
                f"'{baseline}' already exists",
                f"give it as the model, {'train another' if model is None else 'save this one'} in its place with "
                f"{argument('mode', 'overwrite')}, or choose another {argument('out')}",
            )
        make_folder(self.path)
        if self.mode is Mode.RESUME:
            remove_partial_files(self.path)
            remove_partial_files(self.path / CHECKPOINT_FOLDER)
        return self.known()

    def _writes(self, file: Path, kind: FileKind) -> bool:
        """Whether an output of a run, or a link with its name, is this file."""
        if not self.path.is_dir():
            return False
        return any(is_output(kind, p.name) and absolute(p) == file for p in self.path.iterdir())

    def finished_plan(self) -> Plan | None:
        """The plan of the run to resume if that is already finished, else None."""
        return load_plan(self.path) if self.mode is Mode.RESUME and (self.path / PLAN_FILE).exists() else None

    def begin(self, record: RunRecord, kinds: FileKinds) -> None:
        """Remove an earlier run if it is to be replaced, and record what the new run is started with.

        Args:
            record: What the new run is started with.
            kinds: The kinds of files that the earlier run may have written for each network.

        Raises:
            InputError: If the folder cannot be written.
        """
        if self.mode is Mode.OVERWRITE:
            self._clear(kinds)
        self.note(record)

    def note(self, record: RunRecord) -> None:
        """Record what the run was started with.

        Raises:
            InputError: If the folder cannot be written.
        """
        make_folder(self.path / CHECKPOINT_FOLDER)
        write_text(self.path / CHECKPOINT_FOLDER / RUN_FILE, to_json(record))

    def forget(self) -> None:
        """Remove the record of a new run that failed before it finished a step or an epoch."""
        if not has_progress(self.path):
            remove_checkpoints(self.path)

    def _record(self) -> RunRecord | None:
        path = self.path / CHECKPOINT_FOLDER / RUN_FILE
        if not path.exists() and not has_checkpoint(self.path):
            return None  # killed before anything was recorded
        try:
            record: RunRecord = from_plain(RunRecord, parse_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"'{path}' is damaged ({error})", f"start over with {argument('mode', 'overwrite')}"
            ) from error
        return record

    def _clear(self, kinds: FileKinds) -> None:
        """Remove the files of an earlier run and nothing else.

        What describes the plan goes first, and then the plan, which must not describe networks of another run.
        """
        members: list[str] = []
        with suppress(InputError):
            members += [s.name for s in load_plan(self.path).subnetworks]
        with suppress(InputError, TypeError, KeyError):
            record = self._record()
            if record is not None and record.options.get("max_drop") is not None:
                members += all_budget_names()
            members += [b.name for b in parse_budgets(record.options["budgets"])] if record else []
        outputs = [CARD_FILE] if is_model_card(self.path / CARD_FILE) else []
        outputs += [REPORT_FILE, DETAILS_FILE, HISTORY_FILE, PROFILE_FILE, PLAN_FILE]
        outputs += [RECIPE_FILE, full_file(kinds.model), SCORES_FILE, ORDER_FILE]
        outputs += [full_device_file(kind) for kind in kinds.exported]
        for name in outputs + [file for member in members for file in member_files(kinds, member)]:
            (self.path / Path(name).name).unlink(missing_ok=True)
        remove_partial_files(self.path)
        remove_checkpoints(self.path)
