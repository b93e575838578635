"""What the exits of a network give to held-back and to test examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_core.audit.answers import class_count, true_classes
from reds_core.early_exit.confidence import probabilities_of
from reds_core.early_exit.figures import ExitOutputs
from reds_core.errors import InputError, argument, command
from reds_core.framework.data import Arrays, Data, columns, each_batch
from reds_core.framework.exported import ExportedModel
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.plan import Plan, load_plan, plan_folder
from reds_core.plan_details import load_details
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry
from reds_core.runs.dataset import Dataset
from reds_core.runs.file_names import full_file
from reds_core.runs.finished_family import settings_of
from reds_core.runs.folder import VALIDATION
from reds_core.runs.forms import Imports
from reds_core.runs.given_data import Splits, read_given
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.runs.settings import RunSettings, merged_options
from reds_core.runs.splitting import split_validation
from reds_core.system.files import given_path
from reds_core.watcher import Watcher

_BATCH_SIZE = 256


@dataclass(frozen=True, eq=False)
class ExitNetwork:
    """A network with exits, as it was given.

    Attributes:
        framework: The framework of the model.
        model: The model, whose outputs are its exits.
        network: Its description.
        digest: The hexadecimal SHA-256 of its file or weights.
        settings: The settings of its run, or settings with the split that was asked for.
        run: The folder of the run; None if the model was given alone.
        plan: The plan of the run, or None.
    """

    framework: Framework
    model: Any
    network: Network
    digest: str
    settings: RunSettings
    run: Path | None
    plan: Plan | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers that compute the exits, by depth."""
        made = {tensor: layer.name for layer in self.network.layers for tensor in layer.outputs}
        return tuple(made.get(tensor, "input") for tensor in self.network.outputs)


def read_exit_network(
    model: Any, settings: RunSettings, registry: Registry, imports: Imports, watcher: Watcher
) -> ExitNetwork:
    """Read a network with exits.

    Args:
        model: The path of a model file, the folder of a finished run, or a model object.
        settings: The settings of a model that is given alone.
        registry: The plugins to choose from.
        imports: The user's own layers.
        watcher: Notified of warnings.

    Raises:
        InputError: If it cannot be read, has a single output, or its outputs are not exits.
    """
    options: PluginOptions = settings.options
    run, plan = None, None
    if isinstance(model, str | PathLike):
        place = plan_folder(given_path(model, "model"))
        if place.is_dir():
            run, plan = place, load_plan(place)
            own = settings_of(plan, place)
            settings = replace(own, options=merged_options(own.options, options))
            model = place / full_file(registry.default_framework(settings.options).file)
    framework, loaded, network = load_for_inspection(
        model, registry, options=settings.options, imports=imports, watcher=watcher
    )
    is_file = isinstance(model, str | PathLike)
    digest = file_hash(Path(model)) if is_file else weights_hash(framework, loaded, network)
    if len(network.outputs) < 2:
        raise InputError(
            f"model '{model if is_file else network.name}' has a single output and therefore no early exits",
            f"give a model with exits, as {command('exits')} makes them",
        )
    return ExitNetwork(framework, loaded, network, digest, settings, run, plan)


@dataclass(frozen=True, eq=False)
class ExitData:
    """The examples on which thresholds are chosen, and those on which they are tried.

    Attributes:
        dataset: The data as it was given.
        held_back: Examples that are no training data of the network's run.
        test: Test examples; None if there are none.
    """

    dataset: Dataset
    held_back: Data
    test: Data | None


