"""The device. Vela runs in a process of its own, and LiteRT is imported in the methods that need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reds_core.cost import LARGEST_SRAM, npu_energy
from reds_core.errors import UnsupportedError
from reds_core.framework import Device, DeviceCounter, Energy, ExportSource, Framework, Profile
from reds_core.network import Network
from reds_ethos_u.configurations import ACCELERATORS, Configuration

if TYPE_CHECKING:
    from reds_ethos_u.vela import Compiled


@dataclass(frozen=True)
class EthosOptions:
    """What surrounds the NPU, as Vela's configuration file Arm/vela.ini names it.

    Attributes:
        system_config: clocks and memories, such as Ethos_U55_Deep_Embedded. By default those of a system of the
            accelerator's family at 500 MHz with weights in flash.
        memory_mode: what is in which memory, such as Sram_Only. By default Shared_Sram: weights in flash, activations
            in SRAM.
    """

    system_config: str = ""
    memory_mode: str = ""


class EthosU(Device):
    """Arm's Ethos-U NPUs, as Arm's compiler Vela estimates them for int8 files.

    Nothing is run: cycles, and the time that follows from them and the clock, are estimates of the compiler, and so
    are the same on every machine.
    """

    name = "ethos-u"
    requires = ("ethosu", "ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[edge]'"
    reads = ("tflite-int8", "c-engine")
    configurations = ACCELERATORS
    remark = (
        "Cycles are estimates of Arm's compiler Vela, not measured, and those of the NPU alone: operators that run on "
        "the processor have none. Latency is cycles at the clock of the system configuration. Latency and energy are "
        "left out where operators run on the processor. Flash is what compressed weights take. Energy is that of a "
        "model of the memories and multiply-accumulates of a 45 nm chip."
    )
    Options = EthosOptions

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.footprint import content_of, footprint_of
        from reds_litert.graph import read_graph

        from reds_ethos_u.vela import compiled, size_notes

        content = content_of(path)
        footprint = footprint_of(path, content)
        (found,) = compiled([content], self._configuration(configuration))
        operators = read_graph(content).operators
        on_cpu = [operators[index].kind for index in found.on_cpu if 0 <= index < len(operators)]
        energy = None if on_cpu else _energy(found)
        return Profile(
            latency_ns=None if on_cpu else 1e9 * found.cycles / found.clock_hz,  # that of the processor is not known
            cycles=found.cycles if len(on_cpu) < len(operators) else None,
            sram=found.sram_bytes,
            flash=found.flash_bytes,
            operators=footprint.operators,
            cpu_operators={kind: on_cpu.count(kind) for kind in dict.fromkeys(on_cpu)},
            macs=footprint.macs,
            energy=energy,
            notes=() if energy is None else size_notes(found.sram_bytes),
        )

    def counter(
        self, framework: Framework, model: Any, network: Network, configuration: str | None = None
    ) -> DeviceCounter:
        from importlib.metadata import version

        from reds_litert.prunable_file import PrunableFile
        from reds_litert.targets import Int8Target

        from reds_ethos_u.counter import VelaCounter

        if framework.name != Int8Target.made_from:
            raise UnsupportedError(f"files of framework '{framework.name}' are not int8 files", "give another model")
        # what Vela counts hardly depends on values, so random examples calibrate the file
        source = ExportSource(framework, model, network, calibration=framework.segmenter().examples(model))
        file = PrunableFile(Int8Target().plain(source), network, framework.weights(model, network))
        return VelaCounter(file, self._configuration(configuration), version("ethos-u-vela"))

    def _configuration(self, accelerator: str | None) -> Configuration:
        return Configuration.of(accelerator, self.options.system_config, self.options.memory_mode)


def _energy(found: Compiled) -> Energy:
    """The energy of an inference by the model of an NPU, for which all memory but SRAM counts as flash."""
    from reds_ethos_u.vela import moved_bytes

    moved = moved_bytes(found.rows)
    return npu_energy(found.macs, moved.sram, LARGEST_SRAM, moved.flash)
