"""The result of a run as plain records, and as a file of format `reds-plan/1` or `reds-plan/2`.

Missing figures are None, and null in the file. These records only hold data. `reds_core.runs.saved_plan` adds what
needs the folder of the run, such as loading a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.cost.energy_models import EnergySource
from reds_core.cost.resources import RESOURCES
from reds_core.errors import InputError, command
from reds_core.knapsack.levels import LevelSettings
from reds_core.search_records import FamilyRecord, GateRecord, MaxDropRecord
from reds_core.system.files import given_path, is_file_name, write_text
from reds_core.system.machine import Machine
from reds_core.system.records import INLINE, LEFT_OUT, REQUIRED, from_plain, parse_json, to_json, to_plain

__all__ = [
    "DeviceRecord",
    "ExtractionRecord",
    "FamilyRecord",
    "GateRecord",
    "Plan",
    "StepRecord",
    "SubnetworkRecord",
    "load_plan",
    "plan_text",
]

FORMAT = "reds-plan/1"
LEVELS_FORMAT = "reds-plan/2"
"""The format of plans of runs with transforms or targets."""
FORMATS = (FORMAT, LEVELS_FORMAT)
PLAN_FILE = "plan.json"
FULL_NETWORK = "nested"
"""The stem of the names of the full network's files."""
ALWAYS_COUNTED = ("macs", "params", "peak_ram")
"""The resources that every plan must state for the full network."""


@dataclass(frozen=True)
class FullAccuracy:
    """Accuracy of the full network on test data, between 0 and 1.

    Attributes:
        before: of the input model.
        after: of the exported full network.
        exported: of each file for a device, by kind of file; also as devices compute it that the run measures on, by
            the name of the device.
    """

    before: float | None = None
    after: float | None = None
    exported: Mapping[str, float | None] = field(default_factory=dict, metadata={INLINE: True})


