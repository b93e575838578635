"""The files in C that a program needs: the engine itself and the kernels in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("c")
"""The folder of the engine's files in C."""
ENGINE = "reds_engine.c"
INTERFACES = ("reds_engine.h", "reds_wide.h")
_INCLUDE = re.compile(r'^\s*#\s*include\s+"(reds_\w+\.h)"', re.MULTILINE)
_DEFINITION = re.compile(r"^(?!static\b)\w[\w\s*]*?\b(reds_\w+)\s*\([^;{}]*\)\s*\{", re.MULTILINE)
_NAME = re.compile(r"\breds_\w+")


def needed_files(kernels: Iterable[str]) -> tuple[Path, ...]:
    """Return the files that define some kernels, what these call and include, and the engine, sorted by name.

    Raises:
        KeyError: If no file defines a kernel.
    """
    texts = {path: path.read_text("utf-8") for path in sorted(FOLDER.glob("reds_*.[ch]"))}
    defining = {name: path for path, text in texts.items() if path.suffix == ".c" for name in _DEFINITION.findall(text)}
    wanted = [FOLDER / ENGINE, *(defining[kernel] for kernel in kernels)]
    found: set[Path] = set()
    while wanted:
        path = wanted.pop()
        if path in found:
            continue
        found.add(path)
        wanted += [FOLDER / name for name in _INCLUDE.findall(texts[path])]
        if path.suffix == ".c":  # Headers also declare functions that are not in use.
            wanted += [defining[name] for name in _NAME.findall(texts[path]) if name in defining]
    return tuple(sorted(found))
