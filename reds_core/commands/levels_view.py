"""The levels that layers are offered, and what they cost in loss, on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from reds_core.commands.tables import print_table
from reds_core.report import units
from reds_core.report.layer_levels import title_of
from reds_core.report.sensitivity_figure import columns_of, rise_text, rows_of
from reds_core.runs.inspection import LevelsRecord
from reds_core.scoring.sensitivity_table import SensitivityTable

_NAMED_LAYERS = 5
"""The most layers that are named for one reason."""


def print_levels(levels: Sequence[LevelsRecord]) -> None:
    """Print which levels transforms offer for each layer, where these are decided, and why others are not offered."""
    rows: list[list[str]] = []
    without: list[tuple[str, str]] = []
    for each in levels:
        refused = [other for other in each.not_offered if other.level is not None]
        if not each.levels and not refused:
            own_name = f"layer '{each.layer}'"
            without += [(each.layer, other.reason.replace(own_name, "the layer")) for other in each.not_offered]
            continue
        by_reason: dict[str, list[str]] = {}
        for other in refused:
            by_reason.setdefault(other.reason, []).append(str(other.level))
        why = "; ".join(f"not {', '.join(own)}: {reason}" for reason, own in by_reason.items())
        why = why or "; ".join(other.reason for other in each.not_offered)
        offered = ", ".join(map(str, each.levels)) or "none"
        rows.append([each.layer, title_of(each.what), offered, each.home or units.DASH, why])
    Console().print()
    if rows:
        print_table(["layer", "decided", "levels", "with group", "not offered"], rows)
    elif not without:
        Console().print("the transforms decide nothing by layer")
    _print_without_levels(without)


def print_sensitivity(table: SensitivityTable) -> None:
    """Print by how much each level of each layer alone raises the loss, and the layers that have no levels."""
    columns = columns_of(table)
    print_table(
        ["layer", *(f"{title_of(what)} {level}" for what, level in columns)],
        [
            [name, *(rise_text(cells[column]) if column in cells else units.DASH for column in columns)]
            for name, cells in rows_of(table).items()
        ],
    )
    Console().print(
        f"\nrises of the loss by one layer alone, before training; the untouched network has {table.base_loss:.4g} on "
        f"{units.on_terminal(units.count(table.examples))} training examples",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    _print_without_levels((left.layer, left.reason) for left in table.left_out)


def _print_without_levels(layers: Iterable[tuple[str, str]]) -> None:
    """Print the layers that have no levels, each with the reason, in one line for each reason."""
    by_reason: dict[str, dict[str, None]] = {}  # a layer without a kernel has nothing to offer to several transforms
    for layer, reason in layers:
        by_reason.setdefault(reason, {})[layer] = None
    for reason, named in by_reason.items():
        names = list(named)
        more = f" and {len(names) - _NAMED_LAYERS} more" if len(names) > _NAMED_LAYERS else ""
        text = f"without levels: {', '.join(names[:_NAMED_LAYERS])}{more} ({reason})"
        Console().print(text, highlight=False, markup=False, soft_wrap=True)
