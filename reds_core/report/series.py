"""Distinct styles and short names for the series of a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reds_core.report import units

_COLOURS = ("#12395f", "#b3541e", "#2c7a4b", "#7b3294", "#8a6d00", "#00707f", "#a3195b", "#4d4d4d")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d")
_LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))


@dataclass(frozen=True)
class Style:
    """The style of a series in every figure of a report."""

    colour: str
    marker: str
    line: Any


def styles(labels: Sequence[str]) -> dict[str, Style]:
    """Return a distinct style for each label."""
    return {
        label: Style(_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], _LINES[i % len(_LINES)])
        for i, label in enumerate(labels)
    }


def short_names(labels: Sequence[str], limit: int) -> dict[str, str]:
    """Shorten labels to at most `limit` characters so that they still differ.

    The middle, end or beginning is removed. If none of these keeps the labels distinct, they are numbered from 1.
    """
    printable = {label: units.printable(label) for label in labels}
    ways: tuple[Callable[[str], str], ...] = (
        lambda text: units.shortened(text, limit),
        lambda text: text if len(text) <= limit else text[: limit - 1] + "…",
        lambda text: text if len(text) <= limit else "…" + text[1 - limit :],
    )
    for way in ways:
        short = {label: way(text) for label, text in printable.items()}
        if len(set(short.values())) == len(labels):
            return short
    return {
        label: units.shortened(f"{number}: {text}", limit)
        for number, (label, text) in enumerate(printable.items(), start=1)
    }
