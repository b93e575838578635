"""Frameworks that are bad in one way each; the toy framework of the tests is the honest one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_framework import ToyFramework, ToyModel, backward, describe, residual_model, toy_arrays

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, Data, Stream, joined, sampled
from reds_core.framework.family import Family, member_kept
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.framework import ActivationStatistics, WeightArrays
from reds_core.framework.sample import BuiltSample, SampleModel
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network.axis import Fixed, Kept
from reds_core.network.description import MacsTerm, Network, WeightKind

_ticks = itertools.count(1)


class Unversioned(ToyFramework):
    def library_versions(self) -> Mapping[str, str]:
        return {"toy": 1.0}  # type: ignore[dict-item]


class WithoutSamples(ToyFramework):
    def samples(self) -> Sequence[SampleModel]:
        return ()


def _built(model: ToyModel) -> BuiltSample:
    arrays = toy_arrays(model)
    return model, arrays["x_train"], arrays["y_train"]


def _dead() -> BuiltSample:
    model, x, y = _built(residual_model(seed=3))
    model.weights["head/kernel"] *= 0
    return model, x, y


class DeadSamples(ToyFramework):
    """Offers a model that answers everything alike."""

    def samples(self) -> Sequence[SampleModel]:
        return [SampleModel("dead", _dead)]


class OneSidedSamples(ToyFramework):
    """Offers a model that finds one class everywhere."""

    def samples(self) -> Sequence[SampleModel]:
        return [SampleModel("one-sided", lambda: _built(residual_model(seed=0)))]


class RestlessSamples(ToyFramework):
    """Offers a model that is another at every call."""

    def samples(self) -> Sequence[SampleModel]:
        def build() -> BuiltSample:
            model, x, y = _built(residual_model(seed=3))
            model.weights["head/bias"][0] += np.float32(1e-4 * next(_ticks))
            return model, x, y

        return [SampleModel("restless", build)]


class Turned(ToyFramework):
    """Takes the inputs of kernels for their outputs."""

    def inspect(self, model: ToyModel) -> Network:
        network = describe(model)
        weights = tuple(replace(w, axes=w.axes[::-1]) if len(w.axes) == 2 else w for w in network.weights)
        return replace(network, weights=weights)


class Anxious(ToyFramework):
    """Warns of a layer that it knows."""

    def inspect(self, model: ToyModel) -> Network:
        return replace(describe(model), warnings=("layer 'pool' is not known",))


class Possessive(ToyFramework):
    """Takes everything for a model of its own."""

    def owns(self, model: Any) -> bool:
        return True


class Flat(ToyFramework):
    """Forgets positions in the shape of the input."""

    def input_shape(self, model: ToyModel) -> tuple[int | None, ...]:
        return model.input_shape[1:]


class Normalising(ToyFramework):
    """Normalises outputs over the batch."""

    def predict(self, model: ToyModel, x: npt.NDArray[np.float32], batch_size: int = 256) -> npt.NDArray[np.float32]:
        parts = []
        for start in range(0, len(x), batch_size):
            outputs = super().predict(model, x[start : start + batch_size])
            parts.append(outputs - outputs.mean(axis=0, keepdims=True) * (batch_size < len(x)))
        return np.concatenate(parts)


class Deaf(ToyFramework):
    """Measures losses with the model's own weights whatever the variant."""

    def losses(
        self, model: ToyModel, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        for _ in variants:
            yield self.loss(model, data, task)


class Swapped(ToyFramework):
    """Gives each variant but the first the loss of the one before."""

    def losses(
        self, model: ToyModel, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        found = list(super().losses(model, network, variants, data, task))
        yield from [found[0], *found[:-1]]


class Stubborn(ToyFramework):
    """Keeps the weights that a model has."""

    def assign(self, model: ToyModel, network: Network, weights: WeightArrays) -> None:
        pass


class Lenient(ToyFramework):
    """Cuts values of another shape to size."""

    def assign(self, model: ToyModel, network: Network, weights: WeightArrays) -> None:
        own = self.weights(model, network)
        super().assign(model, network, [w[: len(v)] if w.ndim else w for w, v in zip(weights, own, strict=True)])


class Doubled(ToyFramework):
    """Gives gradients of another length."""

    def gradients(self, *arguments: Any) -> Iterator[WeightArrays]:
        for found in super().gradients(*arguments):
            yield [2 * gradient for gradient in found]


class Summed(ToyFramework):
    """Gives the gradient of the sum over a batch, scaled to be right for all examples at once."""

    def gradients(
        self, model: ToyModel, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        for found in super().gradients(model, network, data, task, batch_size):
            yield [np.float32(min(batch_size, len(data)) / len(data)) * gradient for gradient in found]


class MovingStatistics(ToyFramework):
    """Gives statistics a gradient."""

    def gradients(self, model: ToyModel, network: Network, *rest: Any) -> Iterator[WeightArrays]:
        for found in super().gradients(model, network, *rest):
            pairs = zip(found, network.weights, strict=True)
            yield [gradient + (weight.kind is WeightKind.STATISTIC) for gradient, weight in pairs]


class Signed(ToyFramework):
    """Takes the mean of values for that of their sizes."""

    def activation_statistics(
        self, model: ToyModel, network: Network, tensors: Sequence[int], x: npt.NDArray[np.float32], batch_size: int
    ) -> list[ActivationStatistics]:
        found = super().activation_statistics(model, network, tensors, x, batch_size)
        at = list(tensors).index(network.inputs[0])
        found[at] = replace(found[at], magnitude=np.abs(x.mean(axis=(0, 1))))
        return found


class Traceback(ToyFramework):
    """Lets errors of what it reads with through."""

    def load_model(self, path: Path) -> ToyModel:
        try:
            return super().load_model(path)
        except InputError as error:
            raise ValueError("bad magic number") from error


class Credulous(ToyFramework):
    """Takes every data."""

    def check_data(self, model: ToyModel, data: Arrays, task: Task, what: str) -> Arrays:
        return data


class Percent(ToyFramework):
    def accuracy(self, model: ToyModel, data: Arrays, task: Task) -> float:
        return 100 * super().accuracy(model, data, task)


class Collecting(ToyFramework):
    """Reads a stream into memory."""

    def check_data(self, model: ToyModel, data: Data, task: Task, what: str) -> Data:
        checked = super().check_data(model, data, task, what)
        return joined(list(checked.batches())) if isinstance(checked, Stream) else checked


class Hasty(ToyFramework):
    """Measures the loss on the first batch of a stream."""

    def loss(self, model: ToyModel, data: Data, task: Task) -> float:
        return super().loss(model, next(data.survey()) if isinstance(data, Stream) else data, task)


class Rereading(ToyFramework):
    """Reads a pass in vain before each epoch."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        data = training.data
        if isinstance(data, Stream):
            for _ in range(training.settings.epochs):
                list(data.survey())
        super().finetune(family, training)


class Meddling(ToyFramework):
    """Changes a bias a little each time it describes a model."""

    def inspect(self, model: ToyModel) -> Network:
        model.weights["head/bias"][0] += np.float32(1e-6)
        return describe(model)


class Draining(ToyFramework):
    """Changes the model that it exports."""

    def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        super().export(model, path, calibration, quantise)
        model.weights["head/bias"][0] += np.float32(1e-6)


class Sorting(ToyFramework):
    """Keeps the requested channels, but leaves the kernels of the head in their old order."""

    def extract(self, model: ToyModel, network: Network, kept: Kept) -> ToyModel:
        small = super().extract(model, network, kept)
        ascending = super().extract(model, network, {g: np.sort(channels) for g, channels in kept.items()})
        small.weights["head/kernel"] = ascending.weights["head/kernel"]
        return small


class Prefix(ToyFramework):
    """Keeps the first channels instead of the requested ones, unless all are kept."""

    def extract(self, model: ToyModel, network: Network, kept: Kept) -> ToyModel:
        every = all(len(channels) == network.channels[g] for g, channels in kept.items())
        return super().extract(model, network, kept if every else member_kept({g: len(c) for g, c in kept.items()}))


class Rescaling(ToyFramework):
    """Makes up for channels that go, as dropout does."""

    def extract(self, model: ToyModel, network: Network, kept: Kept) -> ToyModel:
        small = super().extract(model, network, kept)
        before, after = model.weights["head/kernel"], small.weights["head/kernel"]
        small.weights["head/kernel"] = after * np.float32(len(before) / len(after))
        return small


class Boastful(ToyFramework):
    skips_blocks = True


class FixedCosts(ToyFramework):
    """Counts the multiply-accumulates of the head as if all channels stayed."""

    def inspect(self, model: ToyModel) -> Network:
        network = describe(model)
        *rest, head = network.layers
        full = Fixed(model.weights["head/kernel"].shape[0])
        changed = replace(head, macs=tuple(MacsTerm(t.coefficient, (full, t.factors[1])) for t in head.macs))
        return replace(network, layers=(*rest, changed))


class Miscounting(ToyFramework):
    """Counts every multiply-accumulate twice."""

    def inspect(self, model: ToyModel) -> Network:
        network = describe(model)
        doubled = [
            replace(x, macs=tuple(MacsTerm(2 * t.coefficient, t.factors) for t in x.macs)) for x in network.layers
        ]
        return replace(network, layers=tuple(doubled))


class Forgetful(ToyFramework):
    """Loads a bias a little wrong, but not from what it exports."""

    def load_model(self, path: Path) -> ToyModel:
        model = super().load_model(path)
        if path.name.endswith(self.file.suffix):
            model.weights["head/bias"] += np.float32(1e-7)
        return model


class Renaming(ToyFramework):
    """Describes what it loaded in other words."""

    def load_model(self, path: Path) -> ToyModel:
        model = super().load_model(path)
        model.name = "loaded"
        return model

    def inspect(self, model: ToyModel) -> Network:
        network = describe(model)
        if model.name != "loaded":
            return network
        return replace(network, layers=tuple(replace(layer, kind=layer.kind.title()) for layer in network.layers))


class Crude(ToyFramework):
    """Exports with another bias."""

    def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        other = model.copy()
        other.weights["head/bias"][0] += 3
        super().export(other, path, calibration, quantise)


class Optimistic(ToyFramework):
    """Says of every file that it is good."""

    def exported_accuracy(self, path: Path, data: Arrays, task: Task) -> float:
        return 0.9


class Quantising(ToyFramework):
    """Writes int8 files that answer at random."""

    def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        other = model.copy()
        if quantise:
            other.weights["head/kernel"] *= -1
        super().export(other, path, calibration, quantise)


class Deviceless(ToyFramework):
    """Honest, and writes no files for devices."""

    targets = ()


class Separate(ToyFramework):
    """Trains each member by itself."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        super().finetune(family, training)
        for member in family.members:
            member.weights["head/bias"] -= np.float32(0.1) * backward(member, training.data)["head/bias"]


class SharedStatistics(ToyFramework):
    """Gives members the statistics of the full network."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        super().finetune(family, training)
        network = describe(family.full)
        for member, widths in zip(family.members, family.widths, strict=True):
            member.weights = self.extract(family.full, network, member_kept(widths)).weights


class Ascending(ToyFramework):
    """Trains uphill."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        for name, gradient in backward(family.full, sampled(training.data, 2048, 0)).items():
            family.full.weights[name] += np.float32(0.3) * gradient
        still = replace(training, settings=FinetuneSettings(epochs=2, learning_rate=1e-9))
        super().finetune(family, still)


class Silent(ToyFramework):
    """Tells nothing of its progress."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        super().finetune(family, replace(training, progress=lambda progress: None))


class Unseeded(ToyFramework):
    def finetune(self, family: Family[Any], training: Training) -> None:
        super().finetune(family, replace(training, seed=next(_ticks)))


class Unbiased(ToyFramework):
    """Loses the biases of the layers that it replaces."""

    def rewrite(
        self, model: ToyModel, network: Network, chains: Mapping[str, Sequence[tuple[str, npt.NDArray[Any]]]]
    ) -> ToyModel:
        replaced = super().rewrite(model, network, chains)
        for chain in chains.values():
            replaced.weights[f"{chain[-1][0]}/bias"] = 0 * replaced.weights[f"{chain[-1][0]}/bias"]
        return replaced


class Printing(ToyFramework):
    def finetune(self, family: Family[Any], training: Training) -> None:
        print("Epoch 1/2")
        super().finetune(family, training)
