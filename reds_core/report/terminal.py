"""The short table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.facts import FamilyFacts, Member, gather
from reds_core.report.proof import prove

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
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("network")
    for heading in ("MACs", "params", "peak RAM", quality, f"int8 {quality}", "int8 file", "proof", "search"):
        table.add_column(Text(heading), justify="right")
    for index, member in reversed(list(enumerate((*family.subnetworks, family.full)))):
        table.add_row(*(Text(cell) for cell in _row(family, member, has_smaller=index > 0)))
    return table


def _row(family: FamilyFacts, member: Member, has_smaller: bool) -> tuple[str, ...]:
    metric, accuracy = family.metric, member.accuracy
    usage = {r: units.amount(r, member.usage.get(r)) for r in ("macs", "params", "peak_ram")}
    if member.record is not None and "macs" in member.share:
        usage["macs"] += f" ({units.percent(member.share['macs'], 0)})"
    int8 = member.file("tflite_int8")
    figures = (
        f"{metric.text(accuracy.before)} → {metric.text(accuracy.after)}",
        metric.text(accuracy.tflite_int8),
        units.byte_size(int8.size if int8 else None),
    )
    if member.record is None:
        search = (units.DASH, units.DASH)
    else:
        search = (prove(member.record, has_smaller).badge, units.seconds(member.record.wall_s))
    return (units.shortened(member.label, _NAME_LIMIT), *usage.values(), *figures, *search)
