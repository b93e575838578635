"""The commands on runs as typed Python functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from os import PathLike
from typing import Any, Unpack

from reds_core.errors import InputError, argument
from reds_core.framework.task import Task
from reds_core.plan import plan_folder
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs import extraction
from reds_core.runs.calibration import calibration_setting
from reds_core.runs.class_weights import class_weight_text
from reds_core.runs.dataset import Dataset
from reds_core.runs.dry_run import choose_only
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.folder import Mode, RunFolder
from reds_core.runs.forms import Budgets, DataObject, Imports, mode_of, texts_of
from reds_core.runs.given_data import given_data
from reds_core.runs.given_objects import GivenObjects, callbacks_of
from reds_core.runs.input_model import is_labelled_run, metric_of_run
from reds_core.runs.input_shapes import InputShape, with_earlier_input_shape, with_input_shape
from reds_core.runs.options import PruneOptions, changed, converted, given_options, refuse_unknown
from reds_core.runs.recipe import Recipe, load_recipe
from reds_core.runs.request import RunRequest
from reds_core.runs.run import Run
from reds_core.runs.saved_plan import SavedPlan, SavedSubnetwork, saved_plan
from reds_core.runs.settings import DEFAULT_OUT, RunSettings, merged_options
from reds_core.system.files import given_path
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher


def prune(
    model: Any = None,
    data: str | PathLike[str] | Dataset | DataObject | None = None,
    budgets: Budgets | None = None,
    out: str | PathLike[str] | None = None,
    *,
    recipe: str | PathLike[str] | Recipe | None = None,
    pruner: str | None = None,
    scorer: str | None = None,
    solver: str | None = None,
    options: PluginOptions | None = None,
    imports: Imports | None = None,
    input_shape: InputShape | None = None,
    validation_data: DataObject | None = None,
    class_weight: str | Mapping[int, float] | None = None,
    optimizer: Any | None = None,
    loss: Any | None = None,
    metrics: Any | None = None,
    loss_weights: Any | None = None,
    callbacks: Any | Sequence[Any] | None = None,
    finetune_epochs: int | None = None,
    max_drop: float | None = None,
    max_drop_resource: str | None = None,
    calibration: int | str | PathLike[str] | Dataset | DataObject | None = None,
    seed: int | None = None,
    settings: RunSettings | None = None,
    mode: Mode | str = Mode.REFUSE,
    dry_run: bool = False,
    default_data: str | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
    **more: Unpack[PruneOptions],
) -> SavedPlan:
    """Prune a network to a family of nested subnetworks, and write models, plan and report to a folder.

    This is what `reds prune` does.

    Args:
        model: The path of a model file, a model object of an installed framework, or None to train a small network on
            `data` first.
        data: The name or the path of a data set, `((x_train, y_train), (x_test, y_test))`, a pair of objects that yield
            batches, such as `tf.data.Dataset`, training data alone, a `Dataset`, or None. Examples may have weights:
            `(x, y, sample_weight)`.
        budgets: The amounts of each resource, such as `{"macs": [0.5, 0.25], "peak_ram": "64KiB"}` or the text
            `"macs=0.5,0.25"`. Amounts alone, such as `0.5` or `[0.5, 0.25]`, are of MACs. There is one subnetwork per
            amount.
        out: The folder for the results. None means the folder that the recipe names, or else `reds-out`.
        recipe: A whole run, or the path of a recipe file. Every other argument that is given overrides it.
        pruner: The name of a pruner plugin.
        scorer: The name of a scorer plugin.
        solver: The name of a solver plugin, or `"auto"`. For this and every other argument up to `seed`, None keeps
            what the recipe or `settings` say.
        options: Options of plugins, as `{plugin: {key: text}}`. They are merged with those of the recipe.
        imports: One or several Python files or names of modules that define custom layers. They are imported before a
            model file is read, and are not needed where `model` is an object.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        validation_data: Data on which the epochs of training are compared, in the form of one part of `data`. None
            holds back a share of the training data, which is not possible if that is a stream.
        class_weight: How much the examples of each class count in training and on held-back data, such as
            `{0: 1.0, 1: 5.0}`, or `"balanced"`, which gives every class the same total weight. Classes that are not
            named have the weight 1. Test data is not weighted by class.
        optimizer: The optimizer of fine-tuning: an object of the framework, of which every training uses a new copy, or
            a name. An object has its own learning rate, so those settings do not apply. None means the optimizer that
            `model` was compiled with, if it was and the settings say nothing about the optimizer, or else that of the
            settings.
        loss: The loss: an object of the framework, a function or a name; for several outputs, a list in their order or
            a dict by their names. For this and the next two arguments, None means what the settings say, or else what
            `model` was compiled with.
        metrics: The metric by which networks are compared, in the same forms as `loss`.
        loss_weights: The weights of the losses of several outputs, as a list or a dict.
        callbacks: One or several callbacks of the framework's own training loop. They see every training of the family:
            the joint model, its `val_loss`, and the metrics of each network. They do not see the training of the small
            network that is built if `model` is None.
        finetune_epochs: How many epochs the whole run trains for.
        max_drop: Find the smallest network that loses at most this many points of accuracy on held-back training data.
            `budgets` are then further limits of this network, with one amount for each resource.
        max_drop_resource: The resource by which it is the smallest. None means `"macs"`, or `"weight_bytes"` with
            transforms.
        calibration: What files of integers are calibrated on: a number of training examples, or other data in the forms
            of `data`. Its labels are not used, so that an array, a dict of arrays or an .npz with `x` will do.
        seed: The seed of all random numbers.
        settings: All other settings. Give either these or a recipe.
        mode: What to do if `out` already holds a run: `"refuse"`, `"resume"` or `"overwrite"`. A resumed run takes its
            model, data and settings from the folder. What is given again must be the same; files may have moved.
        dry_run: Only choose the widths of the subnetworks. The plan says what they are and cost, without accuracies
            and files. Nothing is trained or written, not even the folder. It needs a model, and budgets.
        default_data: The data of a new run for which neither a model nor data is given.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: bars in a
            terminal or a notebook, lines elsewhere; 2: lines.
        more: All other settings that `reds prune` has as options, such as `keep="stem*"`, `align=8`, `min_width=4`,
            `time_limit=10`, `learning_rate=1e-3`, `augment="flip"`, `holdout=0.2` or `int8=False`.
            `help(reds_core.PruneOptions)` explains each of them.

    Returns:
        The plan, which is also written to `plan.json` in the folder. `print(plan)` shows a table,
        `plan["50"].load()` loads a member, `plan.to_frame()` is a pandas table.

    Raises:
        InputError: If an argument is invalid, if both `settings` and a recipe are given, or if another command is
            writing to the folder.
        InfeasibleError: If no subnetwork meets a budget.
        NoChoiceError: If the solver stopped before it found a subnetwork.
        RedsError: If a plugin fails, or a library is not installed.

    Example:
        >>> plan = reds_core.prune("model.keras", "data.npz", {"macs": [0.5, 0.25]}, out="slim")
        >>> print(plan)
        >>> plan["50"].widths, plan["50"].load()
    """
    if settings is not None and recipe is not None:
        raise InputError(
            "settings and a recipe are both given",
            "give one of them: put the settings into the recipe, or leave it out",
        )
    if not isinstance(settings, RunSettings | None):
        raise InputError(
            f"settings of type {type(settings).__name__} are not settings",
            "give `RunSettings`, or each setting as a keyword argument",
        )
    refuse_unknown(more, prune, PruneOptions)
    base = _recipe_of(recipe)
    model = base.model if model is None else model
    if data is None and base.data_sha256 is not None:
        raise InputError(
            "the data of the recipe was given as objects in Python, which a recipe cannot hold",
            f"give the same arrays as {argument('data')}, or a file that holds them; their digest starts with "
            f"{base.data_sha256[:12]}",
        )
    data = base.data if data is None else data
    folder = RunFolder(given_path(base.out or DEFAULT_OUT if out is None else out, "out"), mode_of(mode))
    calibrated_on, calibration_data = calibration_setting(calibration)
    given = {
        "budgets": None if budgets is None else texts_of(budgets),
        "pruner": pruner,
        "scorer": scorer,
        "solver": solver,
        "imports": None if imports is None else import_names(imports),
        "finetune_epochs": finetune_epochs,
        "max_drop": max_drop,
        "max_drop_resource": max_drop_resource,
        "calibration": calibrated_on,
        "seed": seed,
        "class_weight": None if class_weight is None else class_weight_text(class_weight),
    }
    if settings is None:
        settings = base.settings if recipe is not None else _earlier_settings(folder, model)
    settings = changed(
        settings,
        {**{name: value for name, value in given.items() if value is not None}, **more},
    )
    settings = replace(settings, options=merged_options(settings.options, given_options(options)))
    own_registry, registry = registry, given_registry(registry)
    if dry_run and folder.mode is Mode.RESUME:
        raise InputError(
            "a dry run has nothing to resume", f"leave out {argument('dry_run')} or {argument('mode', 'resume')}"
        )
    with (
        following(verbose, watcher, settings.task.filled.metric if metrics is None else metrics) as followed,
        nullcontext() if dry_run else folder.locked(),
    ):
        known = None if dry_run else folder.known()
        if known is not None:  # a resumed run need not be given its inputs again
            model = known.source("model", folder.path) if model is None else model
            data = known.source("data", folder.path) if data is None else data
            if settings.latency_table is None:
                settings = replace(settings, latency_table=known.source("latency_table", folder.path))
            if settings.calibration is None and known.calibration_source is not None:
                settings = replace(settings, calibration=known.calibration_source)
            earlier = with_earlier_input_shape(settings.options, known.plugin_options(), registry)
            settings = replace(settings, options=earlier)
            if not settings.imports:
                settings = replace(settings, imports=known.imports())
        elif model is None and data is None:
            if folder.mode is Mode.RESUME:
                raise InputError(f"'{folder.path}' holds no run to resume", "give a model or data to start one")
            data = default_data
        settings = replace(settings, options=with_input_shape(settings.options, input_shape, model, registry))
        source = given_data(data, settings.task.is_labelled)
        model = given_path(model, "model") if isinstance(model, str | PathLike) else model
        named = GivenObjects(callbacks_of(callbacks), optimizer, Task(loss, metrics, loss_weights))
        settings, objects = named.resolved(model, settings, registry)
        request = RunRequest(model, source, settings, validation_data, objects, base.data_sha256, calibration_data)
        if dry_run:
            plan = choose_only(request, folder.path, registry, followed)
        else:
            plan = Run(request, folder, registry, followed).execute()
        return saved_plan(plan, folder.path, settings.imports, own_registry)


def _earlier_settings(folder: RunFolder, model: Any) -> RunSettings:
    """The settings of the run to resume, which need not be given again, or the defaults.

    What a model object was compiled with is better known from the object than from its description in the record.
    """
    found = folder.earlier_settings()
    if found is None or isinstance(model, str | PathLike | None):
        return found or RunSettings()
    return replace(found, task=Task()) if found.task.is_labelled else found


def _recipe_of(given: str | PathLike[str] | Recipe | None) -> Recipe:
    """The recipe that a caller gives, which may be the path of one. Without one, all settings have their defaults."""
    if given is None:
        return Recipe()
    return given if isinstance(given, Recipe) else load_recipe(given)


def extract(
    folder: str | PathLike[str],
    budgets: Budgets,
    *,
    data: str | PathLike[str] | Dataset | DataObject | None = None,
    calibration: int | str | PathLike[str] | Dataset | DataObject | None = None,
    finetune_epochs: int = 0,
    solver: str | None = None,
    time_limit: float | None = None,
    gap: float | None = None,
    energy_model: str | None = None,
    options: PluginOptions | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> SavedSubnetwork:
    """Add one more subnetwork to the family of a finished run, without training unless it is asked for.

    This is what `reds extract` does. The widths of the new member lie between those of the members below and above it,
    so that the family stays nested. Its weights are those of the member above it, or of the full network, and its
    batch-norm statistics are measured on the training data of the run. The weights were never trained at its widths, so
    it may be worse than a smaller member; the plan and the report say so, and the watcher is warned. Its files are
    written beside those of the other members; the plan and the report are updated.

    With `finetune_epochs`, the new member is trained by itself, with the settings of the run and with the full network
    of the family as the teacher. Its weights are then its own and not slices of those that the family shares. The files
    of the other members do not change. A training that is stopped continues if the same call is made again. An
    untrained member that was added before is replaced if the same budget is given with `finetune_epochs`.

    Args:
        folder: The folder of a finished run.
        budgets: One amount for each resource, such as `{"macs": 0.4}`, `"macs=0.4"` or, for MACs, `0.4`.
        data: The data of the run, as `prune` takes it. It is only needed if it was given as objects in Python.
        calibration: What files of integers are calibrated on, as `prune` takes it. None means what the run used.
        finetune_epochs: How many epochs the new member is trained for. 0 means that it is not trained.
        solver: The name of a solver plugin, or `"auto"`. None means that of the run.
        time_limit: The time limit of each solve, in seconds. None means that of the run.
        gap: The proven relative gap at which each solve may stop, such as 1e-4. None means that of the run.
        energy_model: The model of a board by which energy is counted, as `prune` takes it. None means that of the run.
        options: Options of plugins, as `{plugin: {key: text}}`. They are merged with those of the run.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: bars in a
            terminal or a notebook, lines elsewhere; 2: lines.

    Returns:
        The record of the new member, as the plan holds it, with its files: `member.load()` loads its model.

    Raises:
        InputError: If the folder holds no finished run, if the budget is invalid or already taken, if data that
            training needs cannot be used, or if another command is writing to the folder.
        InfeasibleError: If no subnetwork meets the budget.
        NoChoiceError: If the solver stopped before it found a subnetwork.

    Example:
        >>> member = reds_core.extract("slim", {"macs": 0.4}, finetune_epochs=5)
        >>> member.widths, member.path(), member.load()
    """
    request = ExtractionRequest(
        texts_of(budgets),
        given_data(data, is_labelled_run(folder)),
        *calibration_setting(calibration),
        converted("finetune_epochs", finetune_epochs, int),
        converted("solver", solver, str | None),
        converted("time_limit", time_limit, float | None),
        converted("gap", gap, float | None),
        converted("energy_model", energy_model, str | None),
        given_options(options),
    )
    with following(verbose, watcher, metric_of_run(folder)) as followed:
        return extraction.extract(plan_folder(folder), request, given_registry(registry), followed)
