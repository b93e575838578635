"""The battery and the queue of a device, and how a trace becomes what happens to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InfeasibleError, InputError
from reds_core.runtime.operating_points import Figures
from reds_core.runtime.plant import Plant
from reds_core.runtime.trace import Trace
from reds_core.scales import ENERGY, NANOSECONDS

REFERENCE_C = 25.0
DOUBLES_EVERY_C = 10.0
"""Leakage doubles with each rise of the temperature by so many degrees, as that of semiconductors roughly does."""
_LARGEST_NJ = 10**15
_LARGEST_SUM_NJ = 2**62
NJ_PER_MJ = 10**6
_STEP_TOLERANCE = 1e-3
"""By which share steps may differ from whole microseconds."""
LARGEST_CAPACITY_MJ = _LARGEST_NJ / NJ_PER_MJ


@dataclass(frozen=True)
class Battery:
    """The battery of a device, and the requests that it lets wait.

    Attributes:
        capacity_mJ: The energy that it holds when it is full, in millijoules.
        initial: The share of the capacity that it holds in the beginning.
        efficiency: The share of harvested energy that reaches it.
        leakage_mW: The power that it loses by itself at 25 degrees Celsius, together with that of the sleeping device,
            in milliwatts. It doubles with every 10 degrees.
        queue: The largest number of requests that wait.
    """

    capacity_mJ: float
    initial: float = 0.5
    efficiency: float = 0.85
    leakage_mW: float = 0.005
    queue: int = 16

    def __post_init__(self) -> None:
        """Refuse what no battery can have."""
        _within("the capacity of the battery in mJ", self.capacity_mJ, 1e-6, LARGEST_CAPACITY_MJ)
        _within("the initial charge", self.initial, 0, 1)
        _within("the efficiency of charging", self.efficiency, 0, 1)
        _within("the leakage in mW", self.leakage_mW, 0, 1e6)
        _within("the number of requests that wait", self.queue, 1, 4096)

    @property
    def capacity_nJ(self) -> int:
        """The capacity in whole nanojoules."""
        return max(round(self.capacity_mJ * NJ_PER_MJ), 1)

    @property
    def initial_nJ(self) -> int:
        """The charge in the beginning in whole nanojoules."""
        return min(round(self.capacity_nJ * self.initial), self.capacity_nJ)


def _within(what: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise InputError(f"{what} cannot be {value:g}", f"give a number from {lowest:g} to {highest:g}")


def plant_of(trace: Trace, battery: Battery, members: tuple[Figures, ...]) -> Plant:
    """Return what a trace does to a device with a battery.

    Each figure of the trace is rounded once: energies to nanojoules, times to microseconds.

    Args:
        trace: What happens.
        battery: The battery.
        members: What an inference of each member really takes.

    Raises:
        InputError: If the trace brings more energy than 64 bits can count, or has steps of fractions of microseconds.
        InfeasibleError: If the battery cannot hold the energy of a single inference, or no member answers any request
            in time.
    """
    least = min(member.energy_nJ for member in members)
    if battery.capacity_nJ < least:
        raise InfeasibleError(
            f"a battery of {ENERGY.text(battery.capacity_nJ * 1000)} never holds the energy of an inference",
            f"give at least {ENERGY.text(least * 1000)}, which the cheapest member takes",
        )
    quickest = min(member.latency_us for member in members)
    arriving = trace.requests > 0
    if arriving.any() and trace.deadline_ms[arriving].max() * 1000 < quickest:
        raise InfeasibleError(
            "no subnetwork answers a request within its deadline",
            f"give deadlines of at least {NANOSECONDS.text(quickest * 1000)}, the latency of the quickest one",
        )
    step_us = max(round(trace.step_s * 1e6), 1)
    if abs(trace.step_s * 1e6 - step_us) > _STEP_TOLERANCE * step_us:
        raise InputError(
            f"steps of {NANOSECONDS.text(trace.step_s * 1e9)} are not whole microseconds", "give longer steps"
        )
    income = _whole(trace.harvest_mW * (battery.efficiency * trace.step_s * 1e6))
    if income.sum(dtype=np.float64) > _LARGEST_SUM_NJ:
        raise InputError(
            f"the trace brings more energy than {ENERGY.text(_LARGEST_SUM_NJ * 1000)}", "give less power, or less time"
        )
    warmer: FloatArray = np.exp2((np.minimum(trace.temperature_C, 200.0) - REFERENCE_C) / DOUBLES_EVERY_C)
    uJ_per_mW = trace.step_s * 1000.0
    return Plant(
        members=members,
        capacity_nJ=battery.capacity_nJ,
        queue=battery.queue,
        step_us=step_us,
        income_nJ=income,
        leakage_nJ=_whole(warmer * (battery.leakage_mW * uJ_per_mW * 1000.0)),
        requests=trace.requests.astype(np.int64),
        deadline_us=_whole(trace.deadline_ms * 1000.0),
        harvest_uW=_whole(trace.harvest_mW * 1000.0),
        temperature_mC=_whole(trace.temperature_C * 1000.0),
    )


def _whole(values: FloatArray) -> IntArray:
    rounded: IntArray = np.rint(np.minimum(values, float(_LARGEST_NJ))).astype(np.int64)
    return rounded
