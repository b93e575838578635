"""The framework class. Each method delegates to a module, which is imported when it is first needed."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.framework import (
    ActivationStatistics,
    Arrays,
    Data,
    ExportedFigures,
    Family,
    FileInterface,
    FileKind,
    FinetuneSettings,
    Framework,
    ModelFigures,
    Numbers,
    RunFile,
    SampleModel,
    Segmenter,
    Stream,
    Task,
    Training,
    TrainingObjects,
    WeightArrays,
)
from reds_core.network import Kept, Network
from reds_tensorflow.options import TensorFlowOptions
from reds_tensorflow.quiet import importing

if TYPE_CHECKING:
    from reds_tensorflow.own_layers import OwnLayers
    from reds_tensorflow.reading import Reading


class TensorFlowFramework(Framework):
    """Keras 3 models on TensorFlow, exported to LiteRT."""

    name = "tensorflow"
    skips_blocks = True
    requires = ("tensorflow", "ai_edge_litert")
    install = "pip install 'reds-core[tensorflow]'"
    Options = TensorFlowOptions
    file = FileKind("keras", "Keras", ".keras")
    targets = ("tflite", "tflite-int8")

    def owns(self, model: Any) -> bool:
        keras = sys.modules.get("keras")
        return keras is not None and isinstance(model, keras.Model)

    @cached_property
    def reading(self) -> Reading:
        """How models are read: the handlers of this package and of layer plugins, and the options."""
        with importing():
            from reds_tensorflow import reading
        return reading.reading_with(self.layer_plugins, self.options)

    @cached_property
    def own_layers(self) -> OwnLayers:
        """The user's own layers, imported when they are first needed."""
        with importing():
            from reds_tensorflow import own_layers
        return own_layers.own_layers(self.users_code)

    def load_model(self, path: Path) -> Any:
        with importing():
            from reds_tensorflow import loading
        _ = self.reading  # layer plugins register the classes of their layers
        return loading.load_model(path, self.own_layers, self.options.input_shape)

    def save_model(self, model: Any, path: Path) -> None:
        with importing():
            from reds_tensorflow import loading
        loading.save_model(model, path)

    def input_shape(self, model: Any) -> tuple[int | None, ...]:
        with importing():
            from reds_tensorflow import names
        return tuple(names.as_functional(model).inputs[0].shape[1:])

    def inspect(self, model: Any) -> Network:
        with importing():
            from reds_tensorflow import tracing
        return tracing.inspect(model, self.reading)

    def weights(self, model: Any, network: Network) -> WeightArrays:
        with importing():
            from reds_tensorflow import extraction
        return extraction.weights(model, network)

    def assign(self, model: Any, network: Network, weights: WeightArrays) -> None:
        with importing():
            from reds_tensorflow import extraction
        extraction.assign(model, network, weights)

    def gradients(
        self, model: Any, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        with importing():
            from reds_tensorflow import gradients
        return gradients.gradients(model, network, data, task, batch_size)

    def activation_statistics(
        self, model: Any, network: Network, tensors: Sequence[int], x: Any, batch_size: int
    ) -> list[ActivationStatistics]:
        with importing():
            from reds_tensorflow import probing
        return probing.activation_statistics(model, network, tensors, x, batch_size)

    def second_moments(self, model: Any, network: Network, tensors: Sequence[int], x: Any, batch_size: int) -> Any:
        with importing():
            from reds_tensorflow import probing
        return probing.second_moments(model, network, tensors, x, batch_size)

    def losses(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        with importing():
            from reds_tensorflow import probing
        return probing.losses(model, network, variants, data, task)

    def outputs(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], x: Any
    ) -> Iterator[npt.NDArray[np.float32]]:
        with importing():
            from reds_tensorflow import probing
        return probing.outputs(model, network, variants, x)

    def extract(self, model: Any, network: Network, kept: Kept) -> Any:
        with importing():
            from reds_tensorflow import extraction, own_layers
        with own_layers.made_known(self.own_layers.objects):
            return extraction.extract(model, network, kept, self.reading)

    def with_exits(self, model: Any, layers: Sequence[str], seed: int) -> Any:
        with importing():
            from reds_tensorflow import exits, own_layers
        with own_layers.made_known(self.own_layers.objects):
            return exits.with_exits(model, layers, seed, self.reading)

    def finetune_exits(self, model: Any, training: Training) -> None:
        with importing():
            from reds_tensorflow import exits
        exits.finetune_exits(model, training, self.reading)

    def ending_at(self, model: Any, exit: str | None) -> Any:
        with importing():
            from reds_tensorflow import exits, own_layers
        with own_layers.made_known(self.own_layers.objects):
            return exits.ending_at(model, exit, self.reading)

    def rewrite_refusal(self, model: Any, network: Network, site: str) -> str | None:
        with importing():
            from reds_tensorflow import rewriting
        return rewriting.refusal(model, network, site)

    def rewrite(self, model: Any, network: Network, chains: Mapping[str, Sequence[tuple[str, FloatArray]]]) -> Any:
        with importing():
            from reds_tensorflow import own_layers, rewriting
        with own_layers.made_known(self.own_layers.objects):
            return rewriting.rewrite(model, network, chains, self.reading)

    def compiled_with(self, model: Any) -> tuple[Task, TrainingObjects]:
        with importing():
            from reds_tensorflow import compiled
        return compiled.compiled_with(model)

    def check_finetuning(self, model: Any, data: Data, settings: FinetuneSettings) -> None:
        with importing():
            from reds_tensorflow import training
        training.check_finetuning(model, data, settings)

    def finetune(self, family: Family[Any], training: Training) -> None:
        with importing():
            from reds_tensorflow import training as loops
        loops.finetune(family, training, self.reading)

    def predict(self, model: Any, x: Any, batch_size: int = 256) -> Any:
        with importing():
            from reds_tensorflow import evaluation
        return evaluation.predict(model, x, batch_size)

    def predictor(self, model: Any) -> Callable[[Any], Any]:
        with importing():
            from reds_tensorflow import evaluation
        return evaluation.predictor(model)

    def accuracy(self, model: Any, data: Data, task: Task) -> float:
        with importing():
            from reds_tensorflow import evaluation
        return evaluation.accuracy(model, data, task)

    def figures(self, model: Any, data: Data, task: Task) -> ModelFigures:
        with importing():
            from reds_tensorflow import evaluation
        return evaluation.figures(model, data, task)

    def loss(self, model: Any, data: Data, task: Task) -> float:
        with importing():
            from reds_tensorflow import evaluation
        return evaluation.loss(model, data, task)

    def check_data(self, model: Any, data: Data, task: Task, what: str) -> Data:
        with importing():
            from reds_tensorflow import checking
        return checking.check_data(model, data, task, what)

    def check_inputs(self, model: Any, x: Any, what: str) -> Any:
        from reds_tensorflow import checking

        return checking.check_inputs(model, x, what)

    def input_notes(self, model: Any, x: Any) -> tuple[str, ...]:
        with importing():
            from reds_tensorflow import input_range
        return input_range.input_notes(model, x)

    def converted(self, model: Any, numbers: Numbers, calibration: Arrays | None) -> bytes:
        with importing():
            from reds_tensorflow import export
        return export.converted(model, numbers, calibration)

    def conversion_notes(self, model: Any, numbers: Numbers) -> tuple[str, ...]:
        if numbers not in ("int8", "16x8"):
            return ()
        with importing():
            from reds_tensorflow import unrolled_recurrences
        return unrolled_recurrences.notes(model)

    def check_file_data(self, interface: FileInterface, data: Data, what: str) -> Data:
        with importing():
            from reds_tensorflow import file_evaluation
        return file_evaluation.check_file_data(interface, data, what)

    def evaluated(self, interface: FileInterface, run: RunFile, data: Data, task: Task) -> ExportedFigures:
        with importing():
            from reds_tensorflow import file_evaluation
        return file_evaluation.evaluated(interface, run, data, task)

    def segmenter(self) -> Segmenter:
        with importing():
            from reds_tensorflow import segments
        return segments.KerasSegmenter(self.reading)

    def stream(
        self, source: Any, model: Any | None, batch_size: int, what: str, labelled: bool = True
    ) -> Stream | None:
        if "keras" not in sys.modules and "tensorflow" not in sys.modules:
            return None
        with importing():
            from reds_tensorflow import streams
        return streams.stream(source, model, batch_size, what, labelled)

    def load_dataset(self, name: str) -> tuple[Any, Any]:
        with importing():
            from reds_tensorflow import datasets
        return datasets.load_dataset(name)

    def build_baseline(self, training: Training) -> Any:
        with importing():
            from reds_tensorflow import baseline
        return baseline.build_baseline(training)

    def samples(self) -> Sequence[SampleModel]:
        with importing():
            from reds_tensorflow import samples
        return samples.SAMPLES

    def library_versions(self) -> Mapping[str, str]:
        return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "ai-edge-litert")}
