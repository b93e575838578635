"""Builds programs for the emulator."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_c_engine.emulator.boards import Core
from reds_c_engine.emulator.tools import COMPILER, SIZE, check_available
from reds_core.errors import InputError

SOURCES = Path(__file__).parent / "c"
"""Start-up code, linker script and the header of the counters, which programs for the emulator may include."""
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
"""What C code of the engine must compile with."""
_TIME_LIMIT_S = 300.0


@dataclass(frozen=True)
class Program:
    """A program for the emulator.

    Attributes:
        core: The core that it is built for.
        path: The file.
        flash_bytes: The size of its code, its constants and the initial values of its variables, in bytes.
        ram_bytes: The size of its static variables, in bytes.
    """

    core: Core
    path: Path
    flash_bytes: int
    ram_bytes: int


def build(
    core: Core,
    sources: Sequence[Path],
    path: Path,
    *,
    include: Sequence[Path] = (),
    definitions: Sequence[str] = (),
    optimisation: str = "-O2",
) -> Program:
    """Compile and link C sources with the start-up code of the emulator.

    Args:
        core: The core to build for.
        sources: The C files, one of which defines `main`.
        path: Where the program is written; the linker's map is written beside it with the suffix .map.
        include: Folders with headers.
        definitions: Macros, as "NAME" or "NAME=VALUE".
        optimisation: The optimisation option of the compiler.

    Raises:
        UnavailableError: If the tools are missing.
        InputError: If the sources do not compile or link; the error quotes the compiler.
    """
    check_available()
    arguments = [
        *(COMPILER, f"-mcpu={core.name}", "-mthumb", f"-mfloat-abi={core.float_abi}", *FLAGS, optimisation),
        *("-ffunction-sections", "-fdata-sections", *(f"-D{name}" for name in definitions)),
        *(f"-I{folder}" for folder in (*include, SOURCES)),
        *("--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles", "-T", str(SOURCES / "board.ld")),
        *("-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", f"-Wl,-Map={path.with_suffix('.map')}"),
        *(str(SOURCES / "boot.c"), *map(str, sources), "-o", str(path)),
    ]
    _output_of(arguments)
    flash_bytes, ram_bytes = _sizes(path)
    return Program(core, path, flash_bytes, ram_bytes)


def _sizes(path: Path) -> tuple[int, int]:
    text, data, bss = (int(n) for n in _output_of([SIZE, str(path)]).splitlines()[-1].split()[:3])
    return text + data, data + bss


def _output_of(arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_TIME_LIMIT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        complaint = "\n".join(str(error.stderr).strip().splitlines()[:20])
        raise InputError(f"{arguments[0]} fails:\n{complaint}", "correct the sources") from error
    return done.stdout
