"""The energy of inferences on this machine, by the energy counters of its processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reds_core.cost.energy_models import PJ_PER_UJ, RAPL, Energy, EnergySource
from reds_core.system.rapl import LEAST_S, POWERCAP, NotMeasured, measured_energy


def processor_energy(
    run: Callable[[], Any], latency_ns: float, powercap: str | Path = POWERCAP, least_s: float = LEAST_S
) -> tuple[Energy | None, tuple[str, ...]]:
    """Measure the energy of an inference on this machine.

    It is that of whole processor packages over many inferences, divided by their number. The power that the processor
    takes while it idles and the work of other programs are in it.

    Args:
        run: Runs one inference. It should be warmed up.
        latency_ns: About how long it takes, in nanoseconds.
        powercap: The folder in which Linux shows the counters.
        least_s: For how long inferences are run, in seconds.

    Returns:
        The energy, and no sentences; or None where nothing can be read, and why, unless this machine has no counters.
    """
    found = measured_energy(run, latency_ns, Path(powercap), least_s)
    if isinstance(found, NotMeasured):
        return None, () if found.reason is None else (f"energy is not measured: {found.reason}",)
    packages = "1 processor package" if found.packages == 1 else f"{found.packages} processor packages"
    source = EnergySource(
        RAPL,
        "measured, whole processor package",
        f"RAPL counters of {packages} of the machine that profiled, with idle power and other programs",
        {"inferences": found.runs, "seconds": round(found.seconds, 6), "packages": found.packages},
    )
    return Energy.of(found.uJ * PJ_PER_UJ / found.runs, source), ()
