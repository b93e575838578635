"""Calls the C kernels from Python: reads the structures from the header, compiles a library, runs cases."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reds_c_engine

C = Path(reds_c_engine.__file__).parent / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
NUMBERS: dict[str, Any] = {
    f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32)
}

CODED = "reds_coded_weights"
Value = int | np.ndarray | list[tuple[int, int, int]] | dict[str, Any] | None
"""A value of a field: a number, an array, segments, or the fields of a `CODED` structure."""


@dataclass(frozen=True)
class Case:
    """A call of a kernel and what it has to write.

    Attributes:
        kernel: The name of the function.
        structure: The name of the structure of its settings.
        settings: The value of every field of the structure; arrays for pointers, `None` for NULL.
        first: The first input, int8.
        second: The second input, or `None`.
        expected: The output, int8.
        before: What the output holds before the call, where the kernel leaves part of it as it is.
    """

    kernel: str
    structure: str
    settings: dict[str, Value]
    first: np.ndarray
    second: np.ndarray | None
    expected: np.ndarray
    before: np.ndarray | None = None


def sources() -> list[Path]:
    """The files of kernels, without that of the run of a network."""
    return sorted(path for path in C.glob("reds_*.c") if path.name != "reds_engine.c")


@cache
def fields(structure: str) -> tuple[tuple[str, str], ...]:
    """The fields of a structure of the header, as pairs of a name and a C type."""
    header = re.sub(r"/\*.*?\*/", "", (C / "reds_engine.h").read_text(), flags=re.DOTALL)
    body = re.search(r"typedef struct \{([^}]*)\} " + structure + ";", header)
    assert body is not None, structure
    found = []
    for declaration in filter(None, (part.strip() for part in body[1].split(";"))):
        kind, names = re.fullmatch(r"((?:const )?\w+ )(.*)", declaration, flags=re.DOTALL).groups()
        for name in names.split(","):
            pointer = "*" if "*" in name else ""
            found.append((name.strip(" *\n"), kind.strip() + pointer))
    return tuple(found)


@cache
def structure_type(structure: str) -> type[ctypes.Structure]:
    """The ctypes structure of a structure of the header."""
    kinds = [(name, ctypes.c_void_p if kind.endswith("*") else NUMBERS[kind]) for name, kind in fields(structure)]
    return type(structure, (ctypes.Structure,), {"_fields_": kinds})


class KernelLibrary:
    """The compiled kernels."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def run(self, case: Case) -> np.ndarray:
        """Run the kernel of a case between guards, and return the output; fail where the guards change."""
        guard = 64
        held: list[Any] = []

        def address(array: np.ndarray | None) -> int | None:
            if array is None:
                return None
            held.append(np.ascontiguousarray(array))
            return held[-1].ctypes.data

        def filled(structure: str, given: dict[str, Value]) -> ctypes.Structure:
            values: dict[str, Any] = {}
            for name, kind in fields(structure):
                value = given[name]
                if isinstance(value, dict):
                    held.append(filled(CODED, value))
                    values[name] = ctypes.addressof(held[-1])
                    continue
                if isinstance(value, list):
                    value = np.array(value, np.uint16)
                values[name] = address(value) if kind.endswith("*") else value
            return structure_type(structure)(**values)

        settings = filled(case.structure, case.settings)
        buffer = np.full(case.expected.size + 2 * guard, 77, np.int8)
        inside = slice(guard, guard + case.expected.size)
        if case.before is not None:
            buffer[inside] = case.before.ravel()
        getattr(self._library, case.kernel)(
            ctypes.byref(settings),
            ctypes.c_void_p(address(case.first)),
            ctypes.c_void_p(address(case.second)),
            ctypes.c_void_p(buffer.ctypes.data + guard),
        )
        assert (buffer[:guard] == 77).all(), "wrote before the output"
        assert (buffer[inside.stop :] == 77).all(), "wrote after the output"
        return buffer[inside].reshape(case.expected.shape).copy()


def compiler(name: str = "cc") -> str:
    """The path of a compiler; skips the test where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the compiler {name}")
    return found


def compiled(folder: Path, *flags: str) -> KernelLibrary:
    """Compile the kernels into a shared library."""
    library = folder / "kernels.so"
    call(compiler(), *STRICT, "-O1", "-shared", "-fPIC", *flags, "-o", str(library), *map(str, sources()))
    return KernelLibrary(library)


def call(*command: str) -> str:
    """Run a command; fail with what it printed where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
