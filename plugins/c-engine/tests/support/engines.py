"""Generates engines, compiles them for this machine, and runs their members from Python."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from reds_c_engine.deploy import Engine, generated, written
from reds_c_engine.family import NO_EXITS
from reds_c_engine.kernel_files import FOLDER

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiler() -> str:
    """The C compiler of this machine; without one the test is skipped."""
    found = shutil.which("cc")
    if found is None:
        pytest.skip("there is no C compiler")
    return found


def contents_of(folder: Path, names: Sequence[str], numbers: str = "int8") -> list[tuple[str, bytes]]:
    """The names and the contents of the int8 or 16x8 files of a run, the full one last."""
    files = [*((name, f"subnet-{name}-{numbers}.tflite") for name in names), ("full", f"full-{numbers}.tflite")]
    return [(name, (folder / file).read_bytes()) for name, file in files]


@dataclass(frozen=True)
class CompiledEngine:
    """An engine as a shared library."""

    engine: Engine
    library: ctypes.CDLL

    def outputs(self, member: int, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What a member computes for inputs, int8 or int16 (examples, ...). Every second one is put into the arena."""
        shape = self.engine.family.members[member].output_shape
        assert self.library.net_select(member) == 0
        outputs = []
        for index, one in enumerate(x):
            content = np.ascontiguousarray(one)
            place = content.ctypes.data
            if index % 2:
                place = self.library.net_input()
                ctypes.memmove(place, content.ctypes.data, content.nbytes)
            found = self.library.net_run(place)
            assert self.library.net_member() == member
            size_bytes = math.prod(shape) * x.dtype.itemsize
            outputs.append(np.frombuffer(ctypes.string_at(found, size_bytes), x.dtype).reshape(shape))
        return np.array(outputs)


def compiled(contents: Sequence[tuple[str, bytes]], folder: Path, flags: Sequence[str] = ("-O0",)) -> CompiledEngine:
    """Generate the engine of some files in a folder, and compile it without warnings."""
    folder.mkdir(exist_ok=True)
    engine = generated(contents, examples=1)
    written(engine, folder)
    library = folder / "net.so"
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    subprocess.run([compiler(), *STRICT, *flags, "-shared", "-fPIC", "-o", str(library), *sources], check=True)
    return CompiledEngine(engine, _loaded(library))


def _loaded(library: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(library))
    loaded.net_run.restype = loaded.net_input.restype = ctypes.c_void_p
    loaded.net_run.argtypes = [ctypes.c_void_p]
    return loaded


@dataclass(frozen=True)
class KernelObjects:
    """All kernels as object files, so that engines of many small graphs need not compile them."""

    files: tuple[str, ...]

    @staticmethod
    def compiled(folder: Path) -> KernelObjects:
        """Compile the kernels."""
        sources = sorted(str(path) for path in FOLDER.glob("reds_*.c"))
        subprocess.run([compiler(), *STRICT, "-O0", "-fPIC", "-c", *sources], check=True, cwd=folder)
        return KernelObjects(tuple(sorted(map(str, folder.glob("*.o")))))

    def linked(
        self, contents: Sequence[tuple[str, bytes]], folder: Path, exits: Mapping[str, str] = NO_EXITS
    ) -> CompiledEngine:
        """Generate the engine of some files in a folder, and link it with the kernels."""
        engine = generated(contents, examples=1, exits=exits)
        written(engine, folder)
        library = folder / "net.so"
        command = [compiler(), *STRICT, "-O0", "-shared", "-fPIC", "-o", str(library), str(folder / "reds_net.c")]
        subprocess.run([*command, *self.files], check=True)
        return CompiledEngine(engine, _loaded(library))
