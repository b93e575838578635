"""How it is said which machine predicted latencies come from."""

from __future__ import annotations

from reds_core.report import units
from reds_core.system.machine import Machine


def latency_sentences(machine: Machine | None) -> tuple[str, ...]:
    """Return a sentence on the machine of a latency table; none without one."""
    if machine is None:
        return ()
    what = f"{machine.cpu}, {machine.system}, {units.many(machine.cores, 'core')}"
    where = f"{machine.name} ({what})" if machine.name else what
    return (units.printable(f"Latencies are predicted from times that were measured on {where}."),)
