"""The governor `threshold`: the member follows the charge of the battery, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.errors import InputError
from reds_core.runtime import Governor, LawController, Situation, ThresholdLaw, efficient


@dataclass(frozen=True)
class ThresholdOptions:
    """Options of `threshold`.

    Attributes:
        lowest: The share of the capacity above which thresholds rise in even steps, the first one a step above it. It
            has no effect on families with two members on the hull, whose only threshold is `highest`.
        highest: The share of the capacity from which the most accurate member runs.
        hysteresis: The share of the capacity by which the charge has to fall below a threshold until the smaller member
            runs again.
    """

    lowest: float = 0.95
    highest: float = 0.99
    hysteresis: float = 0.01

    def __post_init__(self) -> None:
        """Refuse thresholds that do not rise, and a hysteresis that is none."""
        if not 0 <= self.lowest < self.highest < 1:  # a battery that leaks is never full when a step begins
            raise InputError(
                f"options threshold.lowest={self.lowest:g} and threshold.highest={self.highest:g} are not two rising "
                "shares",
                "give numbers from 0 to below 1, the lowest first",
            )
        if not 0 < self.hysteresis <= 1:
            raise InputError(
                f"option threshold.hysteresis cannot be {self.hysteresis:g}", "give a share above 0, and at most 1"
            )


class ThresholdGovernor(Governor):
    """Runs larger members the fuller the battery is, and changes back only after the charge fell by a margin.

    The thresholds rise in even steps from one share of the capacity to another. By default they are high, so that
    larger members only take what the battery will soon have no room for, and the rest is kept for the cheapest one.
    """

    name = "threshold"
    Options = ThresholdOptions

    def controller(self, situation: Situation) -> LawController:
        """Return the thresholds for a family and a battery."""
        options, rungs = self.options, efficient(situation.members)
        gaps = len(rungs) - 1
        spacing = (options.highest - options.lowest) / max(gaps, 1)
        shares = [options.lowest + (i + 1) * spacing for i in range(gaps)]
        rising = tuple(max(round(share * situation.capacity_nJ), 1) for share in shares)
        margin = max(round(options.hysteresis * situation.capacity_nJ), 1)
        falling = tuple(max(charge - margin, 0) for charge in rising)
        return LawController(situation.members, ThresholdLaw(rungs, rising, falling))
