"""Whether the exported files of a run are timed beside the latencies that a table predicts."""

from __future__ import annotations

from collections.abc import Callable

from reds_core.cost.latency_table import LatencySettings, LatencyTable
from reds_core.cost.tables import CostTable
from reds_core.system.machine import Machine


def timing_here(table: CostTable | None, note: Callable[[str], None]) -> LatencySettings | None:
    """Return how exported files are timed; None if they are not, since there is no table or it is of another machine.

    Args:
        table: The table of the run. That of a device that counts has no times.
        note: Called with one sentence if the table is of another machine.
    """
    if not isinstance(table, LatencyTable):
        return None
    if table.machine.is_here:
        return table.settings
    machine = table.machine
    note(f"exported files are not timed: the latency table is of {machine.name or machine.cpu}, not of this machine")
    return None


def machine_of(table: CostTable | None) -> Machine | None:
    """Return the machine that measured a table; None if there is no table, or nothing was measured for it."""
    return table.machine if isinstance(table, LatencyTable) else None
