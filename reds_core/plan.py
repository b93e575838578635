"""What a run decided: the file format `reds-plan/1`. Figures that do not exist are None, in the file null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_core.system.files import write_text
from reds_core.system.records import INLINE, LEFT_OUT, from_plain, parse_json, to_json

__all__ = [
    "Plan",
    "StepRecord",
    "load_plan",
]

FORMAT = "reds-plan/1"
PLAN_FILE = "plan.json"
FULL_NETWORK = "nested"
"""What the names of the full network's files begin with."""


@dataclass(frozen=True)
class FullAccuracy:
    """Accuracy in 0..1 on test data. before: of the input model; after: of the exported full network."""

    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class FullRecord:
    """The full network, as it is saved.

    Attributes:
        usage: in base units, by resource: of those that can be counted, and latency where it was measured.
    """

    usage: Mapping[str, int] = field(metadata={INLINE: True})
    accuracy: FullAccuracy = FullAccuracy()


@dataclass(frozen=True)
class GroupRecord:
    """A channel group of the input model."""

    name: str
    channels: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in 0..1 on test data.

    Attributes:
        before: extracted, not fine-tuned.
        after: of the saved model file.
        exported: of each file for a device, by kind of file.
    """

    before: float | None = None
    after: float | None = None
    exported: Mapping[str, float | None] = field(default_factory=dict, metadata={INLINE: True})


@dataclass(frozen=True)
class SubnetworkRecord:
    """One member of the family.

    Attributes:
        budget: as given: a fraction, or an amount in base units, by resource.
        kept: by group the channel indices of the input model, most important first.
        usage: in base units, by resource: of those that can be counted, and latency where it was measured.
        value, bound, gap, status, solver, wall_s: of the problem solved, floors included.
        bound_independent: the bound without floors.
        thinning_price: the most by which value could rise, as a share of it, if wide layers had all widths on offer;
            where some have not.
        thinning_value: the same as an amount of value, which a value of 0 has too.
        files: names of the files, relative to the run's folder, by kind of file; the model's comes first. None where
            a kind was not written.
        latency_measured_ns: of the exported file on this machine, where a latency table was given.
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
    thinning_price: float | None = field(default=None, metadata={LEFT_OUT: True})
    thinning_value: int | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class StepRecord:
    """One step of the pruning strategy."""

    index: int
    name: str
    groups: tuple[str, ...]
    widths: Mapping[str, int]
    search_s: float | None = None
    finetune_s: float | None = None


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of the input model file, of the data, and of the latency table where there is one, hexadecimal."""

    model: str | None = None
    data: str | None = None
    latency_table: str | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class Plan:
    """What a run decided. `subnetworks` has one entry a budget, smallest first.

    Attributes:
        options: every setting of the run, by name as on the command line.
        versions: of reds, its plugins and the libraries behind them, by name.
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


def save_plan(plan: Plan, folder: Path) -> None:
    """Write FOLDER/plan.json.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(folder / PLAN_FILE, to_json(plan))


def load_plan(folder: Path) -> Plan:
    """Read FOLDER/plan.json.

    Raises:
        InputError: if it is missing, or not of format reds-plan/1.
    """
    path = folder / PLAN_FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"'{folder}' holds no finished run", "name a folder made by `reds prune`") from None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read ({type(error).__name__})", "make it anew by `reds prune`") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"'{path}' is not of format {FORMAT}", "make it anew by `reds prune`")
    try:
        plan: Plan = from_plain(Plan, content)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"'{path}' is malformed ({error})", "make it anew by `reds prune`") from error
    return plan
