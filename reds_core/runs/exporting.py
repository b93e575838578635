"""A finished family as files, each with its accuracy as the file itself gives it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import UnsupportedError
from reds_core.framework.framework import Arrays, Framework, Task
from reds_core.plan import Accuracy, Files
from reds_core.report.facts import Metric, metric_of
from reds_core.report.units import byte_size

FLOAT_BYTES = 4
NESTED_FILE = "nested.keras"
CALIBRATION_EXAMPLES = 200
INT8_LOSS_POINTS = 2.0
"""How much accuracy an int8 file may lose against the float32 file before it is warned of."""
INT8_CHANGE = 0.05
"""How far another metric of an int8 file may be from that of the float32 file, as a share of the latter."""


def member_files(name: str) -> tuple[str, str, str]:
    """Names of the files of one subnetwork: .keras, .tflite, int8 .tflite."""
    return f"subnet-{name}.keras", f"subnet-{name}.tflite", f"subnet-{name}-int8.tflite"


@dataclass(frozen=True)
class Exporter:
    """Writes models into a run's folder.

    Attributes:
        calibration: training data, of which some examples calibrate int8; None writes no int8 file.
        test: test data for the final figures, or None.
        warn: told of files that the device's format cannot express, and of int8 files that are worse than float32.
        latency: how files are timed; None leaves it.
    """

    framework: Framework
    folder: Path
    task: Task
    calibration: Arrays | None
    test: Arrays | None
    warn: Callable[[str], None]
    latency: LatencySettings | None = None

    def measured_latency_ns(self, files: Files) -> float | None:
        """Of the exported file that the latency settings are for, on this machine; None without settings or file."""
        if self.latency is None:
            return None
        name = files.tflite if self.latency.element_size_bytes == FLOAT_BYTES else files.tflite_int8
        if name is None:
            return None
        return self.framework.latency_probe(self.latency).exported((self.folder / name).read_bytes()).ns

    def accuracy(self, model: Any) -> float | None:
        """Of a model on test data."""
        return None if self.test is None else self.framework.accuracy(model, self.test, self.task)

    def save_full(self, model: Any) -> float | None:
        """Write nested.keras; its accuracy."""
        path = self.folder / NESTED_FILE
        self.framework.save_model(model, path)
        return None if self.test is None else self.accuracy(self.framework.load_model(path))

    def save_member(self, model: Any, name: str, before: float | None) -> tuple[Files, Accuracy]:
        """Write the files of one subnetwork; `before` is its accuracy without fine-tuning.

        What the device's format cannot express is left out with a warning: a trained network is not lost for that.
        """
        keras, tflite, int8 = (self.folder / file for file in member_files(name))
        self.framework.save_model(model, keras)
        if not self._exported(model, tflite, None):
            int8.unlink(missing_ok=True)
            return Files(keras.name), self._accuracies(before, keras, None, None)
        examples = None if self.calibration is None else _spread(self.calibration, CALIBRATION_EXAMPLES)
        if examples is None or not self._exported(model, int8, examples):
            int8.unlink(missing_ok=True)
            return Files(keras.name, tflite.name), self._accuracies(before, keras, tflite, None)
        accuracies = self._accuracies(before, keras, tflite, int8)
        for warning in int8_warnings(tflite, int8, accuracies, metric_of({"metric": self.task.metric})):
            self.warn(warning)
        return Files(keras.name, tflite.name, int8.name), accuracies

    def _exported(self, model: Any, path: Path, calibration: Arrays | None) -> bool:
        """Whether the model could be written to `path`, as int8 where there are examples to calibrate on."""
        try:
            self.framework.export(model, path, calibration, quantise=calibration is not None)
        except UnsupportedError as error:
            path.unlink(missing_ok=True)
            self.warn(f"'{path.name}' is left out, '{path.stem.removesuffix('-int8')}.keras' is written: {error.what}")
            return False
        return True

    def _accuracies(self, before: float | None, keras: Path, tflite: Path | None, int8: Path | None) -> Accuracy:
        if self.test is None:
            return Accuracy(before)
        test, task = self.test, self.task
        exported = (None if p is None else self.framework.exported_accuracy(p, test, task) for p in (tflite, int8))
        return Accuracy(before, self.accuracy(self.framework.load_model(keras)), *exported)


def int8_warnings(tflite: Path, int8: Path, accuracy: Accuracy, metric: Metric) -> list[str]:
    """What speaks against the int8 file of a subnetwork beside its float32 file, a sentence each.

    It loses more than two points of accuracy; or another metric, of which nobody knows whether more of it is better, is
    more than a twentieth away; or the file is larger.
    """
    exact, found, warnings = accuracy.tflite, accuracy.tflite_int8, []
    if exact is not None and found is not None and math.isfinite(exact):
        figures = f"{metric.name} {metric.text(found)} on test data where '{tflite.name}' has {metric.text(exact)}"
        if metric.is_share and not 100 * (exact - found) <= INT8_LOSS_POINTS + 1e-9:
            warnings.append(f"'{int8.name}' loses {100 * (exact - found):.1f} points to int8: {figures}")
        elif not metric.is_share and not abs(found - exact) <= INT8_CHANGE * abs(exact):
            warnings.append(f"'{int8.name}' is far from float32: {figures}")
    sizes = [path.stat().st_size for path in (int8, tflite)]
    if sizes[0] > sizes[1]:
        warnings.append(
            f"'{int8.name}' is larger than the float32 file '{tflite.name}': {byte_size(sizes[0])} where that has "
            f"{byte_size(sizes[1])}; --no-int8 leaves int8 files out"
        )
    return warnings


def _spread(data: Arrays, count: int) -> Arrays:
    """At most `count` examples at equal distances: data is often sorted by class."""
    return data.take(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))
