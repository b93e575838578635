"""Units of counts, sizes and times: how figures are shown in them, and how those that users type are read."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

DASH = "–"
"""Shown in place of a missing figure."""
THIN = "\N{NARROW NO-BREAK SPACE}"
"""Separator of groups of digits, and of a figure and its unit."""

_THOUSANDS: Mapping[str, int] = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_TYPED = re.compile(
    # Short, with at most two digits of exponent: figures occur in file names, and their products must be exact.
    r"(?=.{1,24}$)(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)\s*(?P<unit>%|[A-Za-zµμ]*)"
)
PERCENT = "%"
"""The unit of shares that are typed in percent."""


@dataclass(frozen=True)
class Typed:
    """A figure as a user typed it.

    Attributes:
        number: The number before the unit.
        unit: The unit in lower case with "us" for microseconds, `PERCENT`, or an empty text.
        text: The number and the unit as typed, in ASCII and without spaces.
    """

    number: Decimal
    unit: str
    text: str


def read_typed(text: str) -> Typed | None:
    """Read a number and the unit after it, if there is one; None if `text` is anything else."""
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        return None
    unit = re.sub("[µμ]", "u", match["unit"])
    return Typed(Decimal(match["number"]), unit.lower(), match["number"] + unit)


def exists(number: float | None) -> bool:
    """Whether a number is neither None nor NaN nor infinite, so that it can be shown."""
    return number is not None and math.isfinite(number)


def printable(text: str) -> str:
    """`text` with everything that cannot be shown (controls, lone surrogates) as an escape such as \\x1b."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def on_terminal(text: str) -> str:
    """`text` with ordinary spaces in place of narrow ones, which not every terminal, pipe or log can show.

    Controls other than the ends of lines, which names in files may hold, are escaped.
    """
    return "\n".join(printable(line) for line in text.replace(THIN, " ").split("\n"))


def count(number: float | None) -> str:
    """Format a whole number with its digits in groups of three: 2 704 512."""
    if number is None or not exists(number):
        return DASH
    return f"{number:,.0f}".replace(",", THIN)


def _three_digits(number: float) -> str:
    """Format a number with three significant digits and without an exponent; large ones as whole numbers."""
    size = abs(number)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{number:,.{decimals}f}".replace(",", THIN)


@dataclass(frozen=True)
class Scale:
    """The units of one quantity.

    Attributes:
        step: ratio of each unit to the previous one.
        units: the units in which figures are shown, starting with the base unit.
        typed: the units that users may type after a number, in any case, with their sizes in base units.
        suggested: those of them, smallest first, that are suggested to users who forgot the unit.
    """

    step: int
    units: tuple[str, ...]
    typed: Mapping[str, int] = field(default_factory=lambda: _THOUSANDS)
    suggested: tuple[str, ...] = ()

    def unit_size(self, unit: str) -> int | None:
        """The size in base units of a unit that a user typed, in any case; None if it is not a unit of this scale."""
        return next((size for name, size in self.typed.items() if name.lower() == unit.lower()), None)

    def largest_unit(self, number: float) -> tuple[int, str]:
        """Return the size and name of the largest unit in which `number` is at least 1 when it is shown."""
        power = 0
        while power + 1 < len(self.units) and round(abs(number) / self.step**power) >= self.step:
            power += 1
        return self.step**power, self.units[power]

    def text(self, number: float | None) -> str:
        """Format `number` with three significant digits and its unit."""
        if number is None or not exists(number):
            return DASH
        size, unit = self.largest_unit(number)
        figure = count(number) if size == 1 else _three_digits(number / size)
        return f"{figure}{THIN}{unit}" if unit else figure


MACS = Scale(
    1000,
    ("MAC", "kMAC", "MMAC", "GMAC", "TMAC"),
    {**_THOUSANDS, **{f"{prefix}MAC": size for prefix, size in _THOUSANDS.items()}},
    ("k", "M"),
)
BOPS = Scale(
    1000,
    ("BOP", "kBOP", "MBOP", "GBOP", "TBOP"),
    {**_THOUSANDS, **{f"{prefix}BOP": size for prefix, size in _THOUSANDS.items()}},
    ("M", "G"),
)
BYTES = Scale(
    1024,
    ("B", "KiB", "MiB", "GiB"),
    {
        **_THOUSANDS,
        **{f"{prefix}B": size for prefix, size in _THOUSANDS.items()},
        **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
    },
    ("KiB", "MiB"),
)
NANOSECONDS = Scale(
    1000,
    ("ns", "µs", "ms", "s"),
    {"": 1, "ns": 1, "us": 1000, "ms": 1000**2, "s": 1000**3},
    ("us", "ms"),
)
CYCLES = Scale(
    1000,
    ("cycles", "kcycles", "Mcycles", "Gcycles"),
    {**_THOUSANDS, **{f"{prefix}cycles": size for prefix, size in _THOUSANDS.items()}},
    ("k", "M"),
)
ENERGY = Scale(
    1000,
    ("pJ", "nJ", "µJ", "mJ", "J"),
    {"": 1, "pJ": 1, "nJ": 1000, "uJ": 1000**2, "mJ": 1000**3, "J": 1000**4},
    ("uJ", "mJ"),
)
PLAIN = Scale(1, ("",))