def read_exit_data(subject: ExitNetwork, source: str | Dataset | Splits, validation: Any | None) -> ExitData:
    """Read the data, and hold back a part of the training data as the run of the network does.

    Args:
        subject: The network.
        source: The data, as `given_data` returns it.
        validation: Held-back examples in place of a part of the training data, or None.

    Raises:
        InputError: If the data cannot be read, is not that of the run, or nothing can be held back.
    """
    settings, framework, plan = subject.settings, subject.framework, subject.plan
    if plan is not None and VALIDATION in plan.options and validation is None:
        raise InputError(
            f"the run in '{subject.run}' was given validation data, which it does not keep",
            "give the same as validation_data to `reds_core.choose_thresholds` in Python",
        )
    if not settings.task.is_labelled:
        raise InputError(f"the run in '{subject.run}' has no labels", "give the run of a classifier")
    dataset = read_given(source, validation, framework, subject.model, settings)
    if plan is not None and plan.hashes.data not in (None, dataset.digest):
        raise InputError(
            f"data '{dataset.name}' is not that of the run in '{subject.run}'", "give the data that the run was given"
        )
    if dataset.validation is not None:
        held_back = dataset.validation
    elif not isinstance(dataset.train, Arrays):
        raise InputError(
            "nothing can be held back from training data that is a stream",
            "give validation_data to `reds_core.choose_thresholds` in Python",
        )
    elif not settings.holdout:
        raise InputError(
            "no examples are held back, on which thresholds could be chosen", f"give {argument('holdout', 0.1)}"
        )
    else:
        _, held_back = split_validation(dataset.train, settings.holdout, settings.seed)
    return ExitData(dataset, held_back, dataset.test)


def exit_outputs(subject: ExitNetwork, data: Data, what: str) -> ExitOutputs:
    """Return what the exits of a network give to examples.

    Args:
        subject: The network.
        data: The examples.
        what: Their name in messages.

    Raises:
        InputError: If the examples do not fit the network, or its outputs do not rate classes alike.
    """
    framework, model = subject.framework, subject.model
    predict = framework.predictor(model)
    found = [
        (predict(framework.check_inputs(model, batch.x, what)), columns(batch.y)[-1])
        for batch in each_batch(data, _BATCH_SIZE)
    ]
    outputs = [np.concatenate(each) for each in zip(*(outputs for outputs, _ in found), strict=True)]
    return _with_classes(outputs, np.concatenate([labels for _, labels in found]), what)


def exit_outputs_of_file(file: ExportedModel, exits: int, data: Data, what: str) -> tuple[ExitOutputs, list[Any]]:
    """Return what the exits of a file for a device give to examples, with the outputs as they are.

    Args:
        file: The file.
        exits: The number of exits.
        data: The examples.
        what: Their name in messages.

    Raises:
        InputError: If the file has another number of outputs.
        UnsupportedError: If its runtime does not tell outputs.
    """
    if len(file.output_steps) != exits:
        raise InputError(
            f"the file has {len(file.output_steps)} outputs, and the model {exits}", "give a file of the same network"
        )
    found = []
    for batch in each_batch(data, _BATCH_SIZE):
        labels = columns(batch.y)[-1]
        checked = file.check_data(Arrays(batch.x, (labels,) * exits), what)
        assert isinstance(checked, Arrays)
        found.append((file.outputs(checked.x), labels))
    outputs = [np.concatenate(each) for each in zip(*(outputs for outputs, _ in found), strict=True)]
    labels = np.concatenate([labels for _, labels in found])
    known = _known(outputs, labels)
    return _with_classes(outputs, labels, what), [each[known >= 0] for each in outputs]


def _known(outputs: Sequence[npt.NDArray[Any]], labels: npt.NDArray[Any]) -> IntArray:
    """The class of each example, with -1 where the label is no class."""
    return true_classes(labels, class_count(outputs[-1]))


def _with_classes(outputs: Sequence[npt.NDArray[Any]], labels: npt.NDArray[Any], what: str) -> ExitOutputs:
    """Return the outputs for examples whose label is a class."""
    shapes = {each.shape[1:] for each in outputs}
    if len(shapes) > 1 or any(each.ndim != 2 for each in outputs):
        raise InputError(
            f"the outputs of the model have shapes {', '.join(str(each.shape[1:]) for each in outputs)}",
            "give a classifier whose exits rate the same classes",
        )
    classes = _known(outputs, labels)
    known = classes >= 0
    if not known.any():
        raise InputError(f"no label of the {what} is a class", "give other data")
    return ExitOutputs(np.stack([probabilities_of(each[known]) for each in outputs]), classes[known])


def class_names(subject: ExitNetwork, count: int) -> tuple[str, ...]:
    """Return the names that a run gives its classes, or else their numbers."""
    details = None if subject.run is None else load_details(subject.run)
    if details is not None and len(details.classes) == count:
        return tuple(each.label for each in details.classes)
    return tuple(map(str, range(count)))
