"""The networks of a family as operating points: what each of them is worth, and what an inference of it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PPM = 1_000_000
"""Accuracies are whole millionths where decisions are taken."""


@dataclass(frozen=True)
class OperatingPoint:
    """One network that a device can run: a choice of an exit, of widths and of bits.

    Attributes:
        name: The name of the subnetwork, or "full" for the full network.
        accuracy: The share of right answers on test data, between 0 and 1.
        latency_ns: The time of an inference in nanoseconds.
        energy_pJ: The energy of an inference in picojoules.
        accuracy_source: Of which file the accuracy is.
        latency_source: Where the latency comes from.
        energy_source: Where the energy comes from.
        is_measured: Whether latency and energy were both measured, not modelled.
        exit: The early exit at which inference ends; None for the last output.
        widths: The number of channels of each group; empty for the full network.
        settings: The level that each transform has in each layer, such as weights of 4 bits.
    """

    name: str
    accuracy: float
    latency_ns: float
    energy_pJ: float
    accuracy_source: str = ""
    latency_source: str = ""
    energy_source: str = ""
    is_measured: bool = False
    exit: str | None = None
    widths: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def energy_nJ(self) -> int:
        """The energy in whole nanojoules, rounded up."""
        return max(math.ceil(self.energy_pJ / 1000), 1)

    @property
    def latency_us(self) -> int:
        """The latency in whole microseconds, rounded up."""
        return max(math.ceil(self.latency_ns / 1000), 1)

    @property
    def accuracy_ppm(self) -> int:
        """The accuracy in whole millionths."""
        return round(self.accuracy * PPM)


@dataclass(frozen=True)
class Figures:
    """What decisions depend on of one operating point, in whole numbers.

    Attributes:
        energy_nJ: The energy of an inference in nanojoules.
        latency_us: The time of an inference in microseconds.
        accuracy_ppm: The accuracy in millionths.
    """

    energy_nJ: int
    latency_us: int
    accuracy_ppm: int

    @staticmethod
    def of(point: OperatingPoint) -> Figures:
        """Return the figures of an operating point."""
        return Figures(point.energy_nJ, point.latency_us, point.accuracy_ppm)


def useful(points: Sequence[OperatingPoint]) -> tuple[OperatingPoint, ...]:
    """Sort operating points by energy, without those that another one beats or equals in all respects.

    Energies, latencies and accuracies are compared as they are, and of equal points the first one stays.
    """
    ordered = sorted(points, key=lambda p: (p.energy_nJ, p.latency_us, -p.accuracy_ppm))
    kept: list[OperatingPoint] = []
    for point in ordered:
        if not any(p.accuracy_ppm >= point.accuracy_ppm and p.latency_us <= point.latency_us for p in kept):
            kept.append(point)
    return tuple(kept)


def efficient(members: Sequence[Figures]) -> tuple[int, ...]:
    """The members on the upper hull of accuracy against energy, from the least energy to the most.

    A mixture of two neighbours on the hull is at least as accurate as any member, or mixture of members, of the same
    energy. Not answering, which takes nothing and is never right, counts as a member for this.

    Args:
        members: The figures of all members.

    Returns:
        Their indices; that of the member of the least energy if no member is ever right.
    """
    by_energy = sorted(range(len(members)), key=lambda m: (members[m].energy_nJ, -members[m].accuracy_ppm))
    hull: list[tuple[int, int, int]] = [(0, 0, -1)]
    for index in by_energy:
        energy, accuracy = members[index].energy_nJ, members[index].accuracy_ppm
        if accuracy <= hull[-1][1]:
            continue
        while len(hull) > 1:
            (x0, y0, _), (x1, y1, _) = hull[-2:]
            if (y1 - y0) * (energy - x0) > (accuracy - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append((energy, accuracy, index))
    return tuple(index for _, _, index in hull[1:]) or (by_energy[0],)
