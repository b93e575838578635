"""The short table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.facts import FamilyFacts, Member, Metric, gather
from reds_core.report.proof import badge

if TYPE_CHECKING:
    from rich.table import Table

_NAME_LIMIT = 10


def summary_table(plan: Plan, folder: Path) -> Table:
    """The run in a table that fits 100 columns: a row for each network, the full one first.

    Args:
        plan: what the run decided.
        folder: where its files are; only their sizes are read.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    family = gather(plan, folder)
    quality = units.shortened(family.metric.name, _NAME_LIMIT)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    table.add_column("network", vertical="bottom")
    headings = ("MACs", "of\nfull", "params", "peak\nRAM", quality, f"int8\n{quality}", "int8\nfile", "proof", "search")
    for heading in headings:
        table.add_column(Text(heading), justify="right", vertical="bottom")
    for member in family.largest_first:
        table.add_row(*(Text(cell) for cell in _row(family, member)))
    return table


def _row(family: FamilyFacts, member: Member) -> tuple[str, ...]:
    usage, metric, int8 = member.usage, family.metric, member.file("tflite_int8")
    proof, search = units.DASH, units.DASH
    if member.record is not None:
        proof, search = badge(member.record), units.seconds(member.record.wall_s)
    return (
        units.shortened(member.label, _NAME_LIMIT),
        units.amount("macs", usage.get("macs")).removesuffix("MAC").rstrip(),
        units.percent(member.share.get("macs"), 0),
        units.amount("params", usage.get("params")),
        units.amount("peak_ram", usage.get("peak_ram")),
        _before_and_after(metric, member),
        metric.text(member.accuracy.tflite_int8),
        units.byte_size(int8.size if int8 else None),
        proof,
        search,
    )


def _before_and_after(metric: Metric, member: Member) -> str:
    """Accuracy before and after fine-tuning: 57.0 → 94.1 %."""
    before, after = metric.text(member.accuracy.before), metric.text(member.accuracy.after)
    if before == after == units.DASH:
        return units.DASH
    return f"{before.removesuffix('%').rstrip()} → {after}" if after != units.DASH else f"{before} → {after}"
