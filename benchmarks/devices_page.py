"""Writes docs/results/devices.md from the records of benchmarks/devices.py."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from device_records import BudgetRecord, FamilyRecord

HEAD = """\
# Families on microcontrollers

This page shows what the [C engine](../guide/c-engine.md) does with families of real networks: whether its outputs are
those of tflite-micro, how much memory it takes, and how many instructions. Made by

```sh
python benchmarks/devices.py
```

A member is named by its share of the MACs of the full network. The networks of `ds-cnn-s`, `ds-cnn-m`, `cnn-s` and
`resnet8` are those of [real-models.md](real-models.md), trained with the defaults of `reds prune` and `--align 1`; the
int8 files were written anew from their Keras files when the weights of members became shared. (The command trains
families that are missing.) `digits` is trained for one epoch, and `vww-96` not at all, since there is no data for it
here: its inputs are enlarged images of CIFAR-10.

The Cortex-M cores are those of the emulator QEMU, which executes every instruction but knows nothing about cycles: it
has no wait states, no pipelines and no caches. All counts below are instructions. They are not times, and one that
computes with vectors (MVE on the Cortex-M55) counts like any other.
"""
EQUALITY = """\
## Equal to the last bit

All outputs of all members, the full network included, are compared with those of tflite-micro, for test examples whose
number is in the column `inputs`. The reference in NumPy is written from the specification of the operators, and shares
no code with the generator of the engine or its kernels but the fixed-point arithmetic. The last columns say how many
values differ.
"""
MEMORY = """\
## Memory for activations

In bytes: what the plan of the run says (`peak_ram`), the static arena of the C engine, and the head of the arena of
tflite-micro, which aligns buffers to 16 bytes. The last column is what tflite-micro needs when its own planner places
the buffers, without the plan of memory that reds writes into the file.
"""
FLASH = """\
## One store of weights

In bytes: the weights, which all members share, and the tables of all members; beside them what other ways take. Code is
not included, which is the same for all of them (and part of the runtime for .tflite files).
"""
ACCURACY = """\
## Accuracy of shared weights

In percent of the test examples, with the arithmetic of tflite-micro: the int8 files whose weights are those of the full
network, and files that are quantised one by one, each with its own ranges of weights.
"""
INSTRUCTIONS = """\
## Instructions of a run

Instructions of `net_run` by network in millions, and for each MAC of the full network. Where a member takes more
instructions on the Cortex-M55 than the full network, look at its widths: vectors hold 16 integers, and families pruned
with `--align 1` seldom have widths that are multiples of it.
"""
KINDS = """\
## Instructions a MAC by kind of layer

Of the full network. `share` is the part of the MACs that layers of the kind have.
"""
SWITCHING = """\
## Switching

