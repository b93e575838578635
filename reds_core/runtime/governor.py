"""The boundary to governors, which choose the member that a device runs next from what it observes.

A governor decides by feedback: at each step of time it is told the charge of the battery, the harvested power, the
requests that wait and the temperature, and answers with a member, or with `SLEEP`. What it remembers between steps is a
tuple of integers that it returns with its answer, so that a decision depends on nothing but this state and what is
observed, and can be repeated elsewhere, for instance by the C code on a device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reds_core.plugin import Plugin
from reds_core.runtime.laws import Law
from reds_core.runtime.operating_points import Figures
from reds_core.runtime.plant import Plant

State = tuple[int, ...]
"""What a governor remembers from one step to the next."""
SLEEP = -1
"""The answer of a governor that runs no member during a step."""


@dataclass(frozen=True)
class Observation:
    """What a governor is told at the beginning of a step.

    Attributes:
        charge_nJ: The charge of the battery in nanojoules.
        harvest_uW: The power that is harvested, in microwatts.
        slack_us: The time until the deadline of the request that waits longest, less the time for which the device is
            still busy, in microseconds; -1 if none waits.
        waiting: The number of requests that wait.
        temperature_mC: The temperature in thousandths of a degree Celsius.
    """

    charge_nJ: int
    harvest_uW: int
    slack_us: int
    waiting: int
    temperature_mC: int


@dataclass(frozen=True)
class Action:
    """The answer of a governor.

    Attributes:
        state: What it remembers for the next step.
        member: The member to run, by its index, or `SLEEP`.
    """

    state: State
    member: int


@dataclass(frozen=True)
class Situation:
    """What a governor knows before the first step.

    Attributes:
        members: The figures of the members, those of the least energy first, as the governor believes them to be.
        capacity_nJ: The capacity of the battery in nanojoules.
        step_us: The length of a step in microseconds.
        future: All that will happen, with the true energies. None for governors that do not see it.
    """

    members: tuple[Figures, ...]
    capacity_nJ: int
    step_us: int
    future: Plant | None = None


class Controller(ABC):
    """A governor made ready for one family and one battery. It does not change.

    Attributes:
        law: The same decisions as numbers that compiled code computes with; None if they cannot be stated so.
    """

    law: Law | None = None

    @property
    @abstractmethod
    def start(self) -> State:
        """What it remembers before the first step."""

    @abstractmethod
    def decide(self, state: State, observed: Observation) -> Action:
        """Choose the member of the next step.

        Args:
            state: `start`, or the state that the last decision returned.
            observed: What is observed at the beginning of the step.
        """


class Governor(Plugin, ABC):
    """A plugin that chooses the member of a family that a device runs next.

    Attributes:
        sees_future: Whether it is told all that will happen, which no device can be. Such a governor is a yardstick.
    """

    kind: ClassVar[str] = "governor"
    sees_future: ClassVar[bool] = False

    @abstractmethod
    def controller(self, situation: Situation) -> Controller:
        """Return what decides, for a family and a battery.

        Args:
            situation: What is known before the first step.

        Raises:
            InputError: If an option does not fit them.
        """


def fitted(members: Sequence[Figures], largest: int, observed: Observation) -> int:
    """The member to run if `largest` is the most that is wanted.

    It is the largest one, counted by the order of the members, with which all requests that wait can be paid for and
    would be answered before the deadline of the first. If there is none, it is the first member by which at least one
    request can be.

    Args:
        members: The figures of the members, those of the least energy first.
        largest: The index of the member that is wanted.
        observed: What is observed.

    Returns:
        The index of a member, or `SLEEP` if none can run, or no request waits.
    """
    waiting, slack, charge = observed.waiting, observed.slack_us, observed.charge_nJ
    if waiting <= 0:
        return SLEEP
    for index in range(largest, -1, -1):
        if members[index].latency_us * waiting <= slack and members[index].energy_nJ * waiting <= charge:
            return index
    for index, member in enumerate(members):
        if member.latency_us <= slack and member.energy_nJ <= charge:
            return index
    return SLEEP
