"""Latency of models, and of their segments, in LiteRT's interpreter on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reds_core.cost import LatencySettings, Segment, Timing
from reds_core.framework import Framework, LatencyProbe, Numbers
from reds_core.network import Network
from reds_litert.conversion import converted
from reds_litert.device_files import interpreter_of
from reds_litert.profile import LiteRt
from reds_litert.timing_script import timing_script

WARM_UP_RUNS = 10


class LiteRtProbe(LatencyProbe):
    """Times models as files with some types of numbers.

    Args:
        framework: Cuts and converts the models.
        numbers: The types of weights and activations of the files.
        settings: How files are timed.
    """

    suffix = ".tflite"

    def __init__(self, framework: Framework, numbers: Numbers, settings: LatencySettings) -> None:
        self._framework, self._numbers, self._settings = framework, numbers, settings
        self._segmenter = framework.segmenter()

    def segments(self, model: Any, network: Network) -> tuple[Segment, ...]:
        return self._segmenter.segments(model, network)

    def parts(self, model: Any, indices: Sequence[int]) -> list[Timing]:
        return [self.whole(part) for part in self._segmenter.models(model, indices)]

    def whole(self, model: Any) -> Timing:
        return self.exported(self.whole_file(model))

    def exported(self, content: bytes) -> Timing:
        interpreter = interpreter_of(content, self._settings.threads)
        random = np.random.default_rng(0)
        for tensor in interpreter.get_input_details():
            interpreter.set_tensor(tensor["index"], random.integers(0, 2, tensor["shape"]).astype(tensor["dtype"]))
        return timed(interpreter.invoke, self._settings.repeats)

    def overhead(self) -> Timing:
        return self.exported(self.overhead_file())

    def part_files(self, model: Any, indices: Sequence[int]) -> list[bytes]:
        return [self.whole_file(part) for part in self._segmenter.models(model, indices)]

    def whole_file(self, model: Any) -> bytes:
        # the values that a file computes do not affect its latency, so random examples calibrate it
        return converted(self._framework, model, self._numbers, self._segmenter.examples(model))

    def overhead_file(self) -> bytes:
        return self.whole_file(self._segmenter.nothing())

    def timing_script(self, files: Mapping[str, str]) -> str:
        return timing_script(files, LiteRt.name, threads=self._settings.threads, repeats=self._settings.repeats)


def timed(run: Callable[[], Any], repeats: int) -> Timing:
    """Time `repeats` runs, after some warm-up runs."""
    for _ in range(WARM_UP_RUNS):
        run()
    spent = np.empty(repeats)
    for i in range(repeats):
        started = time.perf_counter_ns()
        run()
        spent[i] = time.perf_counter_ns() - started
    low, high = np.percentile(spent, [10, 90])
    return Timing(float(low), float(high - low), repeats)
