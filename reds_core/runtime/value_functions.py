"""The most that the rest of a trace can be worth, as a function of the charge of the battery.

The knapsack over a trace chooses a member or no answer for each request, so that no part of the trace uses more energy
than there is. Its linear relaxation is solved here exactly: a request may also be answered by a mixture of members. The
value of the rest of the trace is then a concave function of the charge, whose slopes are those of the hull of accuracy
against energy, so that it is described by how much energy is worth each slope. Going backwards, a step adds the energy
that its requests can use, takes away what it harvests, and forgets what the battery cannot hold. Deadlines, the queue
and leakage are left out, and harvested energy counts from the beginning of its block, so no schedule that answers
requests in the steps in which they arrive is worth more. For others, `highest_accuracy` counts harvests earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.runtime.operating_points import PPM, efficient
from reds_core.runtime.plant import Plant

MOST_BLOCKS = 20_000
"""The largest number of blocks; steps of longer traces are added up in blocks of equal length."""


@dataclass(frozen=True, eq=False)
class ValueFunctions:
    """The value of the rest of a trace at the beginning of each block.

    Attributes:
        rungs: The members on the hull, from the least energy to the most.
        slopes: The millionths of an answer for each nanojoule on each edge of the hull, falling, float64 (rungs,).
        energies_nJ: For each block, the energy that is worth each slope, int64 (blocks, rungs).
        length: The number of steps in a block.
        constant: The value of what is harvested, in millionths of an answer.
    """

    rungs: tuple[int, ...]
    slopes: FloatArray
    energies_nJ: IntArray
    length: int
    constant: float

    def bound(self, charge_nJ: int) -> float:
        """The most right answers, in millionths, that the whole trace allows with a first charge."""
        used = np.diff(np.minimum(np.cumsum(self.energies_nJ[0]), charge_nJ), prepend=0)
        return self.constant + float((used * self.slopes).sum())


def value_functions(plant: Plant, blocks: int = MOST_BLOCKS) -> ValueFunctions:
    """Return the value of the rest of a trace at each of its blocks.

    Args:
        plant: The device and what happens to it.
        blocks: The largest number of blocks.
    """
    figures = plant.members
    rungs = efficient(figures)
    energy = np.array([0, *(figures[m].energy_nJ for m in rungs)], np.int64)
    accuracy = np.array([0, *(figures[m].accuracy_ppm for m in rungs)], np.int64)
    edges = np.diff(energy)
    slopes: FloatArray = np.diff(accuracy) / edges
    length = -(-plant.steps // blocks)
    starts = np.arange(0, plant.steps, length)
    requests = np.add.reduceat(plant.requests, starts).tolist()
    income = np.add.reduceat(plant.income_nJ, starts).tolist()
    found: IntArray = np.zeros((len(starts), len(rungs)), np.int64)
    amounts, constant = [0] * len(rungs), 0.0
    steps, worth = edges.tolist(), slopes.tolist()
    for block in range(len(starts) - 1, -1, -1):
        free, room, count = income[block], plant.capacity_nJ, requests[block]
        for k, step in enumerate(steps):
            amount = amounts[k] + step * count
            taken = min(amount, free)
            free -= taken
            constant += taken * worth[k]
            amounts[k] = min(amount - taken, room)
            room -= amounts[k]
        found[block] = amounts
    return ValueFunctions(rungs, slopes, found, length, constant)


def highest_accuracy(plant: Plant, charge_nJ: int) -> float | None:
    """No governor answers a larger share of the requests of a trace correctly; None without requests.

    Args:
        plant: The device and what happens to it.
        charge_nJ: The first charge of the battery.
    """
    requests = int(plant.requests.sum())
    if not requests or not plant.steps:
        return None
    return min(value_functions(_without_waiting(plant)).bound(charge_nJ) / (PPM * requests) * (1 + 1e-9), 1.0)


def _without_waiting(plant: Plant) -> Plant:
    """A plant on which requests that are answered when they arrive are worth no less than on this one later.

    A request that waits for some steps may use what is harvested until then. For the longest wait, all harvests come
    that many steps earlier, and the battery holds as much more as that many steps bring at most.
    """
    fastest = min(member.latency_us for member in plant.members)
    longest = int(plant.deadline_us[plant.requests > 0].max()) - fastest
    wait = min(max(longest // plant.step_us, 0), plant.steps - 1)
    if not wait:
        return plant
    total = np.concatenate(([0], np.cumsum(plant.income_nJ)))
    capacity_nJ = plant.capacity_nJ + int((total[wait:] - total[:-wait]).max())
    income = np.zeros_like(plant.income_nJ)
    income[: plant.steps - wait] = plant.income_nJ[wait:]
    income[0] = total[wait + 1]
    return replace(plant, income_nJ=income, capacity_nJ=capacity_nJ)
