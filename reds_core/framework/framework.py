"""The interface of frameworks: what core needs from TensorFlow or another framework.

Models are opaque objects for core (`Any` below), which a framework describes by the records of
`reds_core.network.description`. Weights are passed as NumPy arrays in the order of `Network.weights`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.class_counts import ModelFigures
from reds_core.framework.data import Arrays, Data, Stream, columns
from reds_core.framework.family import Family
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.framework.sample import SampleModel
from reds_core.framework.target_support import TargetSupport
from reds_core.framework.task import Task
from reds_core.framework.training import Training, TrainingObjects
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions, PluginSource
from reds_core.system.users_code import UsersCode

WeightArrays = list[npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, eq=False)
class ActivationStatistics:
    """Statistics of a tensor at inference over examples and positions, along its channel axis.

    Attributes:
        magnitude: mean of absolute values, float64 (length of the axis,).
        active: share of values that are not zero, float64 (length of the axis,).
    """

    magnitude: npt.NDArray[np.float64]
    active: npt.NDArray[np.float64]


class Framework(TargetSupport, ABC):
    """Base class of framework plugins.

    Its methods are ordered by concern: reading and describing models, scoring, extraction, and training and evaluation;
    `TargetSupport` declares what targets need. Methods that are not abstract are optional: by default they refuse or do
    nothing.

    Attributes:
        file: The kind of its own model files.
        targets: The names of the targets for which a run writes files unless other targets are asked for.
        skips_blocks: Whether `extract` removes residual branches of which no channels are kept.
        layer_plugins: Layer plugins of other packages for this framework.
        users_code: The user's own layers, which model files may refer to. It is set before a file is read.
    """

    kind = "framework"
    file: ClassVar[FileKind] = FileKind("model", "Model", ".model")
    targets: ClassVar[tuple[str, ...]] = ()
    skips_blocks: ClassVar[bool] = False
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

        It must not import the framework's library: if that is not imported yet, no object can be one of its models.
        """

    @abstractmethod
    def load_model(self, path: Path) -> Any:
        """Read a model file.

        The format is determined by the file's content, not by its suffix. No code in the file is run; the user's own
        layers come from `users_code`.

        Raises:
            InputError: if the file is missing, damaged or not a model file.
            UnsupportedError: if it contains code, or layers that cannot be loaded.
        """

    @abstractmethod
    def save_model(self, model: Any, path: Path) -> None:
        """Write `model` atomically as a plain model file that can be loaded without reds.

        The loaded model computes the same and has the same network description.

        Raises:
            InputError: if the file cannot be written.
        """

    @abstractmethod
    def input_shape(self, model: Any) -> tuple[int | None, ...]:
        """Return the shape of one example that `model` takes, without the batch dimension; None for open lengths."""

    @abstractmethod
    def inspect(self, model: Any) -> Network:
        """Describe `model`: its layers, tensors, weights and channel groups.

        Channels that an unknown layer touches belong to no group, and a warning of the network names the layer. The
        description only depends on the architecture, not on the values of weights.

        Raises:
            UnsupportedError: if the model cannot be described; the message names the layer at fault.
        """

    def library_versions(self) -> Mapping[str, str]:
        """Return versions of the framework's libraries by name, which plans record. Empty by default."""
        return {}

    # --- scoring ------------------------------------------------------------------------------------------------

    @abstractmethod
    def weights(self, model: Any, network: Network) -> WeightArrays:
        """Return copies of the weights of `model`, in the order of `network.weights`."""

    @abstractmethod
    def assign(self, model: Any, network: Network, weights: WeightArrays) -> None:
        """Set the weights of `model` in place, so that `weights(model, network)` returns these values.

        Callers assign to models that they extracted, and never to the model of the user.

        Args:
            model: A model that this framework built.
            network: The description of `model`.
            weights: The new values in the order of `network.weights`, with the same shapes. They are copied.

        Raises:
            InputError: If `network` describes another model, or a shape differs.
        """

    @abstractmethod
    def gradients(
        self, model: Any, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        """Yield for each batch the gradient of the mean loss by each weight, in the order of `network.weights`.

        For embeddings the labels are not those of `data`, at which the gradient of the input model is zero, but the
        outputs of `model` plus noise (`noisy_features`). The squares of these gradients are on average in proportion to
        the second-order rise of the loss (the Fisher information with sampled labels: Kunstner et al., arXiv
        1905.12558).

        Frozen weights have gradients too, since a gradient measures the importance of a weight, whether or not it is
        trained. Gradients are zero for statistics. The model runs in inference mode, in which batch norms use their
        statistics.
        """

    @abstractmethod
    def activation_statistics(
        self, model: Any, network: Network, tensors: Sequence[int], x: npt.NDArray[Any], batch_size: int
    ) -> list[ActivationStatistics]:
        """Measure statistics of some tensors at inference over the examples `x`.

        Implementations should keep sums over batches instead of activations, because data may be large.

        Args:
            tensors: indices into `network.tensors`.
        """

    def second_moments(
        self, model: Any, network: Network, tensors: Sequence[int], x: npt.NDArray[Any], batch_size: int
    ) -> list[npt.NDArray[np.float64]] | None:
        """Measure E[x x^T] of the channels of some tensors at inference, over the examples `x` and all positions.

        Args:
            tensors: indices into `network.tensors`.

        Returns:
            float64 (channels, channels) for each tensor; None if the framework does not measure them, as by default.
        """
        return None

    @abstractmethod
    def losses(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        """Yield the task's mean loss on `data` with other weights in place of the model's own, for each of `variants`.

        The model itself does not change. `variants` is consumed lazily, one variant at a time.

        Args:
            variants: weights in the order of `network.weights`, with the same shapes.
        """

    def outputs(
        self, model: Any, network: Network, variants: Iterable[WeightArrays], x: Any
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the outputs (N, ...) on `x` with other weights in place of the model's own, for each of `variants`.

        The model itself does not change. `variants` is consumed lazily, one variant at a time. By default, the weights
        are assigned to a copy of the model, which `predict` runs.

        Args:
            model: A model of one output.
            network: Its description.
            variants: Weights in the order of `network.weights`, with the same shapes.
            x: Examples (N, *input shape); a tuple for models of several inputs.
        """
        copy = self.extract(model, network, {})
        for weights in variants:
            self.assign(copy, network, weights)
            yield self.predict(copy, x)

    # --- extraction ---------------------------------------------------------------------------------------------

    @abstractmethod
    def extract(self, model: Any, network: Network, kept: Kept) -> Any:
        """Return a new plain model with only the channels in `kept`, in their order.

        All channels of groups that are not in `kept` are kept. The new model computes what `model` computes if the
        other channels are zero where they are read. If all channels are kept in another order, it computes the same as
        `model`. `model` itself does not change.

        If `skips_blocks` is set, `kept` may have no channels of a group for which `reds_core.network.branches` finds a
        residual branch. The new model then has none of the layers of the branch, and in place of its sum at most one
        layer that adds the constant that the branch computes without these channels.
        """

    def with_exits(self, model: Any, layers: Sequence[str], seed: int) -> Any:
        """Return a new plain model with an early exit after each of some layers, by `reds_core.network.exits`.

        The head of an exit is a global average pooling and a dense layer whose weights are random. `model` itself does
        not change. By default, models have no exits.

        Args:
            model: A classifier of one output.
            layers: The names of the layers, by depth.
            seed: The seed of the weights of the heads.

        Raises:
            InputError: If there is no such layer.
            UnsupportedError: If the model cannot have exits.
        """
        raise UnsupportedError(f"framework '{self.name}' adds no exits to models", "use another framework")

    def finetune_exits(self, model: Any, training: Training) -> None:
        """Train the heads of the early exits of `model` in place, and nothing else of it.

        They also learn from the last output, as the settings of distillation say, where `training.teacher` is the model
        without exits.

        Raises:
            UnsupportedError: If the framework adds no exits, as by default.
        """
        raise UnsupportedError(f"framework '{self.name}' trains no exits", "use another framework")

    def ending_at(self, model: Any, exit: str | None) -> Any:
        """Return a new plain model of the layers that one exit of `model` needs, with the same names and weights.

        Args:
            model: A model with exits.
            exit: The name of an early exit; None for the last output, without the heads of early exits.

        Raises:
            InputError: If the model has no such exit.
            UnsupportedError: If the framework cannot do that, as by default.
        """
        raise UnsupportedError(f"framework '{self.name}' does not cut models at exits", "give a model without exits")

    def rewrite_refusal(self, model: Any, network: Network, site: str) -> str | None:
        """Return why `rewrite` cannot replace the layer named `site`, as a clause, or None if it can.

        By default, no layer can be replaced.
        """
        return f"framework '{self.name}' does not replace layers"

    def rewrite(
        self, model: Any, network: Network, chains: Mapping[str, Sequence[tuple[str, npt.NDArray[Any]]]]
    ) -> Any:
        """Return a new plain model in which some layers are replaced by chains of layers of their kind.

        A chain computes what its layer computes with the composition of the kernels (`composed`). Its last layer keeps
        the bias and the activation of the layer; the others have neither. Along each spatial axis, the first kernel
        that is as long as that of the layer takes its stride and dilation, and padding is that of the layer. The layers
        of a chain run directly one after the other, since peak RAM is counted in that order. `model` itself does not
        change.

        Args:
            chains: For the name of each layer that is replaced, the name and the kernel of each layer of its chain,
                with shapes (spatial axes..., inputs, outputs). Names are that of the layer and another one, such as
                "conv/first", so that a framework can put a chain into a model of the name of the layer.

        Raises:
            UnsupportedError: If a layer cannot be replaced.
        """
        raise UnsupportedError(f"framework '{self.name}' does not replace layers", "leave out the transform")

    # --- training and evaluation --------------------------------------------------------------------------------

    def stream(
        self, source: Any, model: Any | None, batch_size: int, what: str, labelled: bool = True
    ) -> Stream | None:
        """Return a stream over a data object of the framework, or None if `source` is not one, which is the default.

        Functions that return iterators, and iterable objects with a length, need no support by the framework.

        Args:
            source: what the user gives as data.
            model: the model that takes the examples, which tells batches from single examples; None if a small network
                for images is to be trained.
            batch_size: number of examples in a batch, if the source yields single examples.
            what: name of the data in messages.
            labelled: whether what it yields has labels. Otherwise it yields x or (x,) as well, and labels are left out.

        Raises:
            InputError: if the object cannot be used; for example, if it has no end.
        """
        return None

    def compiled_with(self, model: Any) -> tuple[Task, TrainingObjects]:
        """Return the loss, the metric and the optimizer that `model` was compiled with; by default none."""
        return Task(), TrainingObjects()

    @abstractmethod
    def check_data(self, model: Any, data: Data, task: Task, what: str) -> Data:
        """Convert `data` to the form that `model` takes, adding a missing last dimension of 1.

        The batches of a stream are converted and checked as they are read; its first examples are checked at once.

        Args:
            what: name of the data in messages.

        Raises:
            InputError: if shapes do not fit the model's input, or labels do not fit its output.
        """

    def check_inputs(self, model: Any, x: Any, what: str) -> Any:
        """Convert examples without labels to the form that `model` takes, as `check_data` does it.

        By default, only models with a single input are checked.

        Args:
            model: The model.
            x: An array (N, ...), or a tuple or dict of arrays for models of several inputs.
            what: The name of the examples in messages.

        Raises:
            InputError: If shapes do not fit the inputs of the model.
        """
        wanted = self.input_shape(model)
        found = columns(x)
        if len(found) == 1:
            given = found[0].shape[1:]
            if len(given) != len(wanted) or any(w not in (None, n) for w, n in zip(wanted, given, strict=True)):
                raise InputError(
                    f"an example of the {what} has shape {given}, the model takes {wanted}",
                    "give data of the shape of the model's input",
                )
        return x

    def input_notes(self, model: Any, x: Any) -> tuple[str, ...]:
        """Return notes on examples that differ much from those on which `model` was trained, one sentence each.

        For example, the model may hold statistics of values from 0 to 255, where these run from 0 to 1. Empty by
        default.

        Args:
            x: some examples (N, *input shape), drawn at random; a tuple for models of several inputs.
        """
        return ()

    def check_finetuning(self, model: Any, data: Data, settings: FinetuneSettings) -> None:
        """Refuse settings that `finetune` could not use for `model` and the training data, before a run begins.

        By default, all settings are accepted.

        Raises:
            InputError: if a setting is unknown, or not possible with the data or on this machine.
        """

    @abstractmethod
    def finetune(self, family: Family[Any], training: Training) -> None:
        """Train the full network and all members together, in place, with one set of weights.

        The loss is the weighted sum of all losses, each weighted by the square root of the network's share of the
        parameters, normalised (REDS, arXiv 2311.13349). Afterwards the members' weights are slices of the full
        network's, except for their batch-norm statistics, which are measured on training data. With validation data,
        the epoch with the lowest weighted loss on it is kept. With 0 epochs, only these statistics are measured.

        Networks with `training.projections` compute with the projections of their weights, in training with
        straight-through gradients, when they are evaluated, and when their statistics are measured. Afterwards their
        models hold the projected weights. The weights that networks share are not projected, so the full network keeps
        them as they are unless it has projections of its own.

        A framework that calls `training.keeper` after each epoch can resume a stopped training. It must then end with
        the same weights as if it had not been stopped.
        """

    @abstractmethod
    def predict(self, model: Any, x: npt.NDArray[Any], batch_size: int = 256) -> npt.NDArray[np.float32]:
        """Return the outputs (N, ...) of `model` at inference on the examples `x`."""

    def predictor(self, model: Any) -> Callable[[Any], Any]:
        """Return `predict` for `model` as a function of examples, for callers that have many batches.

        Implementations should prepare the model once. The weights of `model` must not change meanwhile.
        """
        return partial(self.predict, model)

    @abstractmethod
    def accuracy(self, model: Any, data: Data, task: Task) -> float:
        """Return the task's metric of `model` on `data`: by default the accuracy between 0 and 1."""

    def figures(self, model: Any, data: Data, task: Task) -> ModelFigures:
        """Return what `accuracy` returns, with how many examples of each class `model` recognises.

        By default classes are not counted. Implementations should count them in the same pass over the data.
        """
        return ModelFigures(self.accuracy(model, data, task))

    @abstractmethod
    def loss(self, model: Any, data: Data, task: Task) -> float:
        """Return the task's mean loss of `model` on `data`."""

    # --- conveniences -------------------------------------------------------------------------------------------

    def load_dataset(self, name: str) -> tuple[Any, Any]:
        """Return training and test data of a data set that the framework provides by name, unchecked.

        Each of them is `Arrays`, or an object that `stream` takes.

        Raises:
            InputError: If the name is unknown, as all are by default, or the data cannot be downloaded.
            UnavailableError: If a library that is needed to read it is not installed.
        """
        raise InputError(
            f"framework '{self.name}' knows no data set '{name}'",
            "give digits, the path of an .npz or of a folder of images",
        )

    def build_baseline(self, training: Training) -> Any:
        """Build a small network for the shape of the images, and train it.

        Raises:
            UnsupportedError: if the framework provides no such network, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' builds no network of its own", "give a model")

    def samples(self) -> Sequence[SampleModel]:
        """Return small models with everything that the framework can prune, for `reds check`. Empty by default.

        `reds check` needs at least one. The models may be built, and their module imported, in this call.
        """
        return ()
