"""A small framework for checking scorers and pruners: chains of dense and scaling layers in plain NumPy.

Gradients are exact, training is plain gradient descent, everything is deterministic. It has no files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays, Data, Stream, batches, each_batch
from reds_core.framework.family import Family, member_kept
from reds_core.framework.finetuning import EpochProgress
from reds_core.framework.framework import ActivationStatistics, Framework, WeightArrays
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network.axis import Axis, Channels, Fixed, Kept
from reds_core.network.description import ChannelGroup, Layer, MacsTerm, Network, Tensor, Weight, WeightKind

FEATURES, CLASSES = 4, 3
BATCH_SIZE = 4096


@dataclass(eq=False)
class TinyModel:
    """dense - scale - relu - ... - dense.

    Attributes:
        weights: a kernel (inputs, outputs) and a bias (outputs,) for each dense layer in order, then a scale (outputs,)
            for each but the last; float32.
    """

    weights: WeightArrays

    @property
    def layers(self) -> int:
        """How many dense layers there are."""
        return (len(self.weights) + 1) // 3

    @property
    def widths(self) -> list[int]:
        """Outputs of each dense layer, the last one's included."""
        return [len(bias) for bias in self.weights[1 : 2 * self.layers : 2]]


def tiny_model(seed: int, *widths: int) -> TinyModel:
    """A model with these hidden widths and random weights, none of which is zero."""
    rng = np.random.default_rng(seed)
    sizes = [FEATURES, *widths, CLASSES]
    weights: WeightArrays = []
    for inputs, outputs in itertools.pairwise(sizes):
        weights.append(rng.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32))
        weights.append(rng.normal(0, 0.3, outputs).astype(np.float32))
    return TinyModel(weights + [rng.uniform(0.5, 1.5, width).astype(np.float32) for width in widths])


