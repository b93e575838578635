"""The summary table at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reds_core.framework.file_kinds import FileKind
from reds_core.plan import Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.facts import UNTRAINED, FamilyFacts, Member, Metric, gather
from reds_core.report.layer_levels import counts_text, decided, title_of
from reds_core.report.proof import badge

if TYPE_CHECKING:
    from rich.table import Table

WIDE_COLUMNS = 100
_NAME_LIMIT = 10
_HEADINGS = {"macs": "MACs", "params": "params", "peak_ram": "peak\nRAM"}
_UNLIMITED = 10_000


class _LeftOut(IntEnum):
    """When a column is left out of a table that is too wide: columns with the lowest number first."""

    SEARCH, SHARE, OTHER_SIZES, PEAK_RAM, PARAMS, OTHER_ACCURACIES, MACS, NEVER = range(8)


@dataclass(frozen=True)
class _Column:
    """A column of the summary table: its heading, and a text for each network, the full one first.

    Attributes:
        left_out: When it is left out.
    """

    heading: str
    texts: tuple[str, ...]
    left_out: _LeftOut


def summary_table(plan: Plan, folder: Path, columns: int = WIDE_COLUMNS) -> Table:
    """Return a table with a row for each network, the full one first.

    Resources that have a budget are always shown, and so are the accuracies of the first kind of device files. Other
    columns are left out as far as the table would otherwise be too wide.

    Args:
        plan: the plan of the run.
        folder: folder with its files, of which only the sizes are read.
        columns: width of the terminal.
    """
    from rich.console import Console

    family = gather(plan, folder)
    shown = list(_columns(plan, family))
    table = _table(family, shown)
    for order in sorted({column.left_out for column in shown} - {_LeftOut.NEVER}):
        if Console(width=_UNLIMITED).measure(table).maximum <= columns:
            break
        shown = [column for column in shown if column.left_out != order]
        table = _table(family, shown)
    return table


def _table(family: FamilyFacts, columns: Sequence[_Column]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    if any(member.mark == UNTRAINED for member in family.subnetworks):
        table.caption, table.caption_justify = Text(f"* {UNTRAINED}: added after the run"), "left"
    table.add_column("network", vertical="bottom")
    for column in columns:
        table.add_column(Text(units.on_terminal(column.heading)), justify="right", vertical="bottom")
    names = (units.shortened(member.label, _NAME_LIMIT) for member in family.largest_first)
    for texts in zip(names, *(column.texts for column in columns), strict=True):
        table.add_row(*(Text(units.on_terminal(text)) for text in texts))
    return table


def _columns(plan: Plan, family: FamilyFacts) -> Iterator[_Column]:
    members = family.largest_first
    budgeted = {resource for record in plan.subnetworks for resource in record.budget}

    def column(heading: str, text: Callable[[Member], str], left_out: _LeftOut = _LeftOut.NEVER) -> _Column:
        return _Column(heading, tuple(text(member) for member in members), left_out)

    def of_record(text: Callable[[SubnetworkRecord], str]) -> Callable[[Member], str]:
        return lambda member: units.DASH if member.record is None else text(member.record)

    always = {"macs": _LeftOut.MACS, "params": _LeftOut.PARAMS, "peak_ram": _LeftOut.PEAK_RAM}
    for resource in (*always, *(r for r in family.resources if r in budgeted and r not in always)):
        left_out = _LeftOut.NEVER if resource in budgeted else always[resource]
        yield column(_HEADINGS.get(resource, resource.replace("_", "\n")), _amount(resource), left_out)
        if resource == "macs":
            yield column("of\nfull", lambda member: units.percent(member.share.get("macs"), 0), _LeftOut.SHARE)
    metric = family.metric
    quality = units.shortened(metric.heading or metric.name, _NAME_LIMIT)
    yield column(quality, lambda member: _before_and_after(metric, member))
    for place, kind in enumerate(_shown_kinds(plan, family)):
        accuracy, size = (_LeftOut.NEVER,) * 2 if not place else (_LeftOut.OTHER_ACCURACIES, _LeftOut.OTHER_SIZES)
        name = kind.column.rpartition("-")[2]
        yield column(f"{name}\n{quality}", partial(_accuracy, metric, kind), accuracy)
        yield column(f"{name}\nfile", partial(_size, kind), size)
    yield column("proof", of_record(badge))
    yield column("search", of_record(lambda record: units.seconds(record.wall_s)), _LeftOut.SEARCH)
    for what in decided(plan.subnetworks):
        yield column(title_of(what).replace(" ", "\n"), of_record(partial(counts_text, what=what)))


def _shown_kinds(plan: Plan, family: FamilyFacts) -> tuple[FileKind, ...]:
    """The kinds of device files that the table shows: those that targets name, or else the one of int8."""
    if plan.options.get("targets"):
        return family.kinds.exported
    return () if family.kinds.int8 is None else (family.kinds.int8,)


def _amount(resource: str) -> Callable[[Member], str]:
    return lambda member: units.amount(resource, member.usage.get(resource)).removesuffix("MAC").rstrip()


def _accuracy(metric: Metric, kind: FileKind, member: Member) -> str:
    return metric.text(member.accuracy_of(kind))


def _size(kind: FileKind, member: Member) -> str:
    file = member.file(kind)
    return units.byte_size(file.size if file else None)


def _before_and_after(metric: Metric, member: Member) -> str:
    """Format the accuracy before and after fine-tuning: 57.0 → 94.1 %, or * 51.9 % without training."""
    before, after = metric.text(member.accuracy.before), metric.text(member.accuracy.after)
    if member.mark == UNTRAINED:
        return f"* {after}"
    if before == after == units.DASH:
        return units.DASH
    return f"{before.removesuffix('%').rstrip()} → {after}" if after != units.DASH else f"{before} → {after}"
