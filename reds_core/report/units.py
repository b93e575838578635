"""Formatting of figures: scaled and with a unit, with thin spaces between groups of digits, and dashes for None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reds_core.cost.resources import RESOURCES
from reds_core.scales import BYTES as BYTES
from reds_core.scales import DASH as DASH
from reds_core.scales import ENERGY as ENERGY
from reds_core.scales import MACS as MACS
from reds_core.scales import NANOSECONDS as NANOSECONDS
from reds_core.scales import PLAIN as PLAIN
from reds_core.scales import THIN as THIN
from reds_core.scales import Scale as Scale
from reds_core.scales import count as count
from reds_core.scales import exists as exists
from reds_core.scales import on_terminal as on_terminal
from reds_core.scales import printable as printable

BUDGET_IS_FRACTION_UP_TO = 1
"""A budget of at most this is a fraction of the full network."""


def many(number: int, noun: str) -> str:
    """1 problem, 24 problems."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def scale_of(resource: str) -> Scale:
    """Return the units in which a resource is counted."""
    return RESOURCES[resource].scale if resource in RESOURCES else PLAIN


def byte_size(number: float | None) -> str:
    """Bytes: 23.4 KiB."""
    return BYTES.text(number)


def seconds(number: float | None) -> str:
    """A duration in s: 12.0 ms, 3.20 s, 2 min 10 s, 1 h 5 min."""
    if number is None or not exists(number):
        return DASH
    if number < 59.5:
        return "0 s" if number == 0 else "< 1 µs" if number < 1e-6 else NANOSECONDS.text(number * 1e9)
    whole = round(number)
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(whole / 60)
    return f"{count(minutes // 60)} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def percent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction in percent: 24.9 %."""
    if fraction is None or not exists(fraction):
        return DASH
    return f"{100 * fraction:.{decimals}f}{THIN}%"


def small_percent(fraction: float | None) -> str:
    """A fraction in percent with two significant digits, so that a small one does not become 0."""
    if fraction is None or not exists(fraction):
        return DASH
    size = abs(100 * fraction)
    if size >= 999.95:
        return f"{count(100 * fraction)}{THIN}%"
    if size == 0 or size >= 0.995:
        return percent(fraction, 0 if size == 0 else 1)
    if size < 0.001:
        return f"< 0.001{THIN}%"
    decimals = 1 - math.floor(math.log10(size))
    return f"{100 * fraction:.{decimals}f}".rstrip("0") + f"{THIN}%"


def points(difference: float) -> str:
    """A difference of two fractions in percentage points, with its sign: +0.3, −1.2."""
    text = f"{100 * difference:+.1f}"
    return "±0.0" if float(text) == 0 else text.replace("-", "−")


def two_decimals(number: float) -> str:
    """A number with two decimals: 0.31, −1.20, 0.00."""
    text = f"{number:.2f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def p_value(probability: float) -> str:
    """A p-value: p = 0.032, p < 0.001."""
    return "p < 0.001" if probability < 0.001 else f"p = {probability:.2g}"


def resource_title(resource: str) -> str:
    """Return the name of a resource in headings and labels."""
    return RESOURCES[resource].title if resource in RESOURCES else resource


def resource_noun(resource: str) -> str:
    """Return the name of a resource within a sentence."""
    return RESOURCES[resource].noun if resource in RESOURCES else resource


def amount(resource: str, number: float | None) -> str:
    """An amount of a resource in its unit."""
    return scale_of(resource).text(number)


def is_fraction(budget: float) -> bool:
    """Whether a budget, as plans hold it, is a fraction of the full network."""
    return budget <= BUDGET_IS_FRACTION_UP_TO


def budget_text(resource: str, budget: float) -> str:
    """Format the limit of a resource: ≤ 50 %."""
    limit = f"{100 * budget:.6g}{THIN}%" if is_fraction(budget) else amount(resource, budget)
    return f"≤{THIN}{limit}"


def shortened(text: str, limit: int) -> str:
    """Return `text` printable, with its middle omitted if it is longer than `limit` characters."""
    shown = printable(text)
    if len(shown) <= limit:
        return shown
    tail = limit // 2
    return shown[: limit - tail - 1] + "…" + shown[-tail:]


def listed(names: tuple[str, ...], limit: int = 3) -> str:
    """List the first of many names: conv, dw, pw and 17 more."""
    if len(names) <= limit + 1:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def setting(value: Any) -> str:
    """Format the value of an option, which may be any JSON value."""
    if value is None or value == [] or value == () or value == {}:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}" if exists(value) else DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={setting(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value)
    return str(value)
