"""Builds C programs for Cortex-M cores and runs them in an emulator, which counts instructions but knows no cycles."""

from reds_c_engine.emulator.boards import CORES, Core
from reds_c_engine.emulator.building import Program, build
from reds_c_engine.emulator.families import Measurements, measure, outputs_on_core, outputs_on_host
from reds_c_engine.emulator.running import Emulation, run_on, run_program
from reds_c_engine.emulator.tools import unavailable

__all__ = [
    "CORES",
    "Core",
    "Emulation",
    "Measurements",
    "Program",
    "build",
    "measure",
    "outputs_on_core",
    "outputs_on_host",
    "run_on",
    "run_program",
    "unavailable",
]
