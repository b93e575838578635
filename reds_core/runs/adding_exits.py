"""Adds early exits to a classifier, and trains their heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from reds_core.cost import resources
from reds_core.early_exit.costs import counted_macs
from reds_core.errors import InputError, argument
from reds_core.framework.data import Data
from reds_core.framework.finetuning import FinetuneSettings, Teacher
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network import Network
from reds_core.network.exits import exit_name, exit_names
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.report import units
from reds_core.runs.dataset import Dataset
from reds_core.runs.exit_points import AUTO, ExitPoint, chosen_points
from reds_core.runs.forms import DataObject, Imports
from reds_core.runs.given_data import given_data, read_given
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inputs import split_parts
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.options import given_options
from reds_core.runs.participants import FRAMEWORKS, check_options
from reds_core.runs.settings import RunSettings
from reds_core.system.files import given_path, temporary_folder
from reds_core.watcher import Watcher

DEFAULT_EPOCHS = 5
"""The epochs for which heads are trained where data is given."""
LEARNING_RATE = 0.1
"""The learning rate at which heads are trained. They are linear, so a large one does no harm."""


@dataclass(frozen=True)
class ExitRecord:
    """An exit of a model.

    Attributes:
        name: The name of the layer that computes its output.
        after: The name of the layer after whose output its head is; None for the last output, which has no new head.
        macs: The multiply-accumulates of the part of the model that it needs, with its head.
        macs_share: These as a share of the MACs of the part that the last output needs.
        accuracy: Its metric on test data after training; None without test data.
    """

    name: str
    after: str | None
    macs: int
    macs_share: float
    accuracy: float | None = None


def exits(
    model: Any,
    at: str | Sequence[str] = AUTO,
    out: str | PathLike[str] | None = None,
    *,
    data: str | PathLike[str] | Dataset | DataObject = None,
    epochs: int = DEFAULT_EPOCHS,
    learning_rate: float = LEARNING_RATE,
    overwrite: bool = False,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    seed: int = 0,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> tuple[ExitRecord, ...]:
    """Add early exits to a classifier, and write it as a model file.

    This is what `reds exits` does. An exit is a global average pooling and a dense layer after a layer of the model,
    with the activation of its output, so that easy examples can be answered without the rest of the network
    (BranchyNet: Teerapittayanon et al., arXiv 1709.01686). With data, the heads are trained, half on the labels and
    half on the output of the model, which itself does not change. `prune` then chooses at which exit each subnetwork
    ends, and trains all of them together.

    Args:
        model: The path of a model file, or a model object of an installed framework, with one output that is a vector.
        at: The names of the layers after which there are exits. "auto" takes the ends of blocks nearest to 25, 50 and
            75 % of the MACs.
        out: The path of the model file to write.
        data: The data as `prune` takes it. Without data the weights of the heads are random.
        epochs: The epochs for which the heads are trained.
        learning_rate: The learning rate of this training.
        overwrite: Whether to replace a file that is there already.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, if the model file leaves it open.
        seed: The seed of the weights of the heads, and of their training.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: progress and warnings.

    Returns:
        One `ExitRecord` for each exit by depth; the last one is the output of the model.

    Raises:
        InputError: If the model or the data cannot be read, there is no such layer, or the file exists already.
        UnsupportedError: If the model has exits already, or its output is not one vector for each example.

    Example:
        >>> found = reds_core.exits("model.keras", "auto", "exits.keras", data="cifar10.npz")
        >>> [(exit.name, exit.after, exit.macs_share, exit.accuracy) for exit in found]
    """
    registry = given_registry(registry)
    options = with_input_shape(given_options(options), input_shape, model, registry)
    check_options(registry, options, (FRAMEWORKS,))
    if out is None:
        raise InputError("no file is named for the model with exits", f"give {argument('out')}")
    path = given_path(out, "out")
    if not path.parent.is_dir():
        raise InputError(f"folder '{path.parent}' does not exist", "make it, or choose another place for the file")
    if path.exists() and not overwrite:
        raise InputError(f"'{path}' exists already", f"add {argument('overwrite', True)}, or choose another file")
    finetune = FinetuneSettings(epochs=epochs, learning_rate=learning_rate, distill=Teacher.INPUT)
    settings = replace(RunSettings(), options=options, seed=seed, finetune=finetune)
    source = given_data(data)
    with following(verbose, watcher) as followed:
        framework, loaded, network = load_for_inspection(
            model, registry, options=options, imports=imports, watcher=followed
        )
        if exit_names(network):
            raise InputError(f"model '{network.name}' has early exits already", "give the model without them")
        points = chosen_points(network, at)
        made = framework.with_exits(loaded, [point.layer for point in points], seed)
        _check_costs(framework.inspect(made), points)
        with temporary_folder() as tried:  # a name or a layer that cannot be saved is told before the training
            try:
                framework.save_model(made, tried / path.name)
            except InputError as error:
                raise InputError(error.what.replace(str(tried / path.name), str(path)), error.fix) from error
        test: Data | None = None
        if source is None:
            followed.warn("the heads of the exits have random weights, since no data is given on which to train them")
        else:
            dataset = read_given(source, None, framework, made, settings)
            train, validation, test = split_parts(framework, made, dataset, settings)
            if epochs:
                followed.stage("training the heads of the exits")
                framework.finetune_exits(
                    made, Training(train, finetune, seed, followed.epoch, validation=validation, teacher=loaded)
                )
        framework.save_model(made, path)
        return tuple(_records(framework, made, points, test))


def _check_costs(network: Network, points: Sequence[ExitPoint]) -> None:
    """Refuse exits whose heads take as much as what they leave out.

    Raises:
        InputError: If there is one.
    """
    costs = counted_macs(network).alone
    for place, point in enumerate(points):
        if costs[place] >= costs[place + 1]:
            macs = units.amount("macs", costs[place])
            raise InputError(
                f"an exit at '{point.layer}' takes {macs}, no less than the output after it",
                "give an earlier layer, or leave it out",
            )


def _records(framework: Framework, model: Any, points: Sequence[ExitPoint], test: Data | None) -> list[ExitRecord]:
    """What is known of each exit of a model."""
    names = [*(exit_name(number) for number in range(1, len(points) + 1)), None]
    parts = [framework.ending_at(model, name) for name in names]
    networks = [framework.inspect(part) for part in parts]
    macs = [resources.usage(network, network.channels)["macs"] for network in networks]
    found = []
    for name, point, part, network, used in zip(names, [*points, None], parts, networks, macs, strict=True):
        last = next(layer.name for layer in network.layers if network.outputs[0] in layer.outputs)
        after = None if point is None else point.layer
        accuracy = None if test is None else framework.accuracy(part, test, Task())
        found.append(ExitRecord(name or last, after, used, used / macs[-1], accuracy))
    return found
