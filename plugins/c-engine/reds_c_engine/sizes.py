"""Sizes and ranges of the structures in C: what constants take in flash on a 32-bit processor, and what fits in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from reds_c_engine.kernel_files import FOLDER
from reds_c_engine.records import STRUCTURES, Settings

POINTER_BYTES = 4
_SIZES_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}


@dataclass(frozen=True)
class Sizes:
    """Sizes of constants in bytes.

    Attributes:
        weights_bytes: The weights of all members.
        tables_bytes: Everything else: biases, multipliers, tables of functions, and the lists of layers.
    """

    weights_bytes: int
    tables_bytes: int


@cache
def structure_fields(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return the names of the fields of a structure of `reds_engine.h` and their integer types; None for pointers."""
    header = re.sub(r"/\*.*?\*/", "", (FOLDER / "reds_engine.h").read_text("utf-8"), flags=re.DOTALL)
    found = re.search(r"typedef struct \{([^}]*)\} " + name + ";", header)
    assert found is not None, name
    fields: list[tuple[str, str | None]] = []
    for declaration in found.group(1).split(";")[:-1]:
        kind, _, names = re.sub(r"\bconst\b", "", declaration).strip().partition(" ")
        fields += [(each.strip(" *\n"), None if "*" in each else kind) for each in names.split(",")]
    return tuple(fields)


@cache
def structure_bytes(name: str) -> int:
    """Return the size of a structure of `reds_engine.h` on a 32-bit processor, in bytes."""
    place = alignment = 0
    for _, kind in structure_fields(name):
        size = POINTER_BYTES if kind is None else _SIZES_BYTES[kind]
        place = -(-place // size) * size + size
        alignment = max(alignment, size)
    return -(-place // alignment) * alignment


def misfit(settings: Settings) -> str | None:
    """Return the name of a field whose value its type in C cannot hold; None if all fit."""
    for name, kind in structure_fields(STRUCTURES[type(settings)]):
        value = getattr(settings, name, None)
        if kind is None or not isinstance(value, int):
            continue
        bits = 8 * _SIZES_BYTES[kind]
        least, greatest = (0, (1 << bits) - 1) if kind.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
        if not least <= value <= greatest:
            return name
    return None
