"""The tables of what the files of a run take on devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reds_core.framework.device import Device
from reds_core.framework.profile_records import ProfileRecord
from reds_core.registry import Registry
from reds_core.report import units
from reds_core.report.energy import energy_figure, energy_sentences, energy_title
from reds_core.report.table import NOTHING, Cell, Row, Table, file_link, one_block


@dataclass(frozen=True)
class ProfileTable:
    """What files take on one device.

    Attributes:
        table: One row for each file.
        remark: What its figures mean, as sentences; empty if that is not known.
    """

    table: Table
    remark: str


def device_tables(
    records: Sequence[ProfileRecord], labels: Mapping[str, str], registry: Registry | None = None
) -> tuple[ProfileTable, ...]:
    """Return a table for each device, configuration and machine, in the order of the records.

    Args:
        records: The profiles.
        labels: How members are labelled, by name.
        registry: Where the remarks of devices are looked up; None for all plugins that are installed.
    """
    grouped: dict[tuple[str, str | None, str | None], list[ProfileRecord]] = {}
    for record in records:
        grouped.setdefault(record.subject, []).append(record)
    if not grouped:
        return ()
    devices = {r.name: r.plugin for r in (registry or Registry()).records if r.plugin and issubclass(r.plugin, Device)}
    remarks = {name: device.remark for name, device in devices.items()}
    return tuple(
        ProfileTable(_table(profiled, labels), _remark(profiled, remarks.get(profiled[0].on, "")))
        for profiled in grouped.values()
    )


def _remark(records: Sequence[ProfileRecord], of_device: str) -> str:
    """Return what the figures of one table mean, and where energies come from."""
    sources = energy_sentences(record.energy.origin for record in records if record.energy is not None)
    return " ".join(text for text in (_machine_remark(records) or of_device, *sources) if text)


def _machine_remark(records: Sequence[ProfileRecord]) -> str:
    """Say on which other machine latencies were measured, and how; empty for this machine."""
    details = next((record.timing for record in records if record.timing is not None), None)
    if details is None:
        return ""
    machine = details.machine
    versions = ", ".join(f"{name} {version}" for name, version in details.versions.items())
    runs = max(record.timing.runs for record in records if record.timing is not None)
    return units.printable(
        f"Latency is the median of up to {units.count(runs)} inferences on {machine.name} ({machine.cpu}, "
        f"{machine.system}, {units.many(machine.cores, 'core')}), with {units.many(details.threads, 'thread')}"
        f"{' and ' if versions else ''}{versions}. "
        "Spread is the upper less the lower decile. Flash and operators are counted from the files."
    )


def _table(records: Sequence[ProfileRecord], labels: Mapping[str, str]) -> Table:
    columns = {title: [cell(record) for record in records] for title, cell in _COLUMNS.items()}
    shown = {title: cells for title, cells in columns.items() if any(cell is not NOTHING for cell in cells)}
    members = [Cell(labels.get(each.member, each.member) if each.member else units.DASH) for each in records]
    if any(record.member is not None for record in records):
        shown = {"Network": members, **shown}
    rows = [
        Row(Cell(record.file, link=file_link(record.file)), tuple(cells[index] for cells in shown.values()))
        for index, record in enumerate(records)
    ]
    name, config, machine = records[0].subject
    caption = f"{name} on {machine}" if machine else name
    caption += f", configuration {config}" if config else ""
    title = energy_title(record.energy.origin for record in records if record.energy is not None)
    shown = {title if column == ENERGY else column: cells for column, cells in shown.items()}
    return Table(units.printable(caption), "File", tuple(shown), one_block(rows), is_sortable=True)


def _figure(number: float | None, text: Callable[[float], str]) -> Cell:
    return NOTHING if number is None else Cell(text(number), number)


def _by_exit(record: ProfileRecord) -> Cell:
    """Return the time or the instructions up to each early exit."""
    found = [
        f"{each.exit} {_figure(each.instructions, units.count).text}"
        if each.latency_ns is None
        else f"{each.exit} {units.NANOSECONDS.text(each.latency_ns)}"
        for each in record.exits
    ]
    return Cell(", ".join(found)) if found else NOTHING


ENERGY = "Energy"
_COLUMNS: Mapping[str, Callable[[ProfileRecord], Cell]] = {
    "Latency": lambda record: _figure(record.latency_ns, units.NANOSECONDS.text),
    "Spread": lambda record: _figure(record.timing.spread_ns if record.timing else None, units.NANOSECONDS.text),
    "Cycles": lambda record: _figure(record.cycles, units.count),
    "Instructions": lambda record: _figure(record.instructions, units.count),
    "Up to each exit": lambda record: _by_exit(record),
    ENERGY: lambda record: NOTHING if record.energy is None else Cell(energy_figure(record.energy), record.energy.uJ),
    "Activations": lambda record: _figure(record.arena_head, units.byte_size),
    "Arena": lambda record: _figure(record.arena, units.byte_size),
    "SRAM": lambda record: _figure(record.sram, units.byte_size),
    "Flash": lambda record: _figure(record.flash, units.byte_size),
    "Weights": lambda record: _figure(record.flash_weights, units.byte_size),
    "Metadata": lambda record: _figure(record.flash_metadata, units.byte_size),
    "Operators": lambda record: _figure(sum(record.operators.values()) or None, units.count),
    "On the processor": lambda record: Cell(", ".join(record.cpu_operators)) if record.cpu_operators else NOTHING,
}
"""The columns by title. Those without any figure are left out."""
BEYOND_TERMINALS = ("Metadata", "Operators")
"""The columns for which a terminal has no room beside the others."""
