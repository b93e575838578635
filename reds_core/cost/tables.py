"""The tables that a run may be given for resources that cannot be counted from the description of a network."""

from __future__ import annotations

from os import PathLike

from reds_core.cost.device_table import DEVICE_FORMAT, DeviceTable
from reds_core.cost.latency_table import LATENCY_FORMAT, LatencyTable

CostTable = LatencyTable | DeviceTable
"""A table of measured latencies, or of what a device counts."""


def notes_of(table: CostTable | None) -> tuple[str, ...]:
    """Return what users should know about the figures of a table of a device, one sentence each."""
    return tuple(f"table of {table.on}: {note}" for note in table.notes) if isinstance(table, DeviceTable) else ()


def load_table(path: str | PathLike[str]) -> CostTable:
    """Read a table of either format.

    Raises:
        InputError: If the file is missing or not a valid table.
    """
    content = LATENCY_FORMAT.content(path)
    if isinstance(content, dict) and content.get("format") == DEVICE_FORMAT.name:
        return DEVICE_FORMAT.table_in(content, path)
    return LATENCY_FORMAT.table_in(content, path)
