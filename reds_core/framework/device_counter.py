"""The interface through which core counts what a network of any widths takes on a device that is not this machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reds_core.cost.energy_models import EnergySource


@dataclass(frozen=True)
class Part:
    """A part of a network whose figures depend on the widths of at most two groups.

    Attributes:
        name: What it is, such as an operator, or a tensor in memory.
        groups: The groups on whose widths its figures depend, in the network's order.
    """

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """What a network of some widths takes on a device.

    Attributes:
        totals: What the whole network takes, by the name of the figure, such as "cycles".
        parts: The figures of each part, by name, in the order of `DeviceCounter.parts`. Figures that add up over parts
            add up to the totals. A figure of a part that is not known, such as what it takes in memory in a network
            that is not alike, is left out.
        is_alike: Whether the parts are in memory together as `DeviceCounter.moments` says.
    """

    totals: Mapping[str, int]
    parts: tuple[Mapping[str, int], ...]
    is_alike: bool = True


@dataclass(frozen=True)
class CountingConditions:
    """Everything besides the network that determines what a device counts.

    Attributes:
        options: The options of the target that lead to the same figures, with their defaults.
        versions: The versions of the software that counts.
        facts: What else the figures follow from, such as the clock, by name.
        energy: Where energies come from; None if the device counts none.
    """

    options: Mapping[str, str]
    versions: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    energy: EnergySource | None = None


class DeviceCounter(ABC):
    """Counts networks of one model at any widths of its groups."""

    @property
    @abstractmethod
    def conditions(self) -> CountingConditions:
        """What determines the figures."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The parts of the network, in the order in which they run."""

    @property
    @abstractmethod
    def sums(self) -> tuple[str, ...]:
        """The figures that add up over parts, such as "cycles", by the first of which steps of widths are found."""

    @property
    @abstractmethod
    def peaks(self) -> tuple[str, ...]:
        """The figures that are the most that parts take at one moment, such as "npu_sram"."""

    @property
    @abstractmethod
    def moments(self) -> tuple[tuple[int, ...], ...]:
        """The indices of the parts that are in memory at once, for each moment of an inference."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What users should know about the figures, one sentence each, such as which operators are not counted."""

    @abstractmethod
    def counted(self, choices: Sequence[Mapping[str, int]]) -> list[Counted]:
        """Count networks.

        Args:
            choices: The width of each group, for each network. Groups that are not named are whole.

        Raises:
            UnsupportedError: If the device cannot run one of them.
        """
