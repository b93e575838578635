"""A finished family as files, each with its accuracy as the file itself gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.errors import UnsupportedError
from reds_core.framework import Arrays, Framework, Task
from reds_core.latency.table import LatencySettings
from reds_core.plan import Accuracy, Files

FLOAT_BYTES = 4
NESTED_FILE = "nested.keras"
CALIBRATION_EXAMPLES = 200


def member_files(name: str) -> tuple[str, str, str]:
    """Names of the files of one subnetwork: .keras, .tflite, int8 .tflite."""
    return f"subnet-{name}.keras", f"subnet-{name}.tflite", f"subnet-{name}-int8.tflite"


@dataclass(frozen=True)
class Exporter:
    """Writes models into a run's folder.

    Attributes:
        train: training data, of which some examples calibrate int8; None writes no int8 file.
        test: test data for the final figures, or None.
        warn: told of files that the device's format cannot express.
        latency: how files are timed; None leaves it.
    """

    framework: Framework
    folder: Path
    task: Task
    train: Arrays | None
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
        examples = None if self.train is None else _spread(self.train, CALIBRATION_EXAMPLES)
        if examples is None or not self._exported(model, int8, examples):
            int8.unlink(missing_ok=True)
            return Files(keras.name, tflite.name), self._accuracies(before, keras, tflite, None)
        return Files(keras.name, tflite.name, int8.name), self._accuracies(before, keras, tflite, int8)

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


def _spread(data: Arrays, count: int) -> Arrays:
    """At most `count` examples at equal distances: data is often sorted by class."""
    return data.take(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))
