"""The results of runs and measurements on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from reds_core.commands.levels_view import print_lines
from reds_core.commands.tables import print_rows, print_table
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.energy_models import EnergySource
from reds_core.cost.latency_table import LatencyTable
from reds_core.framework.profile_records import ProfileRecord
from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.device_tables import BEYOND_TERMINALS, device_tables
from reds_core.report.drop import drop_sentences, drop_table
from reds_core.report.energy import energy_sentences
from reds_core.report.terminal import WIDE_COLUMNS, summary_table
from reds_core.runs.inspection_records import Inspection, levels_lines
from reds_core.search_records import MaxDropRecord


def print_inspection(inspection: Inspection) -> None:
    """Print the layers, groups and totals of a network."""
    for place, table in enumerate(inspection.tables()):
        if place:
            Console().print()
        print_rows(table)
    if inspection.levels is not None:
        print_lines(levels_lines(inspection.levels))
    Console().print(f"\n{inspection.totals}", highlight=False, soft_wrap=True)
    print_energy(inspection.energy_source, Console())


def print_energy(source: EnergySource | None, console: Console) -> None:
    """Print where energies come from, if there are any."""
    for sentence in energy_sentences([source]):
        console.print(units.on_terminal(sentence), markup=False, highlight=False, soft_wrap=True)


SLOWEST_SEGMENTS = 15


def print_latencies(table: LatencyTable) -> None:
    """Print the slowest segments at full width, and measured latencies of subnetworks beside the predicted ones."""
    full = {s.index: tuple(table.channels[g] for g in s.groups) for s in table.segments}
    times = {s.segment: s.timing for s in table.samples if s.widths == full[s.segment]}
    slowest = sorted(table.segments, key=lambda s: -times[s.index].ns)[:SLOWEST_SEGMENTS]
    print_table(
        ["segment", "us at full width", "spread, us"],
        [
            [", ".join(s.layers), f"{times[s.index].ns / 1000:.1f}", f"{times[s.index].spread_ns / 1000:.1f}"]
            for s in slowest
        ],
    )
    rows = [["full", f"{table.full.ns / 1000:.1f}", f"{table.full.ns / 1000:.1f}", "-"]]
    rows += [
        [
            f"check {i + 1}",
            f"{c.predicted_ns / 1000:.1f}",
            f"{c.measured.ns / 1000:.1f}",
            f"{100 * (c.predicted_ns / c.measured.ns - 1):+.1f} %",
        ]
        for i, c in enumerate(table.checks)
    ]
    Console().print()
    print_table(["whole network", "predicted, us", "measured, us", "error"], rows)


def print_device_table(table: DeviceTable) -> None:
    """Print the widths that a table of a device offers, and predicted beside counted figures of subnetworks."""
    print_table(
        ["group", "widths", "multiples of"],
        [
            [group, ", ".join(str(width) for width in widths), str(table.multiples.get(group, 1))]
            for group, widths in table.widths.items()
        ],
    )
    resources = (*table.sums, *table.peaks)
    full = {name: form.at(table.channels) for name, form in table.forms().items()}
    rows = [["full", *(text for name in resources for text in (units.amount(name, full[name]), "", ""))]]
    for index, check in enumerate(table.checks, 1):
        cells = [f"check {index}"]
        for name in resources:
            predicted, counted = check.predicted[name], check.counted[name]
            error = f"{100 * (predicted / counted - 1):+.2f} %" if counted else units.DASH
            cells += [f"{predicted:,}", f"{counted:,}", error]
        rows.append([units.on_terminal(cell) for cell in cells])
    rows[0] = [units.on_terminal(cell) for cell in rows[0]]
    Console().print()
    heads = [text for name in resources for text in (f"{name}, predicted", "counted", "error")]
    print_table(["whole network", *heads], rows, _wide_console())
    for note in table.notes:
        Console().print(note, markup=False, highlight=False, soft_wrap=True)


def print_profiles(records: Sequence[ProfileRecord]) -> None:
    """Print what files take on a device, and what the figures mean."""
    for device in device_tables(records, {}):
        table = device.table
        kept = [index for index, column in enumerate(table.columns) if column not in BEYOND_TERMINALS]
        rows = [[row.heading.text, *(row.cells[i].text for i in kept)] for block in table.blocks for row in block.rows]
        print_table([table.corner.lower(), *(table.columns[i].lower() for i in kept)], rows, _wide_console())
        if device.remark:
            _wide_console().print(f"\n{device.remark}", markup=False, highlight=False)


def _print_search(plan: Plan, record: MaxDropRecord, console: Console) -> None:
    """Print how the smallest network within a limit of points was found."""
    table = drop_table(record, plan)
    console.print()
    print_table(
        ["tried", "budget", *(column.lower() for column in table.columns)],
        [
            [block.title.lower(), row.heading.text, *(cell.text for cell in row.cells)]
            for block in table.blocks
            for row in block.rows
        ],
    )
    console.print()
    for sentence in drop_sentences(record, plan):
        console.print(units.on_terminal(sentence), markup=False, highlight=False, soft_wrap=True)


def _wide_console() -> Console:
    """Return a console for wide tables. Pipes and log files have no width of their own."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE_COLUMNS)


def print_plan(plan: Plan, folder: Path) -> None:
    """Print the table at the end of a run, and where its files are."""
    console = _wide_console()
    console.print(summary_table(plan, folder, console.width))
    print_energy(plan.energy_source, console)
    if plan.max_drop is not None:
        _print_search(plan, plan.max_drop, console)
    if plan.hashes.data is None and plan.hashes.calibration is None:
        console.print("No int8 files were written, since there is no training data to calibrate them.", soft_wrap=True)
    console.print(f"Files, plan and report are in {folder}", markup=False, highlight=False, soft_wrap=True)
