"""A finished family as files, each with its accuracy as the file itself gives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
        latency: how files are timed; None leaves it.
    """

    framework: Framework
    folder: Path
    task: Task
    train: Arrays | None
    test: Arrays | None
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
        """Write the files of one subnetwork; `before` is its accuracy without fine-tuning."""
        keras, tflite, int8 = (self.folder / file for file in member_files(name))
        self.framework.save_model(model, keras)
        self.framework.export(model, tflite, None, quantise=False)
        if self.train is None:
            int8.unlink(missing_ok=True)
        else:
            self.framework.export(model, int8, _spread(self.train, CALIBRATION_EXAMPLES), quantise=True)
        files = Files(keras.name, tflite.name, None if self.train is None else int8.name)
        if self.test is None:
            return files, Accuracy(before)
        return files, Accuracy(
            before,
            self.accuracy(self.framework.load_model(keras)),
            self.framework.exported_accuracy(tflite, self.test, self.task),
            None if self.train is None else self.framework.exported_accuracy(int8, self.test, self.task),
        )


def _spread(data: Arrays, count: int) -> Arrays:
    """At most `count` examples at equal distances: data is often sorted by class."""
    return data.take(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))
