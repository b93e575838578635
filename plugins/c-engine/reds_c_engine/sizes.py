"""How many bytes of flash the constants of a family take on a 32-bit processor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from reds_c_engine.kernel_files import FOLDER

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
def structure_bytes(name: str) -> int:
    """Return the size of a structure of `reds_engine.h` on a 32-bit processor, in bytes."""
    header = re.sub(r"/\*.*?\*/", "", (FOLDER / "reds_engine.h").read_text("utf-8"), flags=re.DOTALL)
    found = re.search(r"typedef struct \{([^}]*)\} " + name + ";", header)
    assert found is not None, name
    place = alignment = 0
    for declaration in found.group(1).split(";")[:-1]:
        kind, _, names = re.sub(r"\bconst\b", "", declaration).strip().partition(" ")
        for field in names.split(","):
            size = POINTER_BYTES if "*" in field else _SIZES_BYTES[kind]
            place = -(-place // size) * size + size
            alignment = max(alignment, size)
    return -(-place // alignment) * alignment
