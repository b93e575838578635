"""Latencies of toy models: made up, so that they are the same on every machine and fall where widths are even."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from other_machine import toy_program
from toy_framework import ToyFramework, ToyModel, describe
from toy_plugins import toy_registry

from reds_core.cost.latency_sampling import Segment, Timing, touched_groups
from reds_core.cost.latency_table import LatencySettings, LatencyTable
from reds_core.framework.probe import LatencyProbe
from reds_core.network.description import Network
from reds_core.registry import Registry
from reds_core.runs.latency import measured_table
from reds_core.system.machine import Machine, cpu_model

MACHINE = Machine("Linux", cpu_model(), 2, 2**30, "3.11")
EVERY_WIDTH = LatencySettings(points=100, checks=1)
ODD_NS = 40.0
"""The additional cost of an odd number of columns, as on hardware that works in pairs."""


class ToyProbe(LatencyProbe):
    """Ten ns a layer, one ns a weight, and more for odd numbers of columns."""

    def segments(self, model: ToyModel, network: Network) -> tuple[Segment, ...]:
        return tuple(
            Segment(i, (layer.name,), (i,), touched_groups(network, [i])) for i, layer in enumerate(network.layers)
        )

    def parts(self, model: ToyModel, indices: Sequence[int]) -> list[Timing]:
        return [Timing(_layer_ns(model, model.layers[i].name), 0.0, 10) for i in indices]

    def whole(self, model: ToyModel) -> Timing:
        return Timing(sum(_layer_ns(model, layer.name) for layer in model.layers), 0.0, 10)

    def exported(self, content: bytes) -> Timing:
        return Timing(1.0, 0.0, 10)

    def overhead(self) -> Timing:
        return Timing(0.0, 0.0, 10)


class PortableToyProbe(ToyProbe):
    """Writes its times to files, from which a program on another machine reads them."""

    suffix = ".toy"

    def part_files(self, model: ToyModel, indices: Sequence[int]) -> list[bytes]:
        return [_file(timing) for timing in self.parts(model, indices)]

    def whole_file(self, model: ToyModel) -> bytes:
        return _file(self.whole(model))

    def overhead_file(self) -> bytes:
        return _file(Timing(0.25, 0.0, 10))

    def timing_script(self, files: Mapping[str, str]) -> str:
        return toy_program(files, "toy-micro")


def _file(timing: Timing) -> bytes:
    return f"ns {timing.ns}".encode()


def _layer_ns(model: ToyModel, layer: str) -> float:
    kernel = model.weights.get(f"{layer}/kernel")
    return 10.0 if kernel is None else 10.0 + kernel.size + ODD_NS * (kernel.shape[1] % 2)


class TimedToyFramework(ToyFramework):
    """A toy framework that can time."""

    def latency_probe(self, settings: LatencySettings) -> LatencyProbe:
        return ToyProbe()


class PortableToyFramework(ToyFramework):
    """A toy framework whose files can be timed on another machine."""

    def latency_probe(self, settings: LatencySettings) -> LatencyProbe:
        return PortableToyProbe()


def timed_registry() -> Registry:
    return toy_registry(framework=TimedToyFramework)


def toy_latencies(model: Any, path: Path, settings: LatencySettings = EVERY_WIDTH, name: str = "0f") -> LatencyTable:
    """The table of `model`, every width sampled unless `settings` say otherwise; also in the file `path`."""
    framework = TimedToyFramework()
    return measured_table(
        framework, ToyProbe(), model, describe(model), name, settings, MACHINE, path, lambda done, of: None
    )
