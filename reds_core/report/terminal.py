"""The summary table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.facts import UNTRAINED, FamilyFacts, Member, Metric, gather
from reds_core.report.layer_levels import counts_text, decided, title_of
from reds_core.report.proof import badge

if TYPE_CHECKING:
    from rich.table import Table

WIDE_COLUMNS = 100
_WIDE_ONLY = ("of\nfull", "search")
_NOT_WITH_LEVELS = ("peak\nRAM",)
_NAME_LIMIT = 10


def summary_table(plan: Plan, folder: Path, columns: int = WIDE_COLUMNS) -> Table:
    """Return a table with a row for each network, the full one first.

    Args:
        plan: the plan of the run.
        folder: folder with its files, of which only the sizes are read.
        columns: width of the terminal. Below 100, or if layers have levels, the search time and the share of the MACs
            are omitted; if both hold, the peak RAM too.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    family = gather(plan, folder)
    quality = units.shortened(family.metric.name, _NAME_LIMIT)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    if any(member.mark == UNTRAINED for member in family.subnetworks):
        table.caption, table.caption_justify = Text(f"* {UNTRAINED}: added after the run"), "left"
    table.add_column("network", vertical="bottom")
    headings = ("MACs", "of\nfull", "params", "peak\nRAM", quality, f"int8\n{quality}", "int8\nfile", "proof", "search")
    whats = decided(plan.subnetworks)
    left_out: tuple[str, ...] = () if columns >= WIDE_COLUMNS and not whats else _WIDE_ONLY
    if columns < WIDE_COLUMNS and whats:
        left_out += _NOT_WITH_LEVELS
    shown = [i for i, heading in enumerate(headings) if heading not in left_out]
    for i in shown:
        table.add_column(Text(units.on_terminal(headings[i])), justify="right", vertical="bottom")
    for what in whats:
        table.add_column(Text(units.on_terminal(title_of(what).replace(" ", "\n"))), justify="right", vertical="bottom")
    for member in family.largest_first:
        name, *cells = (Text(units.on_terminal(cell)) for cell in _row(family, member))
        levels = [units.DASH if member.record is None else counts_text(member.record, what) for what in whats]
        table.add_row(name, *(cells[i] for i in shown), *(Text(units.on_terminal(text)) for text in levels))
    return table


def _row(family: FamilyFacts, member: Member) -> tuple[str, ...]:
    usage, metric, int8 = member.usage, family.metric, member.file(family.kinds.int8)
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
        metric.text(member.accuracy_of(family.kinds.int8)),
        units.byte_size(int8.size if int8 else None),
        proof,
        search,
    )


def _before_and_after(metric: Metric, member: Member) -> str:
    """Format the accuracy before and after fine-tuning: 57.0 → 94.1 %, or * 51.9 % without training."""
    before, after = metric.text(member.accuracy.before), metric.text(member.accuracy.after)
    if member.mark == UNTRAINED:
        return f"* {after}"
    if before == after == units.DASH:
        return units.DASH
    return f"{before.removesuffix('%').rstrip()} → {after}" if after != units.DASH else f"{before} → {after}"
