"""A framework under test with its sample models, and what the checks of models need of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.family import Family, member_kept
from reds_core.framework.finetuning import EpochProgress, FinetuneSettings
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.framework.sample import SampleModel
from reds_core.framework.target import ExportSource, Target
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network.axis import Kept
from reds_core.network.description import Network, WeightKind
from reds_core.plugin import Plugin
from reds_core.registry import Registry
from reds_core.testing.plugin_checks import PluginSubject
from reds_core.testing.report import Failure, Settings

P = TypeVar("P", bound=Plugin)
TOLERANCE = 1e-4
"""By how much outputs in single precision may differ, relative to their spread over the examples."""
SHARES = (0.25, 0.5)
"""Shares of the channels that the members of a trained family keep."""
TRAINED = FinetuneSettings(epochs=2, batch_size=16, learning_rate=0.01)


@dataclass(frozen=True)
class Trial:
    """A sample model with its data and its description.

    Attributes:
        sample: what it was built from.
        model: the model.
        data: its examples and labels.
        network: its description.
    """

    sample: SampleModel
    model: Any
    data: Arrays
    network: Network

    @property
    def task(self) -> Task:
        """How outputs are compared with labels."""
        return Task(self.sample.loss, self.sample.metric)

    @property
    def counts_classes(self) -> bool:
        """Whether labels are numbers of classes and the metric is accuracy."""
        return self.sample.metric is None and self.data.y.ndim == 1 and self.data.y.dtype.kind in "iu"

    def __str__(self) -> str:
        return f"sample '{self.sample.name}'"


@dataclass(eq=False)
class Finetuned:
    """A family that was trained on a sample's data.

    Attributes:
        trial: the model before training, as it was described; it holds the full network, which is trained in place.
        family: the full network and its members.
        before: weights of the full network before training.
        loss_before: loss of the full network before training.
        told: what was told of the progress.
    """

    trial: Trial
    family: Family[Any]
    before: WeightArrays
    loss_before: float
    told: list[EpochProgress] = field(default_factory=list)


class ModelSubject(PluginSubject[P], Generic[P]):
    """A plugin under test that is checked on sample models.

    Args:
        make: makes the plugin with its options.
        settings: the expectations that the author states, such as known failures.
        make_framework: makes a framework to test it with.
        samples: the sample models; None means those that the plugin offers.
        registry: where the targets of the framework are looked up; the installed plugins by default.
    """

    def __init__(
        self,
        make: Callable[[], P],
        settings: Settings,
        make_framework: Callable[[], Framework],
        samples: Sequence[SampleModel] | None = None,
        registry: Registry | None = None,
    ) -> None:
        super().__init__(make, settings)
        self._registry = registry
        self.framework = make_framework()
        self._samples = samples
        self._finetuned: dict[str, Finetuned] = {}

    @cached_property
    def samples(self) -> tuple[SampleModel, ...]:
        """The sample models."""
        if self._samples is not None:
            return tuple(self._samples)
        found: Sequence[SampleModel] = self.plugin.samples()  # type: ignore[attr-defined]
        return tuple(found)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The targets for which a run writes files by default."""
        registry = self._registry or Registry()
        return tuple(registry.create(Target, name) for name in self.framework.targets)

    @cached_property
    def trials(self) -> list[Trial]:
        """Every sample model, built and described once. Checks may not change these."""
        return [self.build(sample) for sample in self.samples]

    def build(self, sample: SampleModel) -> Trial:
        """A sample model built anew."""
        model, x, y = sample.build()
        return Trial(sample, model, Arrays(x, y), self.framework.inspect(model))

    def outputs(self, trial: Trial, model: Any = None) -> npt.NDArray[np.float32]:
        """Outputs over the examples of `trial`, of its own model or of another."""
        return self.framework.predict(trial.model if model is None else model, trial.data.x)

    def weights(self, trial: Trial) -> WeightArrays:
        """The weights of the model."""
        return self.framework.weights(trial.model, trial.network)

    def finetuned(self, trial: Trial) -> Finetuned:
        """A trained family of the sample, which is made only once."""
        if trial.sample.name not in self._finetuned:
            self._finetuned[trial.sample.name] = self.finetune(trial.sample)
        return self._finetuned[trial.sample.name]

    def finetune(self, sample: SampleModel) -> Finetuned:
        """A family of a sample model built anew, trained for two epochs under one seed."""
        trial = self.build(sample)
        network, widths = trial.network, tuple(narrowed(trial.network, share) for share in SHARES)
        members = tuple(self.framework.extract(trial.model, network, member_kept(w)) for w in widths)
        family: Family[Any] = Family(trial.model, members, widths)
        loss = self.framework.loss(trial.model, trial.data, trial.task)
        trained = Finetuned(trial, family, self.weights(trial), loss)
        self.framework.finetune(family, Training(trial.data, TRAINED, 3, trained.told.append, trial.task))
        return trained

    def exported(self, trial: Trial, data: Arrays, folder: Path, target: Target) -> float | None:
        """The metric on `data` of the model of `trial` in a file for devices, or None if that cannot express it."""
        path = folder / target.file.file_name(trial.sample.name)
        examples = trial.data if target.file.is_calibrated else None
        try:
            target.export(ExportSource(self.framework, trial.model, trial.network, calibration=examples), path)
        except UnsupportedError:
            return None
        return target.load(self.framework, path).evaluate(data, trial.task).metric

    def reloaded(self, trial: Trial) -> Any:
        """The model of `trial`, saved and loaded."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.framework.file.file_name(trial.sample.name)
            self.framework.save_model(trial.model, path)
            return self.framework.load_model(path)


def narrowed(network: Network, share: float) -> dict[str, int]:
    """Widths of about a share of the channels of each group, at least 1."""
    return {g.name: max(1, round(share * g.channels)) for g in network.groups}


def chosen(network: Network, share: float, seed: int) -> Kept:
    """About a share of the channels of each group, chosen at random, in ascending order."""
    rng = np.random.default_rng(seed)
    return {
        name: np.sort(rng.permutation(network.channels[name])[:width])
        for name, width in narrowed(network, share).items()
    }


def permuted(network: Network, seed: int) -> Kept:
    """All channels of each group in an order that is not their own, where there are two or more."""
    rng, order = np.random.default_rng(seed), {}
    for group in network.groups:
        drawn, own = rng.permutation(group.channels), np.arange(group.channels)
        order[group.name] = own[::-1].copy() if np.array_equal(drawn, own) else drawn
    return order


def without(network: Network, weights: WeightArrays, kept: Kept) -> WeightArrays:
    """Copies of `weights` with every number set to zero that belongs to a channel which is not in `kept`.

    The network then computes what it does with these channels zeroed where they are read: kernels that read them hold
    zeros, and so do the weights that make them, for layers that read channels without a weight, such as products.
    Statistics stay, because zero is no variance.
    """
    copies = [array.copy() for array in weights]
    for weight, array in zip(network.weights, copies, strict=True):
        if weight.kind is WeightKind.STATISTIC:
            continue
        for i, axis in enumerate(weight.axes):
            gone = np.ones(array.shape[i], bool)
            gone[axis.positions(kept, network.channels)] = False
            array[(slice(None),) * i + (gone,)] = 0
    return copies


def sliced(network: Network, weights: WeightArrays, kept: Kept) -> WeightArrays:
    """The part of each of `weights` that a network of the channels `kept` holds."""
    return [
        array[np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))]
        for weight, array in zip(network.weights, weights, strict=True)
    ]


def spread(outputs: npt.NDArray[np.float32]) -> float:
    """How much outputs (N, ...) differ between the examples: their standard deviation, averaged."""
    return float(np.std(outputs, axis=0, dtype=np.float64).mean())


def hold_alike(found: npt.NDArray[Any], expected: npt.NDArray[Any], what: str, tolerance: float = TOLERANCE) -> None:
    """Compare outputs (N, ...) with those that are expected.

    Raises:
        Failure: naming `what`, if they differ by more than `tolerance` of their spread.
    """
    if found.shape != expected.shape:
        raise Failure(f"{what}: outputs have shape {found.shape}, not {expected.shape}")
    difference, allowed = float(np.abs(found - expected).max(initial=0)), tolerance * spread(expected)
    if not difference <= allowed:  # NaN differs as well
        share = difference / spread(expected) if spread(expected) else float("inf")
        raise Failure(f"{what}: outputs differ by {share:.2g} of their spread, but {tolerance:g} is allowed")
