"""The C sources of this folder, and the name of the library that is made from them.

Uses the standard library only, and no other module, because the build hook runs this file by its path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = ("reds_governor.c", "simulation.c")
HEADERS = ("reds_governor.h",)
_FOR_DEVICES = ("reds_governor.h", "reds_governor.c")


def library_name() -> str:
    """The file name of the library. It changes with the sources, so that no other version of them is ever loaded."""
    digest = hashlib.sha256()
    for name in (*HEADERS, *SOURCES):
        digest.update((FOLDER / name).read_bytes())
    return f"kernels-{digest.hexdigest()[:16]}.so"


def governor_sources() -> dict[str, str]:
    """The files of the governors that devices run, in C99: their texts by name."""
    return {name: (FOLDER / name).read_text(encoding="utf-8") for name in _FOR_DEVICES}
