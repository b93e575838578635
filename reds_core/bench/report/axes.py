"""Logarithmic axes of the figures of a comparison: ticks at round numbers, written as in the tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from reds_core.report import units

_LEAST, _MOST = 3, 7
"""How many ticks an axis has."""


def logarithmic(low: float, high: float, text: Callable[[float], str], **more: Any) -> dict[str, Any]:
    """The settings of a logarithmic axis.

    Args:
        low, high: the ends of the axis, both positive.
        text: writes the number of a tick.
        **more: further settings.
    """
    ticks = round_numbers(low, high)
    ends = [math.log10(low), math.log10(high)]
    return {"type": "log", "range": ends, "tickvals": ticks, "ticktext": [text(tick) for tick in ticks], **more}


def round_numbers(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers; fewer if there are many, and finer steps if there would be less than three."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
        if len(ticks) >= _LEAST:
            break
    return ticks[:: math.ceil(len(ticks) / _MOST)] if len(ticks) > _MOST else ticks


def factor(number: float) -> str:
    """A factor as the text of a tick: 10×."""
    return f"{number:g}×" if number < 1e6 else f"{power_of_ten(number)}×"


def seconds(number: float) -> str:
    """Seconds as the text of a tick, in the unit that fits: 10 ms."""
    scales = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
    unit, name = next((scale for scale in scales if number >= 0.999 * scale[0]), scales[-1])
    return f"{number / unit:.6g}{units.THIN}{name}"


def plain_number(number: float) -> str:
    """A count as the text of a tick."""
    return units.count(number)


def percent(zero: float, word: str) -> Callable[[float], str]:
    """A function that writes shares in percent, and `word` for the share `zero`, at which 0 is drawn."""

    def text(number: float) -> str:
        if number <= zero * 1.01:
            return word
        share = 100 * number
        if 0.9e-3 < share < 0.9e5:
            return f"{units.count(share) if share > 0.9e3 else f'{share:.4g}'}{units.THIN}%"
        return f"{power_of_ten(share)}{units.THIN}%"

    return text


def power_of_ten(number: float) -> str:
    """The nearest power of ten, as 10⁻⁵."""
    return "10" + str(round(math.log10(number))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def decade_below(number: float) -> float:
    """The power of ten at least half a decade below a positive number."""
    return float(10.0 ** math.floor(math.log10(number) - 0.5))
