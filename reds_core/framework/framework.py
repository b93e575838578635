"""The framework boundary: what core needs of TensorFlow, or of another framework.

A framework holds models as objects that core never looks into (`Any` below) and answers in terms of
`reds_core.network.description`. All weights cross the boundary as NumPy arrays in the order of `Network.weights`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from reds_core.errors import UnsupportedError
from reds_core.framework.epochs import EpochKeeper
from reds_core.framework.finetuning import FinetuneSettings, Progress
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import Plugin, PluginOptions, PluginSource
from reds_core.system.users_code import UsersCode

if TYPE_CHECKING:
    from reds_core.cost.latency_table import LatencySettings
    from reds_core.framework.probe import LatencyProbe

T = TypeVar("T")
SMALL_BYTES = 4
"""Examples of fewer bytes an element are held as they are: all at once as float32 they would fill the memory."""
WeightArrays = list[npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, eq=False)
class Arrays:
    """Examples and their labels.

    Attributes:
        x: (N, *input shape), float32 or a type of fewer bytes, such as images of bytes: frameworks cast each batch.
        y: labels as the task's loss takes them: integers (N,), or one-hot or real numbers (N, ...).
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: npt.NDArray[np.int64] | slice) -> Arrays:
        """Some of the examples."""
        return Arrays(self.x[indices], self.y[indices])


@dataclass(frozen=True)
class Task:
    """How outputs are compared with labels.

    Attributes:
        loss: The framework's name of a loss; settings go in brackets behind it. None means crossentropy by the labels
            and the last activation. A last softmax means probabilities, otherwise logits.
        metric: The framework's name of a metric; settings go in brackets behind it. None means accuracy.
    """

    loss: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Family(Generic[T]):
    """One full-width network and its nested members, which share one set of weights.

    Channels are ordered so that each member's channels are a prefix of every group.

    Attributes:
        full: the model at full width, kept channels first.
        members: the members' models, smallest first; each holds its own batch-norm statistics.
        widths: for each member the width of each group.
    """

    full: T
    members: tuple[T, ...]
    widths: tuple[Mapping[str, int], ...]


@dataclass(frozen=True, eq=False)
class Training:
    """What a training works on and how.

    Attributes:
        data: training examples.
        settings: as the user gave them.
        seed: of shuffling, dropout and whatever else is random.
        progress: called after every few batches and at the end of each epoch.
        task: how outputs are compared with labels.
        validation: examples held back from training, by which the best epoch is chosen; None keeps the last.
        teacher: the model as it was before pruning, which may give soft targets; None where there is none.
        keeper: keeps the state after each epoch, so that a training that was stopped goes on where it stopped. It ends
            a training that the user wants to end, with KeyboardInterrupt, once the running epoch is saved.
    """

    data: Arrays
    settings: FinetuneSettings
    seed: int
    progress: Progress
    task: Task = Task()
    validation: Arrays | None = None
    teacher: Any | None = None
    keeper: EpochKeeper = EpochKeeper()


@dataclass(frozen=True, eq=False)
class ActivationStatistics:
    """What a tensor holds at inference, over examples and positions, along its channel axis.

    Attributes:
        magnitude: mean of absolute values, float64 (length of the axis,).
        active: share of values that are not zero, float64 (length of the axis,).
    """

    magnitude: npt.NDArray[np.float64]
    active: npt.NDArray[np.float64]


