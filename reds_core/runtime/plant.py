"""What a governor controls: a battery, a harvester, requests with deadlines, and the members that answer them.

All quantities are whole numbers, so that results are the same on every machine, and no rounding can create energy:
nanojoules, microseconds, and millionths of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError
from reds_core.runtime.observation import State
from reds_core.runtime.operating_points import Figures


@dataclass(frozen=True)
class Plant:
    """The device and all that happens to it, with one entry for each step.

    Attributes:
        members: What an inference of each member really takes.
        capacity_nJ: The capacity of the battery in nanojoules.
        queue: The largest number of requests that wait; more of them are refused, and count as missed.
        step_us: The length of a step in microseconds.
        income_nJ: The energy that reaches the battery during each step, in nanojoules, int64 (steps,).
        leakage_nJ: The energy that the battery loses by itself and to the sleeping device, int64 (steps,).
        requests: The number of requests that arrive at the beginning of each step, int64 (steps,).
        deadline_us: The time that they may take, in microseconds, int64 (steps,).
        harvest_uW: The harvested power that is observed, in microwatts, int64 (steps,).
        temperature_mC: The temperature in thousandths of a degree Celsius, int64 (steps,).
    """

    members: tuple[Figures, ...]
    capacity_nJ: int
    queue: int
    step_us: int
    income_nJ: IntArray
    leakage_nJ: IntArray
    requests: IntArray
    deadline_us: IntArray
    harvest_uW: IntArray
    temperature_mC: IntArray

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.income_nJ)

    def part(self, first: int, last: int) -> Plant:
        """The same device during the steps from `first` up to, but without, `last`."""
        names = ("income_nJ", "leakage_nJ", "requests", "deadline_us", "harvest_uW", "temperature_mC")
        return replace(self, **{name: getattr(self, name)[first:last] for name in names})


@dataclass(frozen=True)
class PlantState:
    """The device between two steps.

    Attributes:
        charge_nJ: The charge of the battery in nanojoules.
        busy_us: For how long it is still busy with an inference that was begun, in microseconds.
        waiting: The time to the deadline of each request that waits, in the order of their arrival, in microseconds.
        member: The member that ran last; -1 before the first one.
    """

    charge_nJ: int
    busy_us: int = 0
    waiting: tuple[int, ...] = ()
    member: int = -1


@dataclass(frozen=True)
class Counts:
    """What happened during some steps, added up.

    Attributes:
        requests: The number of requests that arrived.
        answered: The number of them that each member answered in time.
        missed: The number of requests that were refused, or could not be answered in time.
        used_nJ: The energy of all inferences, in nanojoules.
        income_nJ: The energy that reached the battery, in nanojoules.
        spilled_nJ: The part of it for which the battery had no room.
        leaked_nJ: The energy that the battery lost by itself and to the sleeping device.
        switches: How often another member ran than the one before it.
    """

    requests: int
    answered: tuple[int, ...]
    missed: int
    used_nJ: int
    income_nJ: int
    spilled_nJ: int
    leaked_nJ: int
    switches: int

    @staticmethod
    def none(members: int) -> Counts:
        """Nothing, for so many members."""
        return Counts(0, (0,) * members, 0, 0, 0, 0, 0, 0)

    def __add__(self, other: Counts) -> Counts:
        answered = tuple(a + b for a, b in zip(self.answered, other.answered, strict=True))
        names = ("requests", "missed", "used_nJ", "income_nJ", "spilled_nJ", "leaked_nJ", "switches")
        return Counts(answered=answered, **{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, eq=False)
class Course:
    """What happened, step by step.

    Attributes:
        charge_nJ: The charge at the beginning of each step, after requests arrived, int64 (steps,).
        member: The member that was chosen for each step, or -1 for none, int64 (steps,).
        answered: The number of requests answered in time during each step, int64 (steps,).
        missed: The number of requests missed during each step, int64 (steps,).
    """

    charge_nJ: IntArray
    member: IntArray
    answered: IntArray
    missed: IntArray

    @staticmethod
    def empty(steps: int) -> Course:
        """A course of so many steps that are still to be filled in."""
        return Course(*(np.zeros(steps, np.int64) for _ in range(4)))


@dataclass(frozen=True)
class Moment:
    """All that the next steps depend on.

    Attributes:
        plant: The state of the device.
        governor: What the governor remembers.
    """

    plant: PlantState
    governor: State


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a simulation.

    Attributes:
        counts: What happened, added up.
        course: What happened, step by step.
        end: The state after the last step, from which other steps may continue.
    """

    counts: Counts
    course: Course
    end: Moment


