"""The tables that a run may be given for resources that cannot be counted from the description of a network."""

from __future__ import annotations

from os import PathLike

from reds_core.cost.device_table import FORMAT, DeviceTable, load_device_table
from reds_core.cost.latency_table import LatencyTable, load_latency_table
from reds_core.system.files import given_path
from reds_core.system.records import parse_json

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
    path = given_path(path, "latency_table")
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        is_of_device = isinstance(content, dict) and content.get("format") == FORMAT
    except (OSError, ValueError):
        is_of_device = False
    return load_device_table(path) if is_of_device else load_latency_table(path)