Selecting another member stores one pointer. The counts of a run directly after another member was run are compared with
those of a run of the same member before; a difference would mean that something is left behind. The stack is what
`net_run` takes, in bytes.
"""


def page(records: Sequence[FamilyRecord], budget: BudgetRecord | None = None) -> str:
    """Render the page.

    Args:
        records: The records of the families, in their order on the page.
        budget: The run with a budget of `arena`, if it was made.
    """
    if not records:
        return f"{HEAD}\nNothing is recorded yet.\n"
    cores = list(dict.fromkeys(core for record in records for core in record.cores))
    parts = [HEAD, EQUALITY, _equality(records), MEMORY, _memory(records), _budget(budget), FLASH, _flash(records)]
    parts += [ACCURACY, _accuracy(records)]
    if cores:
        parts += [
            INSTRUCTIONS,
            _runs(records, cores),
            KINDS,
            _kinds(records, cores),
            SWITCHING,
            _switching(records, cores),
        ]
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _equality(records: Sequence[FamilyRecord]) -> str:
    places = list(dict.fromkeys(where for record in records for where in record.comparisons))
    rows = []
    for record in records:
        found = [record.comparisons.get(where) for where in places]
        values = next((each.values for each in found if each is not None), 0)
        counts = ["-" if each is None else f"{each.different:,}" for each in found]
        rows.append([record.family, str(len(record.members)), str(record.inputs), f"{values:,}", *counts])
    return _table(["family", "networks", "inputs", "values", *places], rows)


def _memory(records: Sequence[FamilyRecord]) -> str:
    rows = [
        [
            record.family,
            member.name,
            *(f"{n:,}" for n in (member.peak_ram_bytes, member.engine_arena_bytes, member.arena_head_bytes)),
            f"{member.greedy_head_bytes:,}",
        ]
        for record in records
        for member in record.members
    ]
    return _table(["family", "network", "plan", "C engine", "tflite-micro", "its own planner"], rows)


def _budget(record: BudgetRecord | None) -> str:
    """What a budget that the planner of tflite-micro would break comes to."""
    if record is None:
        return ""
    text = (
        f"A budget of `arena` holds for the file: `{record.family}` pruned with `{' '.join(record.options)}` takes "
        f"{record.planned_bytes:,} bytes by the plan of the run and {record.arena_head_bytes:,} bytes in tflite-micro, "
        f"of a budget of {record.budget_bytes:,}. With the planner of tflite-micro it would take "
        f"{record.greedy_head_bytes:,} bytes, which is "
        f"{100 * (record.greedy_head_bytes / record.budget_bytes - 1):.0f} % more than the budget."
    )
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _flash(records: Sequence[FamilyRecord]) -> str:
    rows = []
    for record in records:
        sizes = record.sizes
        both = sizes.weights + sizes.tables
        others = (sizes.full_engine, sizes.separate_engines, sizes.files)
        rows.append(
            [
                record.family,
                *(f"{n:,}" for n in (sizes.weights, sizes.tables, both)),
                *(f"{n:,} ({n / both:.2f}x)" for n in others),
            ]
        )
    columns = ["weights", "tables", "one engine", "the full network alone", "an engine for each", ".tflite files"]
    return _table(["family", *columns], rows)


def _accuracy(records: Sequence[FamilyRecord]) -> str:
    rows = [
        [
            record.family,
            member.name,
            *(_percent(share) for share in (member.accuracy, member.accuracy_shared, member.accuracy_separate)),
        ]
        for record in records
        for member in record.members
        if member.accuracy_shared is not None
    ]
    return _table(["family", "network", "float32", "shared", "separate"], rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _runs(records: Sequence[FamilyRecord], cores: Sequence[str]) -> str:
    rows = []
    for record in records:
        for core in cores:
            found = record.cores.get(core)
            if found is not None:
                by_member = " / ".join(f"{n / 1e6:.2f}" for n in found.run)
                names = " / ".join(member.name for member in record.members)
                per_mac = f"{found.run[-1] / record.members[-1].macs:.2f}"
                rows.append([record.family, core, names, by_member, per_mac])
    return _table(["family", "core", "networks", "instructions, millions", "a MAC of the full network"], rows)


def _kinds(records: Sequence[FamilyRecord], cores: Sequence[str]) -> str:
    rows = []
    for record in records:
        measured = {core: record.cores[core].layers for core in cores if core in record.cores}
        layers = next(iter(measured.values()), ())
        total = sum(layer.macs for layer in layers)
        for index, layer in enumerate(layers):
            if layer.macs:
                counts = (
                    measured[core][index].instructions / layer.macs if core in measured else None for core in cores
                )
                cells = ("-" if count is None else f"{count:.2f}" for count in counts)
                rows.append([record.family, layer.kind, f"{100 * layer.macs / total:.1f} %", *cells])
    return _table(["family", "layers", "share", *cores], rows)


def _switching(records: Sequence[FamilyRecord], cores: Sequence[str]) -> str:
    rows = []
    for record in records:
        for core in cores:
            found = record.cores.get(core)
            if found is not None:
                differences = max(abs(a - b) for a, b in zip(found.run, found.switched, strict=True))
                rows.append(
                    [record.family, core, str(max(found.switch)), str(differences), str(max(found.stack_bytes))]
                )
    columns = ["instructions of a switch", "largest difference of a run after it", "stack, bytes"]
    return _table(["family", "core", *columns], rows)
