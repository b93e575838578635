"""Runs programs in the emulator."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_c_engine.emulator.boards import Core
from reds_c_engine.emulator.building import Program, build
from reds_c_engine.emulator.tools import EMULATOR, check_available

EXACT_SHIFT = 6
"""An instruction takes 2**6 ns of virtual time: longer than a tick, so that counts are exact."""
_TICKS = re.compile(r"^ticks (\S+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Emulation:
    """What a program did.

    Attributes:
        status: Its exit status; None if it was ended at the time limit.
        output: What it printed to stdout and stderr, and the messages of the emulator.
        instructions: The instructions of each line "ticks NAME NUMBER" that it printed, by name. The counts leave out
            nothing: they include the call of the counter itself, and an interrupt in ten million instructions.
    """

    status: int | None
    output: str
    instructions: dict[str, int]


def run_program(
    program: Program, *, folder: Path | None = None, time_limit_s: float = 60.0, counting: bool = True
) -> Emulation:
    """Run a program to its end.

    Args:
        program: The program.
        folder: The working folder, whose files the program can read and write; that of the program by default.
        time_limit_s: The time after which the emulator is ended, in seconds.
        counting: Whether virtual time follows the instructions. Without, the program runs faster and its ticks mean
            nothing.

    Raises:
        UnavailableError: If the emulator is missing.
    """
    check_available()
    core = program.core
    arguments = [
        *(EMULATOR, "-M", core.board, "-nographic", "-monitor", "none", "-serial", "none"),
        *("-semihosting-config", "enable=on,target=native", *(("-icount", f"shift={EXACT_SHIFT}") if counting else ())),
        *("-kernel", str(program.path.resolve())),
    ]
    try:
        done = subprocess.run(  # ends the emulator when the time is over, and when it is interrupted
            arguments,
            cwd=folder or program.path.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=time_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _emulation(core, None, error.stdout or b"", counting)
    return _emulation(core, done.returncode, done.stdout, counting)


def run_on(
    core: Core,
    folder: Path,
    sources: Sequence[Path],
    *,
    include: Sequence[Path] = (),
    definitions: Sequence[str] = (),
    time_limit_s: float = 60.0,
    counting: bool = True,
) -> Emulation:
    """Build a program in a folder and run it there; see `build` and `run_program`."""
    program = build(core, sources, folder / f"{core.name}.elf", include=include, definitions=definitions)
    return run_program(program, folder=folder, time_limit_s=time_limit_s, counting=counting)


def _emulation(core: Core, status: int | None, output: bytes, counting: bool) -> Emulation:
    text = output.decode(errors="replace")
    ticks = {name: int(number) for name, number in _TICKS.findall(text)} if counting else {}
    return Emulation(status, text, {name: round(core.instructions(n, EXACT_SHIFT)) for name, n in ticks.items()})
