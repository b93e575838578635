"""The framework's own model files as a target, so that they can be asked for by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.framework import (
    Arrays,
    Data,
    ExportedFigures,
    ExportedModel,
    Framework,
    Target,
    Task,
    each_batch,
)
from reds_core.network import Network
from reds_core.transforms import LevelSettings
from reds_tensorflow.framework import TensorFlowFramework

_COUNTED = 256


class KerasTarget(Target):
    """Keras model files, which a run always writes."""

    name = "keras"
    made_from = TensorFlowFramework.name
    requires = TensorFlowFramework.requires
    install = TensorFlowFramework.install
    file = TensorFlowFramework.file

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return "its files hold weights in float32, so other levels save nothing"

    def export(
        self,
        framework: Framework,
        model: Any,
        network: Network,
        settings: LevelSettings,
        path: Path,
        calibration: Arrays | None,
    ) -> None:
        framework.save_model(model, path)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return KerasFile(framework, framework.load_model(path))


@dataclass(frozen=True)
class KerasFile(ExportedModel):
    """A model that was read from a file."""

    framework: Framework
    model: Any

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return self.framework.input_shape(self.model)

    def check_data(self, data: Data, what: str) -> Data:
        return self.framework.check_data(self.model, data, Task(), what)

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        count = sum(len(batch) for batch in each_batch(data, _COUNTED))
        metric, loss = self.framework.accuracy(self.model, data, task), self.framework.loss(self.model, data, task)
        return ExportedFigures(metric, loss, count)
