"""A framework in plain NumPy, so that all that core does with models is tested in milliseconds.

Its models are chains and residual blocks of pointwise dense layers over (positions, features), with scales (a batch
norm at inference), rectifiers, additions and one mean over positions. Gradients are exact, training is plain gradient
descent, everything is deterministic.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_models import (
    IN_PLACE,
    INPUT,
    ToyHandler,
    ToyHandlers,
    ToyLayer,
    ToyModel,
    ToyOperation,
    backward,
    chain_model,
    forward,
    probabilities,
    residual_model,
    toy_arrays,
    toy_samples,
)
from toy_network import describe

from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InputError
from reds_core.framework.class_counts import ClassCounts, ModelFigures
from reds_core.framework.data import Arrays, Data, Stream, batches, each_batch, sampled
from reds_core.framework.epochs import EpochFigures, EpochState, digest_of
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.family import Family
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.finetuning import EpochProgress, FinetuneSettings
from reds_core.framework.framework import ActivationStatistics, Framework, WeightArrays
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.sample import SampleModel
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network.axis import Kept
from reds_core.network.description import Network, WeightKind
from reds_core.system.files import write_bytes

__all__ = [
    "INPUT",
    "IN_PLACE",
    "ToyFramework",
    "ToyHandler",
    "ToyLayer",
    "ToyModel",
    "ToyOperation",
    "backward",
    "chain_model",
    "describe",
    "forward",
    "residual_model",
    "toy_arrays",
    "toy_samples",
]

FORMAT = "toy-model"


class ToyFramework(Framework):
    """Plain NumPy. Model files are .npz whatever their suffix."""

    name = "toy"
    file = FileKind("keras", "Keras", ".keras")
    targets = ("tflite", "tflite-int8")

    @property
    def handlers(self) -> ToyHandlers:
        """What plugins of layers say of theirs."""
        return {kind: handler for plugin in self.layer_plugins for kind, handler in plugin.handlers().items()}

    def owns(self, model: Any) -> bool:
        return isinstance(model, ToyModel)

    def load_model(self, path: Path) -> ToyModel:
        if not path.exists():
            raise InputError(f"model file '{path}' does not exist", "check the path")
        try:
            with np.load(path, allow_pickle=False) as archive:
                header, flat = json.loads(str(archive["header"][()])), archive["weights"]
            assert header["format"] == FORMAT
        except (OSError, ValueError, KeyError, EOFError, AssertionError, zipfile.BadZipFile) as error:
            raise InputError(f"'{path}' is no toy model", "give a toy model") from error
        brought = {kind.__name__: kind for kind in self.handlers}
        layers = tuple(ToyLayer(n, k, tuple(i), brought[k]() if k in brought else None) for n, k, i in header["layers"])
        weights, start = {}, 0
        for name, shape in header["weights"].items():
            end = start + int(np.prod(shape))
            weights[name] = flat[start:end].reshape(shape).copy()
            start = end
        return ToyModel(header["name"], tuple(header["input_shape"]), layers, weights)

    def save_model(self, model: ToyModel, path: Path) -> None:
        layers = [[layer.name, layer.kind, list(layer.inputs)] for layer in model.layers]
        shapes = {name: weight.shape for name, weight in model.weights.items()}
        header = {"format": FORMAT, "name": model.name, "input_shape": model.input_shape, "layers": layers}
        buffer = io.BytesIO()
        flat = np.concatenate([weight.ravel() for weight in model.weights.values()])
        np.savez(buffer, header=np.array(json.dumps(header | {"weights": shapes})), weights=flat)
        write_bytes(path, buffer.getvalue())

    def input_shape(self, model: ToyModel) -> tuple[int | None, ...]:
        return model.input_shape

    def inspect(self, model: ToyModel) -> Network:
        return describe(model, self.handlers)

    def weights(self, model: ToyModel, network: Network) -> WeightArrays:
        return [model.weights[w.name].copy() for w in network.weights]

    def assign(self, model: ToyModel, network: Network, weights: WeightArrays) -> None:
        for weight, values in zip(network.weights, weights, strict=True):
            if values.shape != model.weights[weight.name].shape:
                raise InputError(f"weight '{weight.name}' has another shape", "give values of every channel")
            model.weights[weight.name] = np.array(values, np.float32)

    def gradients(
        self, model: ToyModel, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        for part in batches(len(data), batch_size):
            found = backward(model, data.take(part))
            yield [found[w.name] for w in network.weights]

    def activation_statistics(
        self, model: ToyModel, network: Network, tensors: Sequence[int], x: npt.NDArray[np.float32], batch_size: int
    ) -> list[ActivationStatistics]:
        values = forward(model, x)
        held = [values[(INPUT, *(layer.name for layer in model.layers))[t]] for t in tensors]
        return [ActivationStatistics(np.abs(v).mean(axis=(0, 1)), (v != 0).mean(axis=(0, 1))) for v in held]

    def losses(
        self, model: ToyModel, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        for weights in variants:
            other = dict(zip((w.name for w in network.weights), weights, strict=True))
            yield self.loss(ToyModel(model.name, model.input_shape, model.layers, other), data, task)

    def extract(self, model: ToyModel, network: Network, kept: Kept) -> ToyModel:
        weights = {}
        for weight in network.weights:
            positions = [axis.positions(kept, network.channels) for axis in weight.axes]
            weights[weight.name] = model.weights[weight.name][np.ix_(*positions)].copy()
        return ToyModel(model.name, model.input_shape, model.layers, weights)

    def second_moments(
        self, model: ToyModel, network: Network, tensors: Sequence[int], x: npt.NDArray[Any], batch_size: int
    ) -> list[npt.NDArray[np.float64]]:
        values = list(forward(model, x).values())
        rows = [values[t].reshape(-1, values[t].shape[-1]).astype(np.float64) for t in tensors]
        return [each.T @ each / len(each) for each in rows]

    def rewrite_refusal(self, model: ToyModel, network: Network, site: str) -> str | None:
        kind = next(layer.kind for layer in model.layers if layer.name == site)
        return None if kind == "dense" else f"a layer of the kind {kind} has no kernel"

    def rewrite(
        self, model: ToyModel, network: Network, chains: Mapping[str, Sequence[tuple[str, npt.NDArray[Any]]]]
    ) -> ToyModel:
        layers: list[ToyLayer] = []
        weights, last = model.weights.copy(), {site: chain[-1][0] for site, chain in chains.items()}
        for layer in model.layers:
            source = tuple(last.get(name, name) for name in layer.inputs)
            for name, kernel in chains.get(layer.name, ()):
                weights[f"{name}/kernel"] = np.asarray(kernel, np.float32)
                if name != last[layer.name]:
                    layers.append(ToyLayer(name, "linear", source))
                    source = (name,)
            if layer.name in last:
                del weights[f"{layer.name}/kernel"]
                weights[f"{last[layer.name]}/bias"] = weights.pop(f"{layer.name}/bias")
            layers.append(replace(layer, name=last.get(layer.name, layer.name), inputs=source))
        return ToyModel(model.name, model.input_shape, tuple(layers), weights)

    def finetune(self, family: Family[Any], training: Training) -> None:
        settings, task = training.settings, training.task
        network = describe(family.full, self.handlers)
        trained = family.full.copy()  # models change when training has ended
        saved = training.keeper.load(digest_of(trained.weights.values())) if settings.epochs else None
        done = 0 if saved is None else saved.done
        if saved is not None:
            trained.weights = {name: saved.arrays[name].copy() for name in trained.weights}
        figures = () if saved is None else saved.figures
        if settings.epochs > done:
            passes = _passes(training, done)
        for epoch in range(done, settings.epochs):
            count, read = next(passes)
            for i, batch in enumerate(read):
                for name, gradient in backward(trained, batch).items():
                    trained.weights[name] -= settings.learning_rate * gradient
                loss = self.loss(trained, batch, task)
                training.progress(EpochProgress(epoch, settings.epochs, i + 1, count, loss, 0.5))
            figures += (EpochFigures(epoch, None, loss, 0.5, learning_rate=settings.learning_rate),)
            figures += tuple(EpochFigures(epoch, member) for member in range(len(family.members)))
            state = EpochState(epoch + 1, {n: w.copy() for n, w in trained.weights.items()}, figures)
            training.keeper.save(state)
        family.full.weights.update(trained.weights)
        channels = network.channels
        for number, (member, widths) in enumerate(zip(family.members, family.widths, strict=True)):
            kept = {g: np.arange(w) for g, w in widths.items()}
            for weight in network.weights:
                if weight.kind is WeightKind.STATISTIC:
                    member.weights[weight.name] *= np.float32(1 + 0.01 * (number + 1))
                else:
                    positions = [axis.positions(kept, channels) for axis in weight.axes]
                    member.weights[weight.name] = family.full.weights[weight.name][np.ix_(*positions)].copy()

    def predict(self, model: ToyModel, x: npt.NDArray[np.float32], batch_size: int = 256) -> npt.NDArray[np.float32]:
        return np.asarray(forward(model, x)[model.layers[-1].name][:, 0], np.float32)

    def accuracy(self, model: ToyModel, data: Data, task: Task) -> float:
        right = weight = 0.0
        for batch in each_batch(data, 256):
            weights = np.ones(len(batch)) if batch.weights is None else batch.weights
            right += float((weights * (self.predict(model, batch.x).argmax(axis=1) == batch.y)).sum())
            weight += float(weights.sum())
        return right / weight

    def figures(self, model: ToyModel, data: Data, task: Task) -> ModelFigures:
        counts = []
        for batch in each_batch(data, 256):
            outputs = self.predict(model, batch.x)
            counts.append(ClassCounts.of(batch.y, outputs.argmax(axis=1), outputs.shape[1]))
        return ModelFigures(self.accuracy(model, data, task), functools.reduce(ClassCounts.plus, counts))

    def loss(self, model: ToyModel, data: Data, task: Task) -> float:
        losses = []
        for batch in each_batch(data, 2**20):
            likelihood = probabilities(self.predict(model, batch.x))[np.arange(len(batch)), batch.y]
            losses.append(-np.log(likelihood) * (1 if batch.weights is None else batch.weights))
        return float(np.concatenate(losses).mean())

    def check_data(self, model: ToyModel, data: Data, task: Task, what: str) -> Data:
        def check(batch: Arrays) -> Arrays:
            return _fitting(model, batch, what)

        if isinstance(data, Stream):
            check(data.sample(2))
            return data.mapped(check)
        return check(data)

    def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        exported = model.copy()
        if quantise:
            if calibration is None:
                raise InputError("int8 needs calibration data", "give --data")
            for name, weight in exported.weights.items():
                step = np.float32(np.abs(weight).max() / 127 or 1)
                exported.weights[name] = (np.rint(weight / step) * step).astype(np.float32)
        self.save_model(exported, path)

    def load_exported(self, path: Path) -> ExportedModel:
        return ToyFile(self, path)

    def exported_accuracy(self, path: Path, data: Data, task: Task) -> float:
        return self.accuracy(self.load_model(path), data, task)

    def export_notes(self, model: ToyModel) -> tuple[str, ...]:
        return ()

    def latency_probe(self, settings: LatencySettings) -> LatencyProbe | None:
        return None

    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        if name != "toyset":
            raise InputError(f"unknown data '{name}'", "give digits, toyset, an .npz or a folder")
        arrays = toy_arrays(residual_model())
        return Arrays(arrays["x_train"], arrays["y_train"]), Arrays(arrays["x_test"], arrays["y_test"])

    def build_baseline(self, training: Training) -> ToyModel:
        settings, data = training.settings, sampled(training.data, 2048, training.seed)
        x = data.x.reshape(len(data), -1, data.x.shape[-1])
        classes = int(data.y.max()) + 1
        model = residual_model(6, 5, x.shape[2], x.shape[1], classes, training.seed)
        short = FinetuneSettings(2, settings.batch_size, settings.learning_rate)
        checked = self.check_data(model, training.data, training.task, "training data")
        self.finetune(Family(model, (), ()), replace(training, data=checked, settings=short))
        return model

    def samples(self) -> Sequence[SampleModel]:
        return toy_samples()

    def library_versions(self) -> Mapping[str, str]:
        return {"toy": "1.0"}


@dataclass(frozen=True)
class ToyFile(ExportedModel):
    """An exported toy model."""

    framework: ToyFramework
    path: Path

    @cached_property
    def model(self) -> ToyModel:
        return self.framework.load_model(self.path)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return self.framework.input_shape(self.model)

    def check_data(self, data: Data, what: str) -> Data:
        return self.framework.check_data(self.model, data, Task(), what)

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        count = sum(len(batch) for batch in each_batch(data, 256))
        metric = self.framework.exported_accuracy(self.path, data, task)
        answers = [self.framework.predict(self.model, batch.x).argmax(axis=1) for batch in each_batch(data, 256)]
        return ExportedFigures(metric, self.framework.loss(self.model, data, task), count, np.concatenate(answers))


def _passes(training: Training, done: int) -> Iterator[tuple[int, Iterator[Arrays]]]:
    """The number of batches and the batches of each pass from the one with the index `done`."""
    data, size = training.data, training.settings.batch_size
    if isinstance(data, Stream):
        data.rewind(training.first_pass + done)
        while True:
            yield data.batches_per_pass, data.batches()
    rng = np.random.default_rng(training.seed)
    parts = batches(len(data), size)
    for _ in range(done):
        rng.permutation(len(data))
    while True:
        shuffled = data.take(rng.permutation(len(data)))
        yield len(parts), (shuffled.take(part) for part in parts)


def _fitting(model: ToyModel, data: Arrays, what: str) -> Arrays:
    classes = model.weights[f"{model.layers[-1].name}/bias"].shape[0]
    x = data.x.reshape(len(data), -1, data.x.shape[-1])
    if x.shape[1:] != model.input_shape:
        raise InputError(f"the {what} has shape {x.shape[1:]}, not {model.input_shape}", "reshape it")
    if data.y.min() < 0 or data.y.max() >= classes:
        raise InputError(f"labels of the {what} are not 0 to {classes - 1}", "number the classes from 0")
    return Arrays(x, data.y, data.weights)
