"""The framework boundary: what core needs of TensorFlow, or of another framework.

A framework holds models as objects that core never looks into (`Any` below) and answers in terms of
`reds_core.network.description`. All weights cross the boundary as NumPy arrays in the order of `Network.weights`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.epochs import EpochKeeper
from reds_core.framework.file_kinds import FileKind, FileKinds
from reds_core.framework.finetuning import FinetuneSettings, Progress
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.framework.sample import SampleModel
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
        loss: Name of a loss of the framework, with arguments in brackets. None means crossentropy by the labels and the
            last activation. A last softmax means probabilities, otherwise logits.
        metric: Name of a metric of the framework, with arguments in brackets. None means accuracy.
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

    Its methods stand in the order of their concerns: reading and describing models, weighing channels, cutting,
    training and measuring, and writing files for devices. Those that are not abstract are optional: by default a
    framework refuses what they do, or does nothing.

    Attributes:
        files: The kinds of files that it writes of each network.
        layer_plugins: What other packages teach it of their layers.
        users_code: what model files may refer to beside the framework's own layers; set before one is read.
    """

    kind = "framework"
    files: ClassVar[FileKinds] = FileKinds(FileKind("model", "Model", ".model"))
    layer_plugins: tuple[LayerPlugin, ...] = ()
    users_code: UsersCode = UsersCode()

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        found = source.available(LayerPlugin)
        own = [name for name, plugin in found.items() if plugin.framework == self.name]
        self.layer_plugins = tuple(source.create(LayerPlugin, name, settings) for name in own)

    # --- reading and describing ---------------------------------------------------------------------------------

    @abstractmethod
    def owns(self, model: Any) -> bool:
        """Whether `model` is a model object of this framework.

        Must not import the framework's library: if it is not imported yet, no object can be a model of it.
        """

    @abstractmethod
    def load_model(self, path: Path) -> Any:
        """Read a model file.

        The format is told by the file's content, not by its suffix. No code of the file is run; layers of the user's
        own come from `users_code`.

        Raises:
            InputError: if the file is missing, damaged or no model file.
            UnsupportedError: if it holds code, or layers that cannot be loaded.
        """

    @abstractmethod
    def save_model(self, model: Any, path: Path) -> None:
        """Write `model` as a plain model file that stock software loads, whole or not at all.

        A model that is loaded from it computes the same, and has the same network description.

        Raises:
            InputError: if the file cannot be written.
        """

    @abstractmethod
    def input_shape(self, model: Any) -> tuple[int | None, ...]:
        """The shape of one example that `model` takes, without the batch dimension; None where a length is open."""

    @abstractmethod
    def inspect(self, model: Any) -> Network:
        """Describe `model`: its layers, tensors, weights and channel groups.

        Channels that a layer touches which is not understood belong to no group, and a warning of the network names the
        layer. The description depends on the architecture alone, not on the values of weights.

        Raises:
            UnsupportedError: naming a layer that makes the model impossible to describe.
        """

    def library_versions(self) -> Mapping[str, str]:
        """Versions of the libraries behind the framework, by name; plans record them. None by default."""
        return {}

    # --- weighing -----------------------------------------------------------------------------------------------

    @abstractmethod
    def weights(self, model: Any, network: Network) -> WeightArrays:
        """Copies of the weights of `model`, in the order of `network.weights`."""

    @abstractmethod
    def gradients(
        self, model: Any, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        """For each batch of `data` the gradient of the mean loss by each weight, in the order of `network.weights`.

        Frozen weights have a gradient as well: it measures what a weight is worth, whether or not training may change
        it. It is zero for statistics. The model runs as at inference: batch normalisations use their statistics.
        """

    @abstractmethod
    def activation_statistics(
        self, model: Any, network: Network, tensors: Sequence[int], x: npt.NDArray[Any], batch_size: int
    ) -> list[ActivationStatistics]:
        """What some tensors hold at inference over the examples `x`.

        Data may be large: sums are kept over batches, not activations.

        Args:
            tensors: indices into `network.tensors`.
        """

    @abstractmethod
    def losses(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        """The task's mean loss on `data` with other weights in place of the model's own, for each of `variants`.

        The model itself does not change. Each variant is asked for when the one before it is measured.

        Args:
            variants: weights in the order of `network.weights`, of the same shapes.
        """

    # --- cutting ------------------------------------------------------------------------------------------------

    @abstractmethod
    def extract(self, model: Any, network: Network, kept: Kept) -> Any:
        """A new plain model that holds only the channels of `kept`, in their order; groups not named stay whole.

        It computes what `model` computes with the other channels set to zero where they are read. If all channels are
        kept in another order, it computes the same as `model`. `model` itself does not change.
        """

    # --- training and measuring ---------------------------------------------------------------------------------

    @abstractmethod
    def check_data(self, model: Any, data: Arrays, task: Task, what: str) -> Arrays:
        """`data` as `model` takes it. A missing last dimension of 1 is added.

        Args:
            what: what messages call the data.

        Raises:
            InputError: if shapes do not fit the model's input, or labels do not fit its output.
        """

    def check_finetuning(self, model: Any, data: Arrays, settings: FinetuneSettings) -> None:
        """Refuse settings that `finetune` could not meet for `model` and training data, before a run begins.

        Everything is accepted by default.

        Raises:
            InputError: if they ask for something unknown, or for something that the data or the machine does not allow.
        """

    @abstractmethod
    def finetune(self, family: Family[Any], training: Training) -> None:
        """Train the full network and all members together, in place, with one set of weights.

        The loss is the weighted sum of all losses, each weighted by the square root of the network's share of the
        parameters, normalised (REDS, arXiv 2311.13349). Afterwards the members' weights are slices of the full
        network's, save for their batch-norm statistics, which are measured on training data. With validation data the
        epoch of the least weighted loss on it is kept. With 0 epochs only these statistics are measured.

        A framework that calls `training.keeper` after each epoch can go on in the middle of a training: it must then
        end with the same weights as if it had not been stopped.
        """

    @abstractmethod
    def predict(self, model: Any, x: npt.NDArray[Any], batch_size: int = 256) -> npt.NDArray[np.float32]:
        """Outputs (N, ...) of `model` at inference on the examples `x`."""

    @abstractmethod
    def accuracy(self, model: Any, data: Arrays, task: Task) -> float:
        """The task's metric of `model` on `data`: accuracy in 0..1 by default."""

    @abstractmethod
    def loss(self, model: Any, data: Arrays, task: Task) -> float:
        """The task's mean loss of `model` on `data`."""

    # --- files for devices --------------------------------------------------------------------------------------

    def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        """Write `model` to `path` for a device; with `quantise` for 8-bit integers alone, calibrated on `calibration`.

        Needed by frameworks with exported kinds in `files` alone.

        Raises:
            InputError: if `quantise` is asked for without calibration data.
            UnsupportedError: if the device's format cannot express the model; a run then leaves the file out.
        """
        raise UnsupportedError(f"framework '{self.name}' exports no files for devices", "use another framework")

    def export_notes(self, model: Any) -> tuple[str, ...]:
        """What the user should know of the int8 file of `model` before it is trained, one sentence each.

        For example that some layers make the file large and slow to write. Nothing by default.
        """
        return ()

    def exported_accuracy(self, path: Path, data: Arrays, task: Task) -> float:
        """The task's metric of an exported file on `data`, run by the device's interpreter.

        Needed by frameworks with exported kinds in `files` alone.
        """
        raise UnsupportedError(f"framework '{self.name}' exports no files for devices", "use another framework")

    def latency_probe(self, settings: LatencySettings) -> LatencyProbe:
        """What times models on this machine.

        Raises:
            UnsupportedError: if the framework cannot, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' cannot measure latencies", "set budgets for other resources")

    # --- conveniences -------------------------------------------------------------------------------------------

    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        """Training and test data of a data set that the framework's own loaders know by name, unchecked.

        Raises:
            InputError: if the name is unknown, as every name is by default, or the data cannot be fetched.
        """
        raise InputError(
            f"framework '{self.name}' knows no data set '{name}'",
            "give digits, the path of an .npz or of a folder of images",
        )

    def build_baseline(self, training: Training) -> Any:
        """A small network for images, built for the shape of the data and trained on it.

        Raises:
            UnsupportedError: if the framework has none, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' builds no network of its own", "give a model")

    def samples(self) -> Sequence[SampleModel]:
        """Small models that hold what the framework can prune, on which `reds check` tries it. None by default.

        Checking is impossible without them. They may be built, and their module imported, when this is called.
        """
        return ()


def member_kept(widths: Mapping[str, int]) -> dict[str, npt.NDArray[np.int64]]:
    """The first `widths[g]` channels of every group g: what a member of a family keeps of the full network."""
    return {group: np.arange(width, dtype=np.int64) for group, width in widths.items()}


def as_examples(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Examples in the type in which they are held: of fewer bytes than float32 as they are, others as float32."""
    return x if x.dtype.kind in "iuf" and x.dtype.itemsize < SMALL_BYTES else x.astype(np.float32, copy=False)


def batches(count: int, batch_size: int) -> list[slice]:
    """Slices that cover `count` examples in batches."""
    return [slice(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
