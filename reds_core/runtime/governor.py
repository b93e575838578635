"""The boundary to governors, which choose the member that a device runs next from what it observes.

A governor decides by feedback: at each step of time it is told the charge of the battery, the harvested power, the
requests that wait and the temperature, and answers with a member, or with `SLEEP`. What it remembers between steps is a
tuple of integers that it returns with its answer, so that a decision depends on nothing but this state and what is
observed, and can be repeated elsewhere, for instance by the C code on a device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from reds_core.plugin import Plugin
from reds_core.runtime.laws import Law
from reds_core.runtime.observation import Action, Observation, State
from reds_core.runtime.operating_points import Figures
from reds_core.runtime.plant import Plant, PlantState


@dataclass(frozen=True)
class Future:
    """What no governor on a device can know.

    Attributes:
        plant: All that will happen, with the true energies.
        begin: The device before the first step.
    """

    plant: Plant
    begin: PlantState


@dataclass(frozen=True)
class Situation:
    """What a governor knows before the first step.

    Attributes:
        members: The figures of the members, those of the least energy first, as the governor believes them to be.
        capacity_nJ: The capacity of the battery in nanojoules.
        step_us: The length of a step in microseconds.
        efficiency: The share of harvested energy that reaches the battery.
        future: All that will happen. None for governors that do not see it.
    """

    members: tuple[Figures, ...]
    capacity_nJ: int
    step_us: int
    efficiency: float = 1.0
    future: Future | None = None


class Controller(ABC):
    """A governor made ready for one family and one battery. It does not change."""

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


@dataclass(frozen=True)
class LawController(Controller):
    """A controller that decides by a law, with which compiled code and devices decide alike.

    Attributes:
        members: The figures of the members, those of the least energy first.
        law: The law.
    """

    members: tuple[Figures, ...]
    law: Law

    @property
    def start(self) -> State:
        """What the law remembers before the first step."""
        return self.law.start

    def decide(self, state: State, observed: Observation) -> Action:
        """Decide as the law does."""
        return self.law.decide(self.members, state, observed)


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
