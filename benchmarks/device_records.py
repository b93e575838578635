"""The records of benchmarks/devices.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cattrs

from reds_core.system import write_text


@dataclass(frozen=True)
class MemberFigures:
    """A member of a family.

    Attributes:
        name: Its name; "full" for the full network.
        macs: Its multiply-accumulate operations.
        peak_ram_bytes: Its activations, as the plan counts them.
        arena_head_bytes: The same in tflite-micro, with the plan of memory in the file.
        greedy_head_bytes: The same without the plan of memory.
        engine_arena_bytes: The same in the C engine.
        file_bytes: The size of its int8 file.
        accuracy: Its accuracy in float32; None without data.
        accuracy_shared: That of its int8 file, whose weights are those of the full network.
        accuracy_separate: That of an int8 file that was quantised by itself.
    """

    name: str
    macs: int
    peak_ram_bytes: int
    arena_head_bytes: int
    greedy_head_bytes: int
    engine_arena_bytes: int
    file_bytes: int
    accuracy: float | None = None
    accuracy_shared: float | None = None
    accuracy_separate: float | None = None


@dataclass(frozen=True)
class SizeFigures:
    """Sizes in flash, in bytes.

    Attributes:
        weights: The weights that all members share.
        tables: Everything else of the engine of the family but code.
        full_engine: Weights and tables of an engine of the full network alone.
        separate_engines: The same of an engine for each member, together.
        files: The int8 files of all members, together.
    """

    weights: int
    tables: int
    full_engine: int
    separate_engines: int
    files: int


@dataclass(frozen=True)
class Comparison:
    """Outputs of all members compared with those of tflite-micro.

    Attributes:
        values: The number of values.
        different: How many of them differ.
    """

    values: int
    different: int


@dataclass(frozen=True)
class LayerFigures:
    """The layers of one kind in a member.

    Attributes:
        kind: The kind.
        macs: Their multiply-accumulate operations.
        instructions: The instructions that they take.
    """

    kind: str
    macs: int
    instructions: int


@dataclass(frozen=True)
class CoreFigures:
    """What the engine takes on a core, with an entry for each member.

    Attributes:
        run: The instructions of a run.
        switched: The same directly after another member was run.
        switch: The instructions of selecting a member.
        stack_bytes: The stack of a run.
        layers: The layers of the full network by kind.
    """

    run: tuple[int, ...]
    switched: tuple[int, ...]
    switch: tuple[int, ...]
    stack_bytes: tuple[int, ...]
    layers: tuple[LayerFigures, ...]


@dataclass(frozen=True)
class FamilyRecord:
    """What is known about a family.

    Attributes:
        family: Its name.
        files: A digest of its int8 files, to which the figures of members belong.
        engine: A digest of the C files of its engine, to which all that is compared and counted belongs.
        inputs: The number of inputs that are compared.
        members: Its members, smallest first.
        sizes: Sizes in flash.
        comparisons: Comparisons with tflite-micro, by where the other outputs come from.
        cores: What the engine takes, by core.
    """

    family: str
    files: str
    engine: str
    inputs: int
    members: tuple[MemberFigures, ...]
    sizes: SizeFigures
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    cores: Mapping[str, CoreFigures] = field(default_factory=dict)

    def with_comparison(self, where: str, found: Comparison) -> FamilyRecord:
        """Return the record with one more comparison."""
        return replace(self, comparisons={**self.comparisons, where: found})

    def with_core(self, core: str, found: CoreFigures) -> FamilyRecord:
        """Return the record with the figures of one more core."""
        return replace(self, cores={**self.cores, core: found})


@dataclass(frozen=True)
class BudgetRecord:
    """A run with a budget of `arena`.

    Attributes:
        family: The network.
        options: The options of `reds prune`.
        budget_bytes: The budget.
        planned_bytes: What the subnetwork takes by the plan of the run.
        arena_head_bytes: What tflite-micro takes for activations of its int8 file.
        greedy_head_bytes: The same without the plan of memory in the file.
    """

    family: str
    options: tuple[str, ...]
    budget_bytes: int
    planned_bytes: int
    arena_head_bytes: int
    greedy_head_bytes: int


def read_budget(path: Path) -> BudgetRecord | None:
    """Return the record of a budget in a file; None if there is none."""
    return cattrs.structure(json.loads(path.read_text("utf-8")), BudgetRecord) if path.exists() else None


def read(path: Path) -> FamilyRecord | None:
    """Return the record in a file; None if there is none."""
    return cattrs.structure(json.loads(path.read_text("utf-8")), FamilyRecord) if path.exists() else None


def write(record: FamilyRecord | BudgetRecord, path: Path) -> None:
    """Write a record to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(cattrs.unstructure(record), indent=1) + "\n")
