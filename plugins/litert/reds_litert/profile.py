"""LiteRT as a device: the time of an inference on this machine, and the size of the file."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_core.framework import Device, ExportedModel, Framework, Profile, processor_energy
from reds_core.system import POWERCAP
from reds_litert.timing_script import timing_script

WARM_UP_RUNS, LEAST_RUNS = 10, 10
MOST_TIME_S = 5.0
"""No more runs are started after this time, once there are enough."""


@dataclass(frozen=True)
class ProfileOptions:
    """Options of profiles on this machine.

    Attributes:
        repeats: the largest number of inferences that are timed. The latency is their median.
        threads: the number of threads that run an inference.
        powercap: the folder in which Linux shows the energy counters of the processor, such as one that a container
            sees elsewhere.
    """

    repeats: int = 200
    threads: int = 1
    powercap: str = str(POWERCAP)


class LiteRt(Device):
    """LiteRT's interpreter on this machine, with its default delegate."""

    name = "litert"
    requires = ("ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[tensorflow]'"
    reads = ("tflite-int8", "tflite", "tflite-16x8", "tflite-float16", "tflite-dynamic", "c-engine")
    remark = "Latency is the median of many inferences on the machine that profiled, which is not that of a device."
    times_layers = True
    Options = ProfileOptions

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.footprint import content_of

        run = self._inference(path, content_of(path))
        latency_ns = median_ns(run, self.options.repeats)
        energy, notes = processor_energy(run, latency_ns, self.options.powercap)
        return replace(self.counted(path), latency_ns=latency_ns, energy=energy, notes=notes)

    def counted(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.footprint import content_of, footprint_of

        footprint = footprint_of(path, content_of(path))
        return Profile(
            flash=footprint.file_bytes,
            flash_weights=footprint.weight_bytes,
            flash_metadata=footprint.metadata_bytes,
            operators=footprint.operators,
            macs=footprint.macs,
        )

    def timing_script(self, files: Mapping[str, str]) -> str:
        options = self.options
        return timing_script(
            files, self.name, threads=options.threads, repeats=options.repeats, time_limit_s=MOST_TIME_S
        )

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        from reds_litert.device_files import LiteRtFile

        return LiteRtFile(framework, path)

    def _inference(self, path: Path, content: bytes) -> Callable[[], Any]:
        """Return what runs one inference."""
        import numpy as np

        from reds_litert.device_files import interpreter_of

        try:
            interpreter = interpreter_of(content, self.options.threads)
            for tensor in interpreter.get_input_details():  # latency does not depend on values
                interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            interpreter.invoke()  # some damage shows only now
        except (ValueError, RuntimeError) as error:
            raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error
        invoke: Callable[[], Any] = interpreter.invoke
        return invoke


def median_ns(run: Callable[[], Any], repeats: int) -> float:
    """Return the median time of some runs after warm-up runs, in nanoseconds."""
    end = time.perf_counter() + MOST_TIME_S
    spent = []
    for index in range(-WARM_UP_RUNS, max(repeats, 1)):
        started = time.perf_counter_ns()
        run()
        if index >= 0:
            spent.append(time.perf_counter_ns() - started)
        if len(spent) >= LEAST_RUNS and time.perf_counter() > end:
            break
    return float(statistics.median(spent))
