"""What a measurement of latencies starts with, and when it continues a table that is unfinished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reds_core.cost import counting
from reds_core.cost.latency_sampling import Segment, Timing
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table
from reds_core.errors import InputError
from reds_core.network.description import Network
from reds_core.system.machine import Machine

CHECK_SEED = 0


def started_table(
    network: Network,
    model_hash: str,
    settings: LatencySettings,
    machine: Machine,
    versions: Mapping[str, str],
    segments: tuple[Segment, ...],
) -> LatencyTable:
    """Return a table without any times."""
    return LatencyTable(
        network=network.name,
        model=model_hash,
        channels=network.channels,
        macs=counting.macs(network).at(network.channels),
        settings=settings,
        machine=machine,
        versions=versions,
        segments=segments,
        overhead=Timing(0.0, 0.0, 0),
        full=Timing(0.0, 0.0, 0),
        narrow=Timing(0.0, 0.0, 0),
    )


def continued(started: LatencyTable, path: Path) -> LatencyTable:
    """Read the table in `path`, which must be of the same model, machine and settings as `started`.

    Raises:
        InputError: If it is not.
    """
    known = load_latency_table(path)
    asked = {
        "of another model": known.model == started.model,
        "of other channel groups": (known.channels, known.segments) == (started.channels, started.segments),
        "with other settings": known.settings == started.settings,
        "on another machine": known.machine == started.machine,
        "with other versions of libraries": known.versions == started.versions,
    }
    for how, same in asked.items():
        if not same:
            raise InputError(f"'{path}' holds latencies measured {how}", "choose another file, or remove this one")
    return known


def check_widths(network: Network, count: int) -> Sequence[dict[str, int]]:
    """Widths of subnetworks on which predictions are checked: shares from 0.3 to 0.9, varied by group."""
    random = np.random.default_rng(CHECK_SEED)
    found = []
    for share in np.linspace(0.3, 0.9, count) if count > 1 else [0.5] * count:
        varied = {g: share * random.uniform(0.7, 1.3) * n for g, n in network.channels.items()}
        found.append({g: int(np.clip(round(w), 1, network.channels[g])) for g, w in varied.items()})
    return found
