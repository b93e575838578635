"""The device. tflite-micro and LiteRT are imported in the methods that need them."""

from __future__ import annotations

from pathlib import Path

from reds_core.framework import Device, ExportedModel, Framework, Profile


class TfliteMicro(Device):
    """tflite-micro, the interpreter of LiteRT files for microcontrollers, as it runs on this machine.

    Its arithmetic is that of its reference kernels, which the kernels for devices are built to reproduce. The arena's
    head is what a device needs for activations. The rest of the arena holds structures whose size depends on that of
    pointers: they have 64 bits here and 32 bits on most devices, so the total is an upper bound there. Latency is not
    measured, since reference kernels on this machine say nothing about a device.
    """

    name = "tflite-micro"
    requires = ("tflite_micro", "ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[edge]'"
    reads = ("tflite-int8", "tflite", "tflite-16x8", "c-engine", "tflite-micro-lut")
    remark = (
        "Activations, the head of the arena, are what a device needs. The arena also holds structures with pointers, "
        "which have 64 bits here and 32 bits on most devices, so it is an upper bound."
    )
    joins_runs = True

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.footprint import content_of, footprint_of

        from reds_tflite_micro.allocations import allocations

        content = content_of(path)
        footprint = footprint_of(path, content)
        allocated = allocations(path, content)
        return Profile(
            arena=allocated.total_bytes,
            arena_head=allocated.head_bytes,
            flash=footprint.file_bytes,
            flash_weights=footprint.weight_bytes,
            flash_metadata=footprint.metadata_bytes,
            operators=footprint.operators,
            macs=footprint.macs,
        )

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        from reds_tflite_micro.interpreter import MicroFile

        return MicroFile(framework, path)
