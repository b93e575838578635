"""The targets. LiteRT is imported in the methods that need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from reds_core.cost import LatencySettings
from reds_core.framework import (
    FLOAT32_BYTES,
    INT8_BYTES,
    Arrays,
    ExportedModel,
    FileKind,
    Framework,
    LatencyProbe,
    Numbers,
    Target,
)
from reds_core.network import Network
from reds_core.system import written_beside
from reds_core.transforms import LevelSettings


class LiteRtTarget(Target):
    """Base class of the targets that write .tflite files.

    Attributes:
        numbers: The types of weights and activations of its files.
    """

    made_from = "tensorflow"
    requires = ("ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[tensorflow]'"
    numbers: ClassVar[Numbers]

    def export(
        self,
        framework: Framework,
        model: Any,
        network: Network,
        settings: LevelSettings,
        path: Path,
        calibration: Arrays | None,
    ) -> None:
        from reds_litert import conversion

        content = conversion.converted(framework, model, self.numbers, calibration)
        with written_beside(path) as temporary:
            temporary.write_bytes(content)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        from reds_litert import device_files

        return device_files.LiteRtFile(framework, path)

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return framework.conversion_notes(model, self.numbers)

    def probe(self, framework: Framework, settings: LatencySettings) -> LatencyProbe | None:
        from reds_litert import latency

        return latency.LiteRtProbe(framework, self.numbers, settings)


class FloatTarget(LiteRtTarget):
    """LiteRT files in float32."""

    name = "tflite"
    file = FileKind("tflite", "LiteRT", ".tflite", "float32", FLOAT32_BYTES)
    numbers = "float32"


class Int8Target(LiteRtTarget):
    """LiteRT files that only use 8-bit integers."""

    name = "tflite-int8"
    file = FileKind("tflite-int8", "LiteRT", "-int8.tflite", "int8", INT8_BYTES)
    numbers = "int8"


class Int16x8Target(LiteRtTarget):
    """LiteRT files with weights of 8 bits and activations of 16 bits."""

    name = "tflite-16x8"
    file = FileKind("tflite-16x8", "LiteRT", "-16x8.tflite", "16x8", None, is_calibrated=True)
    numbers = "16x8"


class Float16Target(LiteRtTarget):
    """LiteRT files with weights in float16, which compute in float32."""

    name = "tflite-float16"
    file = FileKind("tflite-float16", "LiteRT", "-float16.tflite", "float16", None)
    numbers = "float16"


class DynamicTarget(LiteRtTarget):
    """LiteRT files with weights of 8 bits, which quantise activations while they run."""

    name = "tflite-dynamic"
    file = FileKind("tflite-dynamic", "LiteRT", "-dynamic.tflite", "dynamic", None)
    numbers = "dynamic"


TARGETS: tuple[type[LiteRtTarget], ...] = (FloatTarget, Int8Target, Int16x8Target, Float16Target, DynamicTarget)
