"""The energy of profiles by the model of a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reds_core.cost.energy_models import Energy, EnergyModel
from reds_core.framework.profile_records import ProfileRecord
from reds_core.watcher import Watcher


def with_model(records: Sequence[ProfileRecord], model: EnergyModel, watcher: Watcher) -> tuple[ProfileRecord, ...]:
    """Return records with the energy of inferences on a board, in place of what they state of energy.

    Latency and cycles count only if they are those of the board. The multiply-accumulates of the file count otherwise.

    Args:
        records: The records.
        model: The model of the board.
        watcher: Is told of files of which neither is known.
    """
    found = tuple(replace(record, energy=_energy(record, model)) for record in records)
    unknown = [record.file for record in found if record.energy is None]
    if unknown:
        files = f"'{unknown[0]}'" + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else "")
        watcher.warn(
            f"the energy of {files} on {model.board} is not known: target '{found[0].on}' counts no MACs of such "
            "files, and its times are not those of the board"
        )
    return found


def _energy(record: ProfileRecord, model: EnergyModel) -> Energy | None:
    timed = None if record.timing is None else record.timing.machine
    names = (record.on, record.config, record.machine, *(() if timed is None else (timed.cpu, timed.system)))
    if model.is_of(*names):
        if record.latency_ns is not None:
            return model.of_latency(record.latency_ns)
        if record.cycles is not None:
            return model.of_cycles(record.cycles)
    return None if record.macs is None else model.of_macs(record.macs)
