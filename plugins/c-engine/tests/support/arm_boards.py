"""Compiles programs for Arm Cortex-M cores and runs them in QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from c_kernels import STRICT, C, call, compiler, sources


@dataclass(frozen=True)
class Board:
    """A core and the machine of QEMU that has it.

    Attributes:
        core: The core, as the compiler names it.
        machine: The machine, as QEMU names it.
        instructions_per_tick: Of the system timer, with one instruction for each virtual nanosecond.
        floats: How floating-point arguments are passed.
    """

    core: str
    machine: str
    instructions_per_tick: float = 40.0
    floats: str = "soft"


M3 = Board("cortex-m3", "mps2-an385")
M4 = Board("cortex-m4", "mps2-an386")
M7 = Board("cortex-m7", "mps2-an500")
M55 = Board("cortex-m55", "mps3-an547", 31.25, "hard")
BOARDS = (M3, M4, M7, M55)
HERE = Path(__file__).parent


def run_on_board(board: Board, folder: Path, programs: Sequence[Path], *flags: str) -> str:
    """Compile a program with the kernels, run it, and return what it printed; skip the test without the tools."""
    gcc, qemu = compiler("arm-none-eabi-gcc"), compiler("qemu-system-arm")
    image = folder / f"{board.core}.elf"
    target = [f"-mcpu={board.core}", "-mthumb", f"-mfloat-abi={board.floats}", "-O2", "-ffunction-sections", *flags]
    link = ["--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles", "-Wl,--gc-sections"]
    link += ["-T", str(HERE / "arm_board.ld"), str(HERE / "arm_start.c")]
    call(gcc, *target, *STRICT, *link, f"-I{C}", *map(str, [*programs, *sources()]), "-o", str(image))
    options = ["-nographic", "-monitor", "none", "-serial", "none", "-icount", "shift=0"]
    options += ["-semihosting-config", "enable=on,target=native"]
    return call(qemu, "-M", board.machine, *options, "-kernel", str(image))
