"""The C sources of this folder, and the name of the library that is made from them.

Uses the standard library only, and no other module, because the build hook runs this file by its path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = ("reds_governor.c", "simulation.c")
HEADERS = ("reds_governor.h",)


def library_name() -> str:
    """The file name of the library. It changes with the sources, so that no other version of them is ever loaded."""
    digest = hashlib.sha256()
    for name in (*HEADERS, *SOURCES):
        digest.update((FOLDER / name).read_bytes())
    return f"kernels-{digest.hexdigest()[:16]}.so"
