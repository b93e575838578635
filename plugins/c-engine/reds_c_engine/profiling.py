"""What one inference of the engine takes: time on this machine, or instructions on an emulated core."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reds_litert.profile import median_ns

from reds_c_engine.deploy import Engine, written
from reds_c_engine.emulator import CORES, Core, Measurements, measure
from reds_c_engine.emulator.building import FLAGS
from reds_c_engine.emulator.tools import COMPILER, SIZE, check_available
from reds_core.errors import InputError, UnavailableError, UnsupportedError
from reds_core.framework import ExitFigures, Profile, processor_energy
from reds_core.system import temporary_folder

HOST = "host"
CONFIGURATIONS = (HOST, *CORES)
"""This machine, and the cores of the emulator."""
_REPEATS = 200


def profiled(
    engine: Engine,
    operators: dict[str, int],
    macs: int | None,
    outputs: Sequence[str],
    configuration: str,
    powercap: str,
) -> Profile:
    """Return what an inference of the full network of an engine takes.

    Args:
        engine: The engine, in the plain layout.
        operators: The number of operators of each kind of the file that it was generated from.
        macs: The multiply-accumulates of the file.
        outputs: The names of the outputs of the file. If there are several, those before the last are early exits.
        configuration: One of CONFIGURATIONS.
        powercap: The folder in which Linux shows the energy counters of this machine.

    Raises:
        UnavailableError: If there is no compiler or emulator.
        UnsupportedError: If the engine does not fit into the memory of the emulated board.
    """
    latency_ns = instructions = flash = energy = None
    notes: tuple[str, ...] = ()
    exits: tuple[ExitFigures, ...] = ()
    has_exits = len(outputs) > 1
    with temporary_folder() as folder:
        written(engine, folder)
        if configuration == HOST:
            net = _compiled(folder)

            def run() -> Any:
                return net.net_run(net.net_input())

            latency_ns = median_ns(run, _REPEATS)
            if has_exits:
                exits = tuple(ExitFigures(name, median_ns(_up_to(net, k), _REPEATS)) for k, name in enumerate(outputs))
            energy, notes = processor_energy(run, latency_ns, powercap)
        else:
            core = CORES[configuration]
            check_available()
            flash = flash_bytes(core, folder)
            found = _measured(core, folder)
            instructions = found.run_instructions[-1]
            if has_exits:
                counts = zip(outputs, found.exit_instructions[-1], strict=True)
                exits = tuple(ExitFigures(name, instructions=count) for name, count in counts)
    arena = engine.family.members[-1].arena_bytes
    return Profile(
        latency_ns=latency_ns,
        instructions=instructions,
        arena=arena,
        arena_head=arena,
        flash=flash,
        flash_weights=engine.sizes.weights_bytes,
        flash_metadata=None if flash is None else flash - engine.sizes.weights_bytes,
        operators=operators,
        macs=macs,
        energy=energy,
        exits=exits,
        notes=notes,
    )


def flash_bytes(core: Core, folder: Path) -> int:
    """Return the size of the code and the constants of an engine in flash, without the C library.

    Args:
        core: The core that it is compiled for.
        folder: The folder of the engine.

    Raises:
        UnavailableError: If the tools are missing.
    """
    check_available()
    options = (f"-mcpu={core.name}", "-mthumb", f"-mfloat-abi={core.float_abi}", *FLAGS, "-O2")
    with temporary_folder() as objects:
        sources = [str(path.resolve()) for path in sorted(folder.glob("*.c"))]
        subprocess.run([COMPILER, *options, "-c", *sources], cwd=objects, check=True, capture_output=True)
        files = [str(path) for path in sorted(objects.glob("*.o"))]
        done = subprocess.run([SIZE, *files], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return sum(int(text) + int(data) for text, data, *_ in rows)


def _measured(core: Core, folder: Path) -> Measurements:
    try:
        return measure(core, folder)
    except InputError as error:
        if "overflowed" not in error.what:
            raise
        raise UnsupportedError(
            f"the engine does not fit into the memory of the emulated board of {core.name}",
            "profile a smaller network",
        ) from error


def _up_to(net: ctypes.CDLL, exit_: int) -> Callable[[], Any]:
    """Return what runs the full network of an engine up to an exit, which is 0 for the first one."""

    def run() -> None:
        net.net_begin(net.net_input())
        for _ in range(exit_):
            net.net_continue()

    return run


def _compiled(folder: Path) -> ctypes.CDLL:
    """Compile an engine for this machine."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise UnavailableError("there is no C compiler", "install one, such as gcc")
    library = folder / "net.so"
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    subprocess.run([compiler, *FLAGS, "-O2", "-shared", "-fPIC", "-o", str(library), *sources], check=True)
    net = ctypes.CDLL(str(library))
    net.net_input.restype = net.net_run.restype = ctypes.c_void_p
    net.net_run.argtypes = [ctypes.c_void_p]
    if hasattr(net, "net_begin"):
        net.net_begin.restype = net.net_continue.restype = ctypes.c_void_p
        net.net_begin.argtypes = [ctypes.c_void_p]
    return net
