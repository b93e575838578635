"""Measures what each level of each layer costs in loss, alone, and writes it as a table and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.errors import InputError, UnavailableError, argument
from reds_core.formulation.space import DecisionSpace
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.framework import Framework
from reds_core.framework.task import TaskKind
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions
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
from reds_core.runs.offered_levels import check_choices, levels_to_decide, transforms_of
from reds_core.runs.options import changed, given_options
from reds_core.runs.participants import FRAMEWORKS, check_options, level_participants
from reds_core.runs.provenance import file_hash, versions_of, weights_hash
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import run_targets
from reds_core.scoring.level_losses import level_losses
from reds_core.scoring.loss_measurement import MEASURED_EXAMPLES, LossMeasurement
from reds_core.scoring.sensitivity_table import LayerSensitivity, SensitivityTable, UndecidedLayer, save_sensitivity
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.watcher import Watcher

SENSITIVITY_FILE = "sensitivity.json"
SENSITIVITY_PICTURE = "sensitivity.png"
Told = Callable[[int, int], None]


def undecided(space: DecisionSpace) -> tuple[UndecidedLayer, ...]:
    """Return the layers that have weights but no levels, and why, by layer and what would be decided."""
    decided = {(offer.site, offer.what) for offer in space.offers}
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for each in space.not_offered:
        if (each.site, each.what) not in decided:
            reasons.setdefault((each.site, each.what), {})[each.reason] = None
    weighted = {layer.name for layer in space.network.layers if layer.weights}
    return tuple(
        UndecidedLayer(site, what, "; ".join(why)) for (site, what), why in reasons.items() if site in weighted
    )


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
    task: TaskKind | str = TaskKind.SUPERVISED,
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
        task: What outputs are compared with, as `prune` takes it. For `"embedding"` these are the outputs of the
            unchanged model.
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
    folder, how, shown = given_path(out, "out"), mode_of(mode), 0 if told is not None else verbose
    given = {"transforms": transforms, "targets": targets, "task": task, "seed": seed}
    settings = changed(RunSettings(), given if loss is None else {**given, "loss": loss})
    settings = replace(settings, options=options, finetune=FinetuneSettings(epochs=0))
    if not settings.transforms:
        raise InputError("no transform is given", f"give {argument('transforms')}, such as weight-bits")
    if examples < 1:
        raise InputError(f"losses cannot be measured on {examples} examples", "give 1 or more")
    if how is Mode.RESUME:
        raise InputError("a measurement cannot be resumed", f"give {argument('mode', 'overwrite')}")
    check_options(registry, options, (FRAMEWORKS, *level_participants(settings)))
    made = transforms_of(registry, settings)
    source = given_data(data, settings.task.is_labelled)
    if source is None:
        raise InputError("no data is given", f"give {argument('data')}")
    _check_free(folder, how)
    with locked_folder(folder, "a measurement"), following(shown, watcher) as followed:
        _check_free(folder, how)
        framework, loaded, network = load_for_inspection(
            model, registry, options=options, imports=imports, watcher=followed
        )
        devices = run_targets(registry, framework, settings).targets if settings.targets else ()
        space = levels_to_decide(network, (framework, loaded), made, devices)
        check_choices(space)
        if space is None or not space.offers:
            raise InputError("the transforms leave nothing to decide for any layer", "choose other transforms")
        for warning in space.warnings:
            followed.warn(warning)
        dataset = read_given(source, None, framework, loaded, settings)
        train, _, _ = split_parts(framework, loaded, dataset, settings)
        measuring = LossMeasurement.sampled(framework, loaded, network, train, settings.task, seed, examples)
        with showing_count(shown if watcher is None else 0, "measuring levels") as count:
            found = level_losses(measuring, space.offers, told or count)
        kinds = {layer.name: layer.kind for layer in network.layers}
        table = SensitivityTable(
            network=network.name,
            model=_digest(framework, loaded, network, model),
            data=dataset.digest,
            transforms=settings.transforms,
            targets=settings.targets,
            options=options,
            examples=found.examples,
            seed=seed,
            base_loss=found.base,
            layers=tuple(LayerSensitivity.of(each, kinds[each.site]) for each in found.sites),
            left_out=undecided(space),
            versions=versions_of(registry, framework),
        )
        _write(table, folder, followed)
    return table


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
    """Write the picture, and then the table, whose presence marks the measurement as finished."""
    picture = folder / SENSITIVITY_PICTURE
    try:
        save_figure(sensitivity_figure(table), picture)
    except UnavailableError as error:
        picture.unlink(missing_ok=True)
        watcher.warn(f"no picture is drawn: {error}")
    save_sensitivity(table, folder / SENSITIVITY_FILE)
