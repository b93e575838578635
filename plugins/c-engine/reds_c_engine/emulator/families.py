"""Runs the members of a generated engine, and measures them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_c_engine.emulator.boards import Core
from reds_c_engine.emulator.building import FLAGS, SOURCES, Program, build
from reds_c_engine.emulator.running import Emulation, run_program
from reds_core.errors import UnavailableError
from reds_core.system import temporary_folder

IntArray = npt.NDArray[Any]
"""An array of int8 or int16."""

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_MEMBERS = re.compile(r"#define REDS_NET_MEMBERS (\d+)")
_OUTPUT_SIZE = re.compile(r"#define REDS_NET_OUTPUT_SIZE (\d+)")
_STACK = re.compile(r"^stack \d+ (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Measurements:
    """What an engine takes on a core, with a list entry for each member, smallest first.

    Attributes:
        run_instructions: The instructions of `net_run`.
        switched_instructions: The same directly after a run of the member before it.
        switch_instructions: The instructions of `net_select`.
        exit_instructions: The instructions of `net_begin` and `net_continue` up to each exit of each member; empty if
            no member of the engine has early exits.
        stack_bytes: The stack that `net_run` takes, in bytes.
        layer_instructions: The instructions of each layer of each member.
        flash_bytes: The code and the constants of the program that measures, in bytes, the C library included.
        ram_bytes: Its static variables.
    """

    run_instructions: tuple[int, ...]
    switched_instructions: tuple[int, ...]
    switch_instructions: tuple[int, ...]
    exit_instructions: tuple[tuple[int, ...], ...]
    stack_bytes: tuple[int, ...]
    layer_instructions: tuple[tuple[int, ...], ...]
    flash_bytes: int
    ram_bytes: int


def outputs_on_core(core: Core, engine: Path, x: IntArray, *, time_limit_s: float = 600.0) -> IntArray:
    """Return what the members of an engine compute on an emulated core.

    Args:
        core: The core.
        engine: The folder with `reds_net.h` and the C files.
        x: The inputs, int8 or int16 (examples, ...).
        time_limit_s: The time after which the emulator is ended, in seconds.

    Returns:
        The outputs, int8 or int16 (members, examples, elements).

    Raises:
        UnavailableError: If the tools are missing.
        RuntimeError: If the program fails or takes too long.
    """
    with temporary_folder() as folder:
        program = _built(core, engine, "outputs.c", folder)
        x.tofile(folder / "inputs")
        done = run_program(program, folder=folder, time_limit_s=time_limit_s, counting=False)
        _check(done)
        return _outputs_in(engine, folder, x.dtype)


def outputs_on_host(engine: Path, x: IntArray, flags: Sequence[str] = SANITIZERS) -> IntArray:
    """Return what the members of an engine compute on this machine; see `outputs_on_core`.

    Args:
        engine: The folder of the engine.
        x: The inputs, int8 or int16 (examples, ...).
        flags: Further options of the compiler, by default those that report memory errors and undefined behaviour.

    Raises:
        UnavailableError: If there is no C compiler.
        RuntimeError: If the program fails.
    """
    if shutil.which("cc") is None:
        raise UnavailableError("there is no C compiler", "install one, such as gcc")
    with temporary_folder() as folder:
        x.tofile(folder / "inputs")
        sources = [str(path) for path in (SOURCES / "outputs.c", *_sources(engine))]
        subprocess.run(
            ["cc", *FLAGS, "-O1", *flags, f"-I{engine}", *sources, "-o", str(folder / "program")], check=True
        )
        done = subprocess.run([folder / "program"], cwd=folder, capture_output=True, text=True, check=False)
        _check(Emulation(done.returncode, done.stdout + done.stderr, {}))
        return _outputs_in(engine, folder, x.dtype)


def measure(core: Core, engine: Path, *, time_limit_s: float = 600.0) -> Measurements:
    """Count the instructions and the memory that the members of an engine take on an emulated core.

    Args:
        core: The core.
        engine: The folder with `reds_net.h` and the C files.
        time_limit_s: The time after which the emulator is ended, in seconds.

    Raises:
        UnavailableError: If the tools are missing.
        RuntimeError: If a program fails or takes too long.
    """
    with temporary_folder() as folder:
        program = _built(core, engine, "measure.c", folder)
        runs = run_program(program, time_limit_s=time_limit_s)
        _check(runs)
        layers = run_program(_built(core, engine, "layers.c", folder), time_limit_s=time_limit_s)
        _check(layers)
    members = range(_number(_MEMBERS, engine))
    return Measurements(
        run_instructions=tuple(runs.instructions[f"run-{member}"] for member in members),
        switched_instructions=tuple(runs.instructions[f"switched-{member}"] for member in members),
        switch_instructions=tuple(runs.instructions[f"select-{member}"] for member in members),
        exit_instructions=tuple(by_exit for member in members if (by_exit := _of_member(runs, "exit", member))),
        stack_bytes=tuple(int(found) for found in _STACK.findall(runs.output)),
        layer_instructions=tuple(_of_member(layers, "layer", member) for member in members),
        flash_bytes=program.flash_bytes,
        ram_bytes=program.ram_bytes,
    )


def _of_member(done: Emulation, what: str, member: int) -> tuple[int, ...]:
    """Return the counts of a member that a program printed one by one, in their order."""
    return tuple(n for name, n in done.instructions.items() if name.startswith(f"{what}-{member}-"))


def _built(core: Core, engine: Path, main: str, folder: Path) -> Program:
    sources = [path for path in _sources(engine) if main != "layers.c" or path.name != "reds_net.c"]
    return build(core, [SOURCES / main, *sources], folder / f"{main}.elf", include=[engine])


def _sources(engine: Path) -> list[Path]:
    return sorted(path.resolve() for path in engine.glob("*.c"))


def _outputs_in(engine: Path, folder: Path, dtype: np.dtype[Any]) -> IntArray:
    members, size = _number(_MEMBERS, engine), _number(_OUTPUT_SIZE, engine)
    return np.fromfile(folder / "outputs", dtype).reshape(-1, members, size).swapaxes(0, 1)


def _number(pattern: re.Pattern[str], engine: Path) -> int:
    found = pattern.search((engine / "reds_net.h").read_text("utf-8"))
    assert found is not None, pattern.pattern
    return int(found.group(1))


def _check(done: Emulation) -> None:
    if done.status != 0:
        what = "takes too long" if done.status is None else f"ends with status {done.status}"
        raise RuntimeError(f"the program {what}:\n{done.output[-2000:]}")
