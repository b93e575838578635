"""Numbers and arrays as text in C."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

WIDTH = 120
"""The largest number of characters of a line."""
_LEAST32 = -(1 << 31)


def integer(value: int) -> str:
    """Return a constant of at most 32 bits in C. The least of them has no literal."""
    return "INT32_MIN" if value == _LEAST32 else str(value)


def integers(values: Iterable[int]) -> Iterable[str]:
    """Return constants of at most 32 bits in C."""
    return map(integer, values)


def signed(content: bytes) -> Iterable[str]:
    """Return signed bytes as constants in C."""
    return map(str, np.frombuffer(content, np.int8).tolist())


def array_text(declaration: str, values: Sequence[str]) -> str:
    """Return the definition of an array in lines of at most WIDTH characters."""
    body = textwrap.fill(", ".join(values), WIDTH, initial_indent="  ", subsequent_indent="  ")
    return f"{declaration}[{len(values)}] = {{\n{body}}};\n"


def floating(value: float) -> str:
    """Return a constant of the type float in C that is read back as the same number."""
    text = f"{value:.9g}"
    return f"{text}f" if re.search(r"[.e]", text) else f"{text}.0f"


def place_text(place: int | None) -> str:
    """Return the place of a tensor in the arena in C; None for the input of the network."""
    return "REDS_NET_INPUT" if place is None else str(place)