@dataclass(frozen=True)
class DeviceRecord:
    """What a device makes of a file, measured with the arithmetic and the memory planner of its runtime.

    The accuracy is listed with those of the files, under the name of the device.

    Attributes:
        file: the name of the file that was measured.
        arena: the size of the memory that the runtime sets aside, in bytes.
        arena_head: the part of it that holds activations, in bytes.
        examples: the number of test examples on which the accuracy was measured, evenly spaced over the test data and
            the same for all networks of a run; None without test data.
        same_answers: the share of these examples on which the file gives the same class as in its own interpreter; None
            if it does not rate classes.
        cycles: the number of cycles of an inference that it counts, beside those that the table of the run predicts.
        sram: the most on-chip memory that an accelerator has in use at once, in bytes.
        energy: the energy of an inference in picojoules, by the model of the table of the run.
    """

    file: str
    arena: int | None = None
    arena_head: int | None = None
    examples: int | None = None
    same_answers: float | None = None
    cycles: int | None = field(default=None, metadata={LEFT_OUT: True})
    sram: int | None = field(default=None, metadata={LEFT_OUT: True})
    energy: int | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class FullRecord:
    """The full network, as it is saved.

    Attributes:
        usage: usage of each resource in base units: macs, params, peak_ram, and latency if it was measured.
        accuracy: accuracy on test data.
        files: names of its files for devices, relative to the run's folder, by kind of file. Left out without any.
        devices: what devices that the run measures on make of its files, by the name of the device.
    """

    usage: Mapping[str, int] = field(metadata={INLINE: True, REQUIRED: ALWAYS_COUNTED})
    accuracy: FullAccuracy = FullAccuracy()
    files: Mapping[str, str] = field(default_factory=dict, metadata={LEFT_OUT: True})
    devices: Mapping[str, DeviceRecord] = field(default_factory=dict, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class GroupRecord:
    """A channel group of the input model: channels of one or several layers that can only be removed together.

    Attributes:
        name: the name of the group.
        channels: the number of its channels in the input model.
        layers: the names of the layers that produce these channels.
    """

    name: str
    channels: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a subnetwork on test data, between 0 and 1.

    Attributes:
        before: after extraction, before fine-tuning.
        after: of the saved model file.
        exported: of each file for a device, by kind of file; also as devices compute it that the run measures on, by
            the name of the device.
    """

    before: float | None = None
    after: float | None = None
    exported: Mapping[str, float | None] = field(default_factory=dict, metadata={INLINE: True})


@dataclass(frozen=True)
class ExtractionRecord:
    """How a member came into the family if `reds extract` added it after the run.

    Attributes:
        source: the name of the network from which its weights were cut: the next larger member that shares the weights
            of the family, or "full" for the full network.
        finetune_epochs: the number of epochs for which it was then trained by itself. With 0 it is not trained: its
            weights are slices of the shared ones, which were never trained at its widths, and only its batch-norm
            statistics are its own. Otherwise its weights are its own and are not shared with the family.
    """

    source: str
    finetune_epochs: int


@dataclass(frozen=True)
class SubnetworkRecord:
    """One member of the family.

    Attributes:
        name: the name of the subnetwork, from its budget.
        budget: the limit of each resource as it was given: a fraction, or an amount in base units.
        widths: the number of channels kept of each group; 0 for a group inside a residual block that is skipped.
        kept: the channels kept of each group, as indices in the input model, most important first. In a group whose
            channels were merged, these are the channels nearest to the merged ones, in the order of the latter.
        usage: usage of each resource in base units; latency only if it was measured.
        value: the objective of the choice: the importance of all channels kept, in the integer units of the knapsack
            problem. For this and the next fields, the problem is the one that was solved, including the limits of
            nesting: no group may go below the widths of the next smaller member, or above those of the next larger one
            if that was decided before or together with it.
        bound: the proven upper bound on that value; None if the solver gives none.
        gap: (bound - value) / |value|; 0 for a choice that is proven optimal. None without a bound, or if the value is
            0.
        bound_independent: the bound of the problem without these limits, so that its distance from `value` limits what
            nesting costs.
        status: "optimal" for a choice that is proven optimal, otherwise "feasible". None if no solver was asked.
        limit: why the search stopped early: "time", "memory", "nodes", or "gap" if `gap` was as small as the run had
            asked for. Left out if it did not stop early.
        solver: the name of the solver.
        wall_s: the time of the search, in seconds.
        accuracy: accuracy on test data.
        files: names of the files, relative to the run's folder, by kind of file, with the model's file first. None for
            a kind that was not written.
        latency_measured_ns: latency of the exported file on this machine, if a latency table of this machine was given.
        thinning_price: the most by which `value` could rise, as a share of it, if every width of wide layers were on
            offer. None if every width is.
        thinning_value: the same as an absolute value, which exists even if `value` is 0.
        align: the number of which all widths are multiples, or else the full width, if the run decided that by what it
            costs; 1 if any width was allowed.
        align_price: the most by which `value` could be higher with all widths than with multiples of 4, as a share of
            the value with these; the largest of them if widths were decided in several searches. None if no choice of
            multiples was found, or if `align` is left out.
        extraction: how the member was added after the run; None for a member of the run itself.
        settings: the level that each transform has in each layer, as {layer: {what: level}}. A layer that is not named
            is left as it is. None in plans of format reds-plan/1.
        devices: what devices that the run measures on make of its files, by the name of the device.
        gates: what its int8 files lose if the run limited that, by kind of file.
        realised: how the width of each group was realised: "drop", or the name of the plugin that merged its channels,
            such as "fold". None in plans of runs that only drop channels.
        exit: the early exit at which the subnetwork ends, by the name of its layer; `widths` and `kept` then name only
            the groups that it executes. None if it has the last output of the network.
        merged: for each group whose channels were merged the channel of the subnetwork that stands for each channel of
            the input model. None in plans of runs that only drop channels.
    """

    name: str
    budget: Mapping[str, float]
    widths: Mapping[str, int]
    kept: Mapping[str, tuple[int, ...]]
    usage: Mapping[str, int]
    value: int | None = None
    bound: int | None = None
    gap: float | None = None
    bound_independent: int | None = None
    status: str | None = None
    solver: str | None = None
    wall_s: float | None = None
    accuracy: Accuracy = field(default_factory=Accuracy)
    files: Mapping[str, str | None] = field(default_factory=dict)
    latency_measured_ns: float | None = field(default=None, metadata={LEFT_OUT: True})
    limit: str | None = field(default=None, metadata={LEFT_OUT: True})
    thinning_price: float | None = field(default=None, metadata={LEFT_OUT: True})
    thinning_value: int | None = field(default=None, metadata={LEFT_OUT: True})
    align: int | None = field(default=None, metadata={LEFT_OUT: True})
    align_price: float | None = field(default=None, metadata={LEFT_OUT: True})
    extraction: ExtractionRecord | None = field(default=None, metadata={LEFT_OUT: True})
    settings: Mapping[str, Mapping[str, int]] | None = field(default=None, metadata={LEFT_OUT: True})
    devices: Mapping[str, DeviceRecord] = field(default_factory=dict, metadata={LEFT_OUT: True})
    gates: Mapping[str, GateRecord] = field(default_factory=dict, metadata={LEFT_OUT: True})
    realised: Mapping[str, str] | None = field(default=None, metadata={LEFT_OUT: True})
    merged: Mapping[str, tuple[int, ...]] | None = field(default=None, metadata={LEFT_OUT: True})
    exit: str | None = field(default=None, metadata={LEFT_OUT: True})

    def __repr__(self) -> str:
        figures = [f"{resource} {used:,}" for resource, used in self.usage.items()]
        if self.accuracy.after is not None:
            figures.append(f"accuracy {self.accuracy.after:.4g}")
        if self.is_untrained:
            figures.append("not trained")
        if self.exit is not None:
            figures.append(f"ends at {self.exit}")
        if 0 in self.widths.values():
            figures.append(f"skips the blocks of {', '.join(g for g, width in self.widths.items() if width == 0)}")
        if self.merged:
            figures.append(f"merged {len(self.merged)} of {len(self.widths)} groups")
        return f"<{type(self).__name__} {self.name!r}: {', '.join(figures)}>"

    @property
    def levels(self) -> LevelSettings:
        """The levels of its layers besides widths."""
        return LevelSettings(self.settings or {})

    @property
    def is_untrained(self) -> bool:
        """Whether the member was added after the run without any training at its widths."""
        return self.extraction is not None and not self.extraction.finetune_epochs

    @property
    def shares_weights(self) -> bool:
        """Whether its weights are slices of those of the full network, apart from batch-norm statistics.

        They are, unless channels were merged, or the member was added after the run and then trained by itself.
        """
        return not self.merged and (self.extraction is None or not self.extraction.finetune_epochs)


@dataclass(frozen=True)
class StepRecord:
    """One step of the pruning strategy.

    Attributes:
        index: place of the step in the run, from 0.
        name: what the step did.
        groups: the channel groups that the step narrowed.
        widths: the widths of those groups after the step.
        search_s: time of the search for widths in seconds.
        finetune_s: time of fine-tuning in seconds.
    """

    index: int
    name: str
    groups: tuple[str, ...]
    widths: Mapping[str, int]
    search_s: float | None = None
    finetune_s: float | None = None


@dataclass(frozen=True)
class Hashes:
    """Hexadecimal SHA-256 digests of what went into the run.

    Attributes:
        model: digest of the input model: of its file, or of its weights if it was an object in Python.
        data: digest of the data; None without data.
        latency_table: digest of the latency table; None if there is none.
        calibration: digest of the examples on which files were calibrated if they are not training examples. Left out
            otherwise.
    """

    model: str | None = None
    data: str | None = None
    latency_table: str | None = field(default=None, metadata={LEFT_OUT: True})
    calibration: str | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class Plan:
    """The result of a run.

    Attributes:
        format: the name and version of the file format.
        full: the full network as it is saved.
        groups: the channel groups of the input model, in network order.
        subnetworks: one record for each member of the family, smallest first.
        pruner: the name of the pruning strategy.
        scorer: the name of the scorer that rated the channels.
        steps: the steps of the pruning strategy, in the order in which they were taken.
        seed: the seed of all random numbers.
        options: every setting of the run by name, and where its model and data were read from.
        versions: versions of reds, its plugins and the libraries they use, by name.
        hashes: digests of the model, the data and the latency table.
        max_drop: how the subnetwork was found if the run looked for the smallest that loses at most the given points;
            None if budgets were given.
        energy_source: where the energies of networks come from; None if they are not counted.
        latency_machine: the machine whose latency table predicted the latencies of networks; None without such a table.
        family: how the subnetworks of the run were chosen if all were decided together, without those that were added
            later; None if they were decided one after the other.
    """

    format: str = field(default=FORMAT, kw_only=True)
    full: FullRecord
    groups: tuple[GroupRecord, ...]
    subnetworks: tuple[SubnetworkRecord, ...]
    pruner: str
    scorer: str
    steps: tuple[StepRecord, ...]
    seed: int
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    hashes: Hashes
    max_drop: MaxDropRecord | None = field(default=None, metadata={LEFT_OUT: True})
    energy_source: EnergySource | None = field(default=None, metadata={LEFT_OUT: True})
    latency_machine: Machine | None = field(default=None, metadata={LEFT_OUT: True})
    family: FamilyRecord | None = field(default=None, metadata={LEFT_OUT: True})

    def __repr__(self) -> str:
        names = ", ".join(member.name for member in self.subnetworks) or "none"
        return f"<{type(self).__name__} of pruner {self.pruner!r} and scorer {self.scorer!r}, subnetworks: {names}>"


def plan_text(plan: Plan) -> str:
    """Return the content of plan.json as text: JSON that ends with a newline."""
    content = to_plain(plan)
    full = content["full"]
    for name in plan.full.usage:
        if name in RESOURCES and RESOURCES[name].is_measured:
            full[name] = full.pop(name)  # after the accuracy, where the format has always had it
    return to_json(content)


def save_plan(plan: Plan, folder: Path) -> None:
    """Write FOLDER/plan.json.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(folder / PLAN_FILE, plan_text(plan))


def plan_folder(path: str | PathLike[str]) -> Path:
    """Return the folder of a run, given the folder or its plan.json.

    Raises:
        InputError: if the path is empty.
    """
    folder = given_path(path, "folder")
    return folder.parent if folder.name == PLAN_FILE and not folder.is_dir() else folder


def load_plan(folder: str | PathLike[str]) -> Plan:
    """Read the plan of a finished run as plain records. `reds_core.load_plan` returns one that can also load models.

    Args:
        folder: the folder of the run, or its plan.json.

    Raises:
        InputError: if the file is missing, cannot be read, is not of format reds-plan/1 or reds-plan/2, or names files
            outside of the folder.
    """
    folder = plan_folder(folder)
    path = folder / PLAN_FILE
    again = f"run {command('prune')} again"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"'{folder}' holds no finished run", f"name a folder made by {command('prune')}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read ({type(error).__name__})", again) from error
    if not isinstance(content, dict) or content.get("format") not in FORMATS:
        raise InputError(f"'{path}' is not of format {' or '.join(FORMATS)}", again)
    try:
        plan: Plan = from_plain(Plan, content)
        for i, member in enumerate(plan.subnetworks):
            if (member.settings is None) != (plan.format == FORMAT):
                state = "missing" if member.settings is None else "unknown"
                raise ValueError(f"subnetworks[{i}]: field 'settings' is {state}")
        for name in _names_in(plan):
            if not is_file_name(name):
                raise ValueError(f"{name!r} is not the name of a file in the folder")
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"'{path}' is malformed ({error})", again) from error
    return plan


def _names_in(plan: Plan) -> Iterator[str]:
    """Yield the names of subnetworks, of which files are named, and those of all files of a plan."""
    yield from (member.name for member in plan.subnetworks)
    networks: tuple[FullRecord | SubnetworkRecord, ...] = (plan.full, *plan.subnetworks)
    for network in networks:
        yield from (file for file in network.files.values() if file is not None)
        yield from (device.file for device in network.devices.values())