def tiny_data(seed: int, examples: int = 48) -> Arrays:
    """Random inputs with labels that follow from them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (examples, FEATURES)).astype(np.float32)
    return Arrays(x, x[:, :CLASSES].argmax(axis=1).astype(np.int64))


def _activations(
    model: TinyModel, x: npt.NDArray[Any]
) -> tuple[list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]:
    """The input of each dense layer and the outputs at the end; what each dense layer puts out before its scale."""
    found, before = [x.astype(np.float64)], []
    for i in range(model.layers):
        before.append(found[-1] @ model.weights[2 * i] + model.weights[2 * i + 1])
        last = i + 1 == model.layers
        found.append(before[-1] if last else np.maximum(before[-1] * model.weights[2 * model.layers + i], 0))
    return found, before


def _log_likelihood(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    likelihood: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return likelihood


class TinyFramework(Framework):
    """Describes, differentiates, cuts and trains `TinyModel`s."""

    name = "tiny"

    def owns(self, model: Any) -> bool:
        return isinstance(model, TinyModel)

    def input_shape(self, model: TinyModel) -> tuple[int | None, ...]:
        return (FEATURES,)

    def inspect(self, model: TinyModel) -> Network:
        widths = model.widths
        hidden = [f"dense{i}" for i in range(len(widths) - 1)]
        axes: list[Axis] = [Fixed(FEATURES), *(Channels(name) for name in hidden), Fixed(CLASSES)]
        groups = tuple(ChannelGroup(name, width, (name,)) for name, width in zip(hidden, widths, strict=False))
        weights, layers = [], []
        for i, name in enumerate([*hidden, "head"]):
            source, target = axes[i], axes[i + 1]
            weights.append(Weight(f"{name}/kernel", name, WeightKind.KERNEL, (source, target), 1, True))
            weights.append(Weight(f"{name}/bias", name, WeightKind.BIAS, (target,), 0, True))
            macs = (MacsTerm(1, (source, target)),)
            own = (2 * i, 2 * i + 1, *([2 * len(widths) + i] if name in hidden else []))
            layers.append(Layer(name, "Dense", (i,), (i + 1,), own, macs, (widths[i],)))
        weights += [Weight(f"{name}/scale", name, WeightKind.SCALE, (Channels(name),), 0, True) for name in hidden]
        tensors = tuple(Tensor(1, axis, i) for i, axis in enumerate(axes))
        return Network("tiny", groups, tuple(layers), tensors, tuple(weights), (0,), (len(axes) - 1,))

    def weights(self, model: TinyModel, network: Network) -> WeightArrays:
        return [w.copy() for w in model.weights]

    def assign(self, model: TinyModel, network: Network, weights: WeightArrays) -> None:
        model.weights[:] = [np.asarray(w, np.float32).copy() for w in weights]

    def gradients(
        self, model: TinyModel, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        for part in batches(len(data), batch_size):
            yield self._gradient(model, data.take(part))

    def _gradient(self, model: TinyModel, data: Arrays) -> WeightArrays:
        values, before = _activations(model, data.x)
        flowing = np.exp(_log_likelihood(values[-1]))
        flowing[np.arange(len(data)), data.y] -= 1
        flowing /= len(data)
        found: WeightArrays = []
        scales: WeightArrays = []
        for i in reversed(range(model.layers)):
            if i + 1 < model.layers:
                flowing = flowing * (values[i + 1] > 0)
                scales.insert(0, (flowing * before[i]).sum(axis=0).astype(np.float32))
                flowing = flowing * model.weights[2 * model.layers + i]
            found[:0] = [(values[i].T @ flowing).astype(np.float32), flowing.sum(axis=0).astype(np.float32)]
            flowing = flowing @ model.weights[2 * i].T
        return found + scales

    def activation_statistics(
        self, model: TinyModel, network: Network, tensors: Sequence[int], x: npt.NDArray[np.float32], batch_size: int
    ) -> list[ActivationStatistics]:
        values, _ = _activations(model, x)
        return [ActivationStatistics(np.abs(values[t]).mean(axis=0), (values[t] != 0).mean(axis=0)) for t in tensors]

    def losses(
        self, model: TinyModel, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        for weights in variants:
            yield self.loss(TinyModel(weights), data, task)

    def extract(self, model: TinyModel, network: Network, kept: Kept) -> TinyModel:
        cut = []
        for weight, array in zip(network.weights, model.weights, strict=True):
            cut.append(array[np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))].copy())
        return TinyModel(cut)

    def finetune(self, family: Family[Any], training: Training) -> None:
        settings, data = training.settings, training.data
        full = family.full
        network = self.inspect(full)
        if isinstance(data, Stream):
            data.rewind(training.first_pass)
        for epoch in range(settings.epochs):
            for batch in data.batches() if isinstance(data, Stream) else (data,):
                for array, gradient in zip(full.weights, self._gradient(full, batch), strict=True):
                    array -= settings.learning_rate * gradient
                loss = self._loss(full, batch)
            training.progress(EpochProgress(epoch, settings.epochs, 1, 1, loss, 0.0))
        for member, widths in zip(family.members, family.widths, strict=True):
            member.weights[:] = self.extract(full, network, member_kept(widths)).weights

    def predict(self, model: TinyModel, x: npt.NDArray[np.float32], batch_size: int = 256) -> npt.NDArray[np.float32]:
        return _activations(model, x)[0][-1].astype(np.float32)

    def accuracy(self, model: TinyModel, data: Data, task: Task) -> float:
        right = [self.predict(model, batch.x).argmax(axis=1) == batch.y for batch in each_batch(data, BATCH_SIZE)]
        return float(np.concatenate(right).mean())

    def loss(self, model: TinyModel, data: Data, task: Task) -> float:
        parts = [(self._loss(model, batch), len(batch)) for batch in each_batch(data, BATCH_SIZE)]
        return sum(loss * count for loss, count in parts) / sum(count for _, count in parts)

    def _loss(self, model: TinyModel, data: Arrays) -> float:
        return float(-_log_likelihood(_activations(model, data.x)[0][-1])[np.arange(len(data)), data.y].mean())

    def check_data(self, model: TinyModel, data: Data, task: Task, what: str) -> Data:
        return data

    def _no_files(self) -> NoReturn:
        raise UnsupportedError("the framework of the conformance kit has no files", "use another framework")

    def load_model(self, path: Path) -> Any:
        self._no_files()

    def save_model(self, model: Any, path: Path) -> None:
        self._no_files()

    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        self._no_files()

    def build_baseline(self, training: Training) -> Any:
        return tiny_model(training.seed, 6, 5)

    def library_versions(self) -> Mapping[str, str]:
        return {"numpy": np.__version__}
