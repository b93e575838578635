"""Measures what each level of each layer costs in loss, alone, and writes it as a table and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError, UnavailableError, argument
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.framework.task import Task
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following, showing_count
from reds_core.registry import Registry, given_registry
from reds_core.report.drawing import save_figure
from reds_core.report.sensitivity_figure import sensitivity_figure
from reds_core.runs.dataset import Dataset
from reds_core.runs.folder import Mode
from reds_core.runs.forms import DataObject, Imports, mode_of
from reds_core.runs.given_data import given_data, read_given
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inputs import split_parts
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.options import given_options
from reds_core.runs.participants import FRAMEWORKS, Participant, check_options
from reds_core.runs.provenance import file_hash, versions_of, weights_hash
from reds_core.runs.settings import RunSettings
from reds_core.scoring.level_losses import level_losses
from reds_core.scoring.recalibrated import MEASURED_EXAMPLES, Measuring
from reds_core.scoring.sensitivity import LayerSensitivity, SensitivityTable, UndecidedLayer, save_sensitivity
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.transforms.transform import Transform
from reds_core.watcher import Watcher

SENSITIVITY_FILE = "sensitivity.json"
SENSITIVITY_PICTURE = "sensitivity.png"
Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class RealisedLevels:
    """The levels of one layer that a transform offers and that a target realises.

    Attributes:
        site: The name of the layer.
        transform: The transform.
        levels: The levels in rising order, int64 (levels,). The last leaves the layer as it is.
        reason: Why there are not at least two levels; empty if there are.
    """

    site: str
    transform: Transform
    levels: IntArray
    reason: str = ""


def realised_levels(
    network: Network, transforms: Sequence[Transform], targets: Sequence[Target]
) -> tuple[RealisedLevels, ...]:
    """Return the levels that each transform offers for each layer with weights, without those that no target realises.

    Args:
        network: The description of the network.
        transforms: The transforms.
        targets: The targets, of which one has to realise a level. Without targets, all levels are kept.
    """
    sites = list(dict.fromkeys(layer.name for layer in network.layers if layer.weights))
    return tuple(_realised(network, site, transform, targets) for site in sites for transform in transforms)


def _realised(network: Network, site: str, transform: Transform, targets: Sequence[Target]) -> RealisedLevels:
    with guarded(transform):
        offered = transform.offered(network, site)
    kept, refusals = [], []
    for level in offered.levels.tolist()[:-1]:
        found = [_refusal(target, network, site, transform.what, level) for target in targets]
        if targets and all(found):
            refusals += [text for text in found if text]
        else:
            kept.append(level)
    levels = np.array([*kept, *offered.levels.tolist()[-1:]], np.int64)
    reason = "" if kept else offered.reason or "; ".join(dict.fromkeys(refusals)) or "there is only one level"
    return RealisedLevels(site, transform, levels, reason)


def _refusal(target: Target, network: Network, site: str, what: str, level: int) -> str | None:
    with guarded(target):
        return target.refusal(network, site, what, level)


def sensitivity(
    model: Any,
    data: str | PathLike[str] | Dataset | DataObject,
    transforms: str | Sequence[str],
    out: str | PathLike[str],
    *,
    targets: str | Sequence[str] = (),
    examples: int = MEASURED_EXAMPLES,
    mode: Mode | str = Mode.REFUSE,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    loss: Any | None = None,
    seed: int = 0,
    registry: Registry | None = None,
    told: Told | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> SensitivityTable:
    """Measure what each level of each layer costs in loss, alone, before training.

    This is what `reds sensitivity` does. Each layer in turn is changed as a transform would change it, all other layers
    stay as they are, batch-norm statistics are measured anew, and the loss is measured on training examples. The
    results are written to `out` as sensitivity.json (format `reds-sensitivity/1`) and as sensitivity.png.

    Args:
        model: The path of a model file, or a model object of an installed framework.
        data: The data as `prune` takes it, of which only training data is used.
        transforms: The names of one or several transform plugins.
        out: The folder of the results.
        targets: The names of target plugins. Levels that none of them realises are not measured. By default all levels
            are.
        examples: The maximum number of training examples on which losses are measured.
        mode: What to do if `out` already holds a measurement: `"refuse"` or `"overwrite"`.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        loss: The loss by which outputs are compared with labels, as `prune` takes it.
        seed: The seed by which examples are drawn.
        registry: The plugins to choose from. By default they are all that are installed.
        told: A function that is called after every measurement with the number of finished measurements and their total
            number.
        watcher: An object that is notified of warnings.
        verbose: What is shown on stderr without `told` and `watcher`. 0: nothing; `"auto"` or 1: a bar in a terminal or
            a notebook, a line elsewhere; 2: a line.

    Returns:
        A `SensitivityTable` with the attributes `base_loss`, `layers` and `left_out`.

    Raises:
        InputError: If the model or the data cannot be read, `out` already holds a measurement, or no transform offers
            anything for any layer.
        UnsupportedError: If a part of the model cannot be loaded.
        UnavailableError: If a library is not installed.

    Example:
        >>> table = reds_core.sensitivity("model.keras", "data.npz", "weight-bits", "sensitivity")
        >>> [(layer.layer, layer.levels, layer.rises) for layer in table.layers]
    """
    registry = given_registry(registry)
    options = with_input_shape(given_options(options), input_shape, model, registry)
    what, where = _names(transforms, argument("transforms")), _names(targets, argument("targets"))
    folder, how, shown = given_path(out, "out"), mode_of(mode), 0 if told is not None else verbose
    if not what:
        raise InputError("no transform is given", f"give {argument('transforms')}, such as weight-bits")
    if examples < 1:
        raise InputError(f"losses cannot be measured on {examples} examples", "give 1 or more")
    if how is Mode.RESUME:
        raise InputError("a measurement cannot be resumed", f"give {argument('mode', 'overwrite')}")
    settings = replace(RunSettings(), task=Task(loss), seed=seed, finetune=FinetuneSettings(epochs=0))
    parts: list[Participant] = [FRAMEWORKS, *((Transform, name) for name in what), *((Target, name) for name in where)]
    check_options(registry, options, parts)
    changes = [registry.create(Transform, name, options) for name in what]
    devices = [registry.create(Target, name, options) for name in where]
    source = given_data(data)
    if source is None:
        raise InputError("no data is given", f"give {argument('data')}")
    _check_free(folder, how)
    with locked_folder(folder, "a measurement"), following(shown, watcher) as followed:
        _check_free(folder, how)
        framework, loaded, network = load_for_inspection(
            model, registry, options=options, imports=imports, watcher=followed
        )
        offers = realised_levels(network, changes, devices)
        deciding = [offer for offer in offers if not offer.reason]
        if not deciding:
            why = f": '{offers[0].site}': {offers[0].reason}" if offers else ""
            raise InputError(f"no level can be chosen for any layer{why}", "choose other transforms or targets")
        dataset = read_given(source, None, framework, loaded, settings)
        train, _, _ = split_parts(framework, loaded, dataset, settings)
        measuring = Measuring.sampled(framework, loaded, network, train, settings.task, seed, examples)
        with showing_count(shown if watcher is None else 0, "measuring levels") as count:
            found = level_losses(measuring, deciding, told or count)
        kinds = {layer.name: layer.kind for layer in network.layers}
        table = SensitivityTable(
            network=network.name,
            model=_digest(framework, loaded, network, model),
            data=dataset.digest,
            transforms=what,
            targets=where,
            options=options,
            examples=found.examples,
            seed=seed,
            base_loss=found.base,
            layers=tuple(LayerSensitivity.of(each, kinds[each.site]) for each in found.sites),
            left_out=tuple(UndecidedLayer(o.site, o.transform.what, o.reason) for o in offers if o.reason),
            versions=versions_of(registry, framework),
        )
        _write(table, folder, followed)
    return table


def _names(given: str | Sequence[str], what: str) -> tuple[str, ...]:
    """The names of plugins, each once.

    Raises:
        InputError: If one is given twice.
    """
    names = tuple(part.strip() for part in given.split(",")) if isinstance(given, str) else tuple(given)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"{what} names '{repeated}' twice", "name it once")
    return names


def _check_free(folder: Path, mode: Mode) -> None:
    if mode is Mode.REFUSE and (folder / SENSITIVITY_FILE).exists():
        raise InputError(
            f"'{folder}' holds a finished measurement",
            f"add {argument('mode', 'overwrite')} to replace it, or choose another {argument('out')}",
        )


def _digest(framework: Framework, loaded: Any, network: Network, model: Any) -> str:
    if isinstance(model, str | PathLike):
        return file_hash(Path(model))
    return weights_hash(framework, loaded, network)


def _write(table: SensitivityTable, folder: Path, watcher: Watcher) -> None:
    """Write the picture, and then the table, whose presence tells that the measurement is finished."""
    picture = folder / SENSITIVITY_PICTURE
    try:
        save_figure(sensitivity_figure(table), picture)
    except UnavailableError as error:
        picture.unlink(missing_ok=True)
        watcher.warn(f"no picture is drawn: {error}")
    save_sensitivity(table, folder / SENSITIVITY_FILE)
