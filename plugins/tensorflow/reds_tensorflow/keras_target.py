"""The framework's own model files as a target, so that they can be asked for by name."""

from __future__ import annotations

from pathlib import Path

from reds_core.framework import ExportedModel, ExportSource, Framework, LoadedModel, Target
from reds_core.network import Network
from reds_tensorflow.framework import TensorFlowFramework


class KerasTarget(Target):
    """Keras model files, which a run always writes."""

    name = "keras"
    made_from = TensorFlowFramework.name
    requires = TensorFlowFramework.requires
    install = TensorFlowFramework.install
    file = TensorFlowFramework.file

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return "its files hold weights in float32, so other levels save nothing"

    def export(self, source: ExportSource, path: Path) -> None:
        source.framework.save_model(source.model, path)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return LoadedModel(framework, framework.load_model(path))
