"""The governor `pi`: the energy of an inference follows the charge of the battery and its history."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.errors import InputError
from reds_core.runtime import LARGEST_INTEGRAL, Governor, LawController, ProportionalIntegralLaw, Situation, efficient

LONGEST_SHIFT = 24


@dataclass(frozen=True)
class ProportionalIntegralOptions:
    """Options of `pi`.

    Attributes:
        target: The share of the capacity at which the charge is held.
        horizon: The number of requests over which an excess of charge is spent, rounded down to a power of two. By
            default it is such that a full battery pays for the most accurate member.
    """

    target: float = 0.95
    horizon: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no battery and no horizon can be."""
        if not 0 <= self.target < 1:  # a battery that leaks is never full when a step begins
            raise InputError(f"option pi.target cannot be {self.target:g}", "give a share from 0 to below 1")
        if self.horizon is not None and not 1 <= self.horizon <= 2**LONGEST_SHIFT:
            raise InputError(f"option pi.horizon cannot be {self.horizon}", f"give 1 to {2**LONGEST_SHIFT} requests")


def shift_for(situation: Situation, largest_nJ: int, target: float, horizon: int | None) -> int:
    """The base-2 logarithm of a horizon in requests, at most so large that the integral fits in 64 bits.

    Args:
        situation: The family and the battery.
        largest_nJ: The energy of the most accurate member.
        target: The share of the capacity that is aimed at.
        horizon: The horizon that is asked for. None means that of a full battery, whose excess over the target, taken
            as at least a hundredth of the capacity, then pays for the most accurate member.
    """
    room = max(1 - target, 0.01) * situation.capacity_nJ
    wanted = max(int(room) // largest_nJ, 1) if horizon is None else horizon
    shift = min(wanted.bit_length() - 1, LONGEST_SHIFT)
    while shift > 0 and largest_nJ << (2 * shift + 2) > LARGEST_INTEGRAL:
        shift -= 1
    return shift


class ProportionalIntegralGovernor(Governor):
    """Holds the charge of the battery at a target: what a request may take follows the charge and its sum over time.

    What a request may take usually lies between the energies of two members, which then alternate.
    """

    name = "pi"
    Options = ProportionalIntegralOptions

    def controller(self, situation: Situation) -> LawController:
        """Return the gains for a family and a battery."""
        rungs = efficient(situation.members)
        shift = shift_for(situation, situation.members[rungs[-1]].energy_nJ, self.options.target, self.options.horizon)
        target = round(self.options.target * situation.capacity_nJ)
        return LawController(situation.members, ProportionalIntegralLaw(rungs, target, shift))
