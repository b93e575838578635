"""Targets of the toy framework. What they do is done by methods of that framework, which tests replace one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toy_framework import ToyFramework

from reds_core.cost.latency_table import LatencySettings
from reds_core.framework.exported import ExportedModel
from reds_core.framework.file_kinds import FLOAT32_BYTES, INT8_BYTES, FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.target import ExportSource, Target


class ToyFileTarget(Target):
    """Base class of targets of the toy framework."""

    made_from = "toy"

    def export(self, source: ExportSource, path: Path) -> None:
        toy(source.framework).export(source.model, path, source.calibration, self.file.is_int8)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return toy(framework).load_exported(path)

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return toy(framework).export_notes(model) if self.file.is_int8 else ()

    def probe(self, framework: Framework, settings: LatencySettings) -> LatencyProbe | None:
        return toy(framework).latency_probe(settings)


class ToyFloat(ToyFileTarget):
    name = "tflite"
    file = FileKind("tflite", "LiteRT", ".tflite", "float32", FLOAT32_BYTES)


class ToyInt8(ToyFileTarget):
    name = "tflite-int8"
    file = FileKind("tflite-int8", "LiteRT", "-int8.tflite", "int8", INT8_BYTES)


def toy(framework: Framework) -> ToyFramework:
    assert isinstance(framework, ToyFramework)
    return framework
