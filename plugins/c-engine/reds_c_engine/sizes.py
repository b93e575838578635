"""Sizes and ranges of the structures in C: what constants take in flash on a 32-bit processor, and what fits in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from reds_c_engine.kernel_files import FOLDER
from reds_c_engine.kernel_records import Settings

POINTER_BYTES = 4
_HEADERS = ("reds_engine.h", "reds_wide.h")
_SIZES_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}


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
def _declarations(name: str) -> tuple[tuple[str, str, bool], ...]:
    """Return the fields of a structure of the headers: its name, its type, and whether it is a pointer to the type."""
    headers = "".join((FOLDER / header).read_text("utf-8") for header in _HEADERS)
    found = re.search(r"typedef struct \{([^}]*)\} " + name + ";", re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL))
    assert found is not None, name
    fields: list[tuple[str, str, bool]] = []
    for declaration in found.group(1).split(";")[:-1]:
        kind, _, names = re.sub(r"\bconst\b", "", declaration).strip().partition(" ")
        fields += [(each.strip(" *\n"), kind, "*" in each) for each in names.split(",")]
    return tuple(fields)


def structure_fields(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return the names of the fields of a structure of the headers and their integer types; None for pointers."""
    return tuple((field, None if is_pointer else kind) for field, kind, is_pointer in _declarations(name))


def element_type(structure: str, field: str) -> str:
    """Return the type of the elements that a pointer in a structure points to, such as "int32_t"."""
    return next(kind for name, kind, is_pointer in _declarations(structure) if name == field and is_pointer)


def element_bytes(element: str) -> int:
    """Return the size of an element of an array in C on a 32-bit processor, in bytes."""
    return _SIZES_BYTES[element] if element in _SIZES_BYTES else structure_bytes(element)


@cache
def structure_bytes(name: str) -> int:
    """Return the size of a structure of the headers on a 32-bit processor, in bytes."""
    place = alignment = 0
    for _, kind in structure_fields(name):
        size = POINTER_BYTES if kind is None else _SIZES_BYTES[kind]
        place = -(-place // size) * size + size
        alignment = max(alignment, size)
    return -(-place // alignment) * alignment


def misfit(settings: Settings) -> str | None:
    """Return the name of a field whose value its type in C cannot hold; None if all fit."""
    for name, kind in structure_fields(settings.structure):
        value = getattr(settings, name, None)
        if kind is None or not isinstance(value, int):
            continue
        bits = 8 * _SIZES_BYTES[kind]
        least, greatest = (0, (1 << bits) - 1) if kind.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
        if not least <= value <= greatest:
            return name
    return None