class Framework(Plugin, ABC):
    """Base class of framework plugins.

    Attributes:
        layer_plugins: what other packages teach it of their layers.
        users_code: what model files may refer to beside the framework's own layers; set before one is read.
    """

    kind = "framework"
    layer_plugins: tuple[LayerPlugin, ...] = ()
    users_code: UsersCode = UsersCode()

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        found = source.available(LayerPlugin)
        own = [name for name, plugin in found.items() if plugin.framework == self.name]
        self.layer_plugins = tuple(source.create(LayerPlugin, name, settings) for name in own)

    @abstractmethod
    def owns(self, model: Any) -> bool:
        """Whether `model` is a model object of this framework. Must not import the framework's library."""

    @abstractmethod
    def load_model(self, path: Path) -> Any:
        """Read a model file; its format is told by content, not by suffix; no code of the file is run.

        Layers of the user's own come from `users_code`.

        Raises:
            InputError: if the file is missing, damaged or no model file.
            UnsupportedError: if it holds code, or layers that cannot be loaded.
        """

    @abstractmethod
    def save_model(self, model: Any, path: Path) -> None:
        """Write `model` as a plain model file that stock software loads. Whole or not at all."""

    @abstractmethod
    def input_shape(self, model: Any) -> tuple[int | None, ...]:
        """Shape of one example that `model` takes, without the batch dimension."""

    @abstractmethod
    def inspect(self, model: Any) -> Network:
        """Describe `model`: layers, tensors, weights, channel groups.

        Raises:
            UnsupportedError: naming a layer that is not understood.
        """

    @abstractmethod
    def weights(self, model: Any, network: Network) -> WeightArrays:
        """Copies of the weights of `model`, in the order of `network.weights`."""

    @abstractmethod
    def gradients(
        self, model: Any, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        """For each batch the gradient of the mean loss by each weight, in the order of `network.weights`.

        By frozen weights as well: a gradient measures what a weight is worth, whether or not training may move it.
        Zeros for statistics. The model runs as at inference (batch norms use their statistics).
        """

    @abstractmethod
    def activation_statistics(
        self, model: Any, network: Network, tensors: Sequence[int], x: npt.NDArray[Any], batch_size: int
    ) -> list[ActivationStatistics]:
        """What some tensors hold at inference over examples `x`. Sums are kept, not activations.

        Args:
            tensors: indices into `network.tensors`.
        """

    @abstractmethod
    def losses(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        """The task's mean loss on `data` with other weights in place of the model's own, for each of `variants`.

        The model itself does not change. Each variant is asked for when the one before is measured.

        Args:
            variants: weights in the order of `network.weights`, of the same shapes.
        """

    @abstractmethod
    def extract(self, model: Any, network: Network, kept: Kept) -> Any:
        """A new plain model that holds only the channels of `kept`, in their order; groups not named stay whole.

        Keeping all channels in another order gives a permuted network that computes the same.
        """

    def check_finetuning(self, model: Any, data: Arrays, settings: FinetuneSettings) -> None:
        """Refuse settings that `finetune` could not meet for `model` and training data, before a run begins.

        Raises:
            InputError: if they ask for what is unknown, or for what the data or the machine does not allow.
        """

    @abstractmethod
    def finetune(self, family: Family[Any], training: Training) -> None:
        """Train the full network and all members together, in place, with one set of weights.

        The loss is the weighted sum of all losses, each weighted by the square root of the network's share of the
        parameters, normalised (REDS, arXiv 2311.13349). Afterwards the members' weights are slices of the full
        network's, save for their batch-norm statistics, which are measured on training data. With validation data the
        epoch of the least weighted loss on it is kept.

        A framework that calls `training.keeper` after each epoch can go on in the middle of a training: it must then
        end with the same weights as if it had not been stopped.
        """

    @abstractmethod
    def predict(self, model: Any, x: npt.NDArray[Any], batch_size: int = 256) -> npt.NDArray[np.float32]:
        """Outputs (N, ...) of `model` at inference."""

    @abstractmethod
    def accuracy(self, model: Any, data: Arrays, task: Task) -> float:
        """The task's metric of `model` on `data`: accuracy in 0..1 by default."""

    @abstractmethod
    def loss(self, model: Any, data: Arrays, task: Task) -> float:
        """The task's mean loss of `model` on `data`."""

    @abstractmethod
    def check_data(self, model: Any, data: Arrays, task: Task, what: str) -> Arrays:
        """`data` as `model` takes it (a missing last dimension of 1 is added).

        Raises:
            InputError: if shapes do not fit the model's input or labels not its output; `what` names the data.
        """

    @abstractmethod
    def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        """Write `model` for the device (.tflite); with `quantise` full int8, calibrated on `calibration`.

        Raises:
            InputError: if `quantise` is asked for without calibration data.
            UnsupportedError: if the device's format cannot express the model; a run then leaves the file out.
        """

    def export_notes(self, model: Any) -> tuple[str, ...]:
        """What the user should know of the int8 file of `model` before it is trained, a sentence each; none by default.

        Such as layers that make the file large, and slow to write.
        """
        return ()

    @abstractmethod
    def exported_accuracy(self, path: Path, data: Arrays, task: Task) -> float:
        """The task's metric of an exported file on `data`, run by the device's interpreter."""

    @abstractmethod
    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        """Training and test data of a named data set of the framework's own loaders, unchecked.

        Raises:
            InputError: if the name is unknown or the data cannot be fetched.
        """

    @abstractmethod
    def build_baseline(self, training: Training) -> Any:
        """A small DS-CNN for images, built for the shape of the data and trained on it."""

    def latency_probe(self, settings: LatencySettings) -> LatencyProbe:
        """What times models on this machine.

        Raises:
            UnsupportedError: if the framework cannot, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' cannot measure latencies", "set budgets for other resources")

    @abstractmethod
    def library_versions(self) -> Mapping[str, str]:
        """Versions of the libraries behind the framework, by name."""


def member_kept(widths: Mapping[str, int]) -> dict[str, npt.NDArray[np.int64]]:
    """The first `widths[g]` channels of every group g: what a member of a family keeps of the full network."""
    return {group: np.arange(width, dtype=np.int64) for group, width in widths.items()}


def as_examples(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Examples in the type in which they are held: of fewer bytes than float32 as they are, others as float32."""
    return x if x.dtype.kind in "iuf" and x.dtype.itemsize < SMALL_BYTES else x.astype(np.float32, copy=False)


def batches(count: int, batch_size: int) -> list[slice]:
    """Slices that cover `count` examples in batches."""
    return [slice(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