@dataclass
class _Tally:
    answered: list[int]
    missed: int = 0
    used_nJ: int = 0
    spilled_nJ: int = 0
    leaked_nJ: int = 0
    switches: int = 0


class RunningPlant:
    """The device while it runs, one step at a time. Its state may be taken at any time, and another one continue it.

    Args:
        plant: The device and what happens to it.
        state: Its state before the first step.
    """

    def __init__(self, plant: Plant, state: PlantState) -> None:
        if not 0 <= state.charge_nJ <= plant.capacity_nJ:
            raise InputError("the battery cannot hold its first charge", "begin with a charge within its capacity")
        self.plant = plant
        self.charge = state.charge_nJ
        self.busy = state.busy_us
        self.waiting = list(state.waiting)
        self.member = state.member
        self.step = 0
        self._fastest = min(member.latency_us for member in plant.members)
        self._tally = _Tally([0] * len(plant.members))

    @property
    def state(self) -> PlantState:
        """The state between two steps."""
        return PlantState(self.charge, self.busy, tuple(self.waiting), self.member)

    def arrive(self) -> int:
        """Drop the requests that no member can answer in time any more, and let those of the next step arrive.

        Returns:
            The number of requests that were missed.
        """
        plant, step = self.plant, self.step
        arriving, deadline = int(plant.requests[step]), int(plant.deadline_us[step])
        earliest = self.busy + self._fastest
        in_time = [left for left in self.waiting if left >= earliest]
        taken = min(arriving, plant.queue - len(in_time)) if deadline >= earliest else 0
        missed = len(self.waiting) - len(in_time) + arriving - taken
        self.waiting = in_time + [deadline] * taken
        self._tally.missed += missed
        return missed

    @property
    def slack_us(self) -> int:
        """The time that is left for the request that waits longest; -1 if none waits."""
        return self.waiting[0] - self.busy if self.waiting else -1

    def run(self, member: int) -> tuple[int, int]:
        """Run a member, or -1 for none, until the step ends, and charge the battery.

        An inference begins if the request is answered in time, and if the charge covers it. A request that this member
        would answer too late is dropped. An inference that begins in a step may end in a later one.

        Returns:
            The numbers of requests that were answered and missed.
        """
        plant, length = self.plant, self.plant.step_us
        answered = missed = 0
        if member >= 0:
            figures = plant.members[member]
            energy, latency = figures.energy_nJ, figures.latency_us
            while self.waiting and self.busy < length:
                if self.busy + latency > self.waiting[0]:
                    del self.waiting[0]
                    missed += 1
                elif energy <= self.charge:
                    del self.waiting[0]
                    self.charge -= energy
                    self.busy += latency
                    answered += 1
                else:
                    break
            if answered:
                self._tally.answered[member] += answered
                self._tally.used_nJ += answered * energy
                self._tally.switches += self.member not in (-1, member)
                self.member = member
        self._tally.missed += missed
        self.busy = max(self.busy - length, 0)
        self.waiting = [left - length for left in self.waiting]
        self._charge(int(plant.income_nJ[self.step]), int(plant.leakage_nJ[self.step]))
        self.step += 1
        return answered, missed

    def _charge(self, income: int, leakage: int) -> None:
        spilled = max(self.charge + income - self.plant.capacity_nJ, 0)
        self.charge += income - spilled
        leaked = min(leakage, self.charge)
        self.charge -= leaked
        self._tally.spilled_nJ += spilled
        self._tally.leaked_nJ += leaked

    @property
    def counts(self) -> Counts:
        """What happened since the first step."""
        tally, plant, done = self._tally, self.plant, slice(self.step)
        return Counts(
            requests=int(plant.requests[done].sum()),
            answered=tuple(tally.answered),
            missed=tally.missed,
            used_nJ=tally.used_nJ,
            income_nJ=int(plant.income_nJ[done].sum()),
            spilled_nJ=tally.spilled_nJ,
            leaked_nJ=tally.leaked_nJ,
            switches=tally.switches,
        )
