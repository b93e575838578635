"""A device that counts toy networks: cycles that step every four columns, and memory of tensors and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toy_framework import ToyFramework, ToyModel

from reds_core.framework.device import Device, Profile
from reds_core.framework.device_counter import Counted, CountingConditions, DeviceCounter, Part
from reds_core.framework.framework import Framework
from reds_core.network.description import Network

STEP = 4


def cycles_of(rows: int, columns: int) -> int:
    """The cycles of a layer, which takes whole blocks of rows and columns."""
    return 100 + 7 * _up(rows) * _up(columns)


def _up(width: int) -> int:
    return -(-width // STEP) * STEP


class ToyCounter(DeviceCounter):
    """Counts a chain of two layers between groups a, b and an output of 3 columns."""

    sums = ("cycles",)
    peaks = ("npu_sram",)
    conditions = CountingConditions({}, {"toy": "1.0"}, {"clock_MHz": "1"})
    notes = ("operators that run on the processor have no cycles in this table: TOY (1)",)

    def __init__(self, channels: Mapping[str, int]) -> None:
        self._channels = channels
        self.networks = 0
        self.odd: tuple[str, int] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        first, second = self._channels
        return (
            Part("0 DENSE", (first,)),
            Part("1 DENSE", (first, second)),
            Part("2 DENSE", (second,)),
            Part("tensor", (first,)),
            Part("weights", (first, second)),
        )

    @property
    def moments(self) -> tuple[tuple[int, ...], ...]:
        return ((3,), (3, 4))

    def counted(self, choices: Sequence[Mapping[str, int]]) -> list[Counted]:
        self.networks += len(choices)
        return [self._one(choice) for choice in choices]

    def _one(self, choice: Mapping[str, int]) -> Counted:
        a, b = (choice.get(group, n) for group, n in self._channels.items())
        cycles = (cycles_of(5, a), cycles_of(a, b), cycles_of(b, 3))
        tensor, weights = 16 * _up(a), a * _up(b)
        parts = (*({"cycles": each} for each in cycles), {"npu_sram": tensor}, {"npu_sram": weights})
        is_alike = self.odd is None or choice.get(self.odd[0]) != self.odd[1]
        return Counted({"cycles": sum(cycles), "npu_sram": tensor + weights}, parts, is_alike)


class ToyNpu(Device):
    """Counts files of toy models with two groups."""

    name = "toy-npu"
    reads = ("tflite-int8",)
    configurations = ("small",)

    def counter(
        self, framework: Framework, model: Any, network: Network, configuration: str | None = None
    ) -> DeviceCounter:
        return ToyCounter(network.channels)

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        model: ToyModel = ToyFramework().load_model(path)
        channels = {group: model.weights[f"{group}/kernel"].shape[1] for group in ("stem", "inside")}
        (counted,) = ToyCounter(channels).counted([{}])
        return Profile(cycles=counted.totals["cycles"], sram=counted.totals["npu_sram"])
