"""What the command line does, as typed Python calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from reds_core.cost import counting
from reds_core.cost.budget import budget_texts, parse_budgets
from reds_core.errors import InputError
from reds_core.formulation.formulation import Formulation
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.framework import Framework, Task
from reds_core.network.description import Network
from reds_core.plan import Plan
from reds_core.registry import Registry
from reds_core.runs.dataset import Dataset, dataset_from_arrays, load_data
from reds_core.runs.folder import Mode, RunFolder
from reds_core.runs.inspection import refuse_unprunable
from reds_core.runs.recipe import Recipe, load_recipe
from reds_core.runs.request import RunRequest
from reds_core.runs.run import Run
from reds_core.runs.settings import DEFAULT_OUT, RunSettings, merged_options
from reds_core.runs.thinning import thinning_warning
from reds_core.scoring.scorer import ScoreLevel, Scorer, check_level, score
from reds_core.system.files import given_path
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher

Examples = tuple[tuple[npt.ArrayLike, npt.ArrayLike], tuple[npt.ArrayLike, npt.ArrayLike]]
"""(x_train, y_train), (x_test, y_test), as the loaders of common frameworks return them."""
Budgets = Mapping[str, float | str | Sequence[float | str]]


def _texts(budgets: Budgets | Sequence[str]) -> tuple[str, ...]:
    """Budgets as the command line takes them."""
    return budget_texts(budgets) if isinstance(budgets, Mapping) else tuple(budgets)


def _source(data: Any) -> str | Dataset | None:
    """Data as a run takes it.

    Raises:
        InputError: if it is none.
    """
    if isinstance(data, str | Dataset | None):
        return data
    if isinstance(data, Path):
        return str(data)
    try:
        (x_train, y_train), (x_test, y_test) = data
    except (TypeError, ValueError):
        raise InputError(
            f"data of type {type(data).__name__} cannot be used as a data set",
            "give the name or path of one, or ((x_train, y_train), (x_test, y_test))",
        ) from None
    return dataset_from_arrays((x_train, y_train), (x_test, y_test))


def prune(
    model: Any = None,
    data: str | Path | Dataset | Examples | None = None,
    budgets: Budgets | Sequence[str] | None = None,
    out: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    pruner: str | None = None,
    scorer: str | None = None,
    solver: str | None = None,
    options: Mapping[str, Mapping[str, str]] | None = None,
    imports: str | Path | Sequence[str | Path] | None = None,
    finetune_epochs: int | None = None,
    seed: int | None = None,
    settings: RunSettings | None = None,
    mode: Mode | str = Mode.REFUSE,
    default_data: str | None = None,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
) -> Plan:
    """Prune a network to a family of nested subnetworks; write files, plan and report to `out`.

    Args:
        model: the path of a model file, a model object of an installed framework, or None to train a small network on
            `data` first.
        data: `digits`, a path, the name of a data set, ((x_train, y_train), (x_test, y_test)), a `Dataset`, or None.
        budgets: {"macs": [0.5, 0.25], "peak_ram": "64KiB"}, or texts as on the command line.
        out: the folder; None means reds-out.
        recipe: a whole run, or the path of a recipe file; whatever else is given overrides it.
        pruner, scorer, solver, options, finetune_epochs, seed: as on the command line; None keeps those of the recipe
            or of `settings`; options are merged with them.
        imports: one or several Python files or dotted names of modules, with layers of your own that a model file
            refers to; they are imported before it is read. Not needed where `model` is an object.
        settings: everything else, where no recipe is given.
        mode: what to do where `out` holds a run already: "refuse", "resume" or "overwrite". A resumed run reads model,
            data and latency table from where it was started with unless they are given again.
        default_data: data of a new run that is given neither a model nor data.

    Returns:
        The plan; also in OUT/plan.json.

    Raises:
        InputError: if settings and a recipe are both given, or another run is writing to `out`.
        RedsError: whatever is wrong with the input, the budgets or a plugin.
    """
    if settings is not None and recipe is not None:
        raise InputError(
            "settings and a recipe are both given",
            "give one of them: put the settings into the recipe, or leave it out",
        )
    recipe = (
        recipe
        if isinstance(recipe, Recipe)
        else Recipe()
        if recipe is None
        else load_recipe(given_path(recipe, "recipe"))
    )
    model = recipe.model if model is None else model
    data = recipe.data if data is None else data
    settings = settings or recipe.settings
    folder = RunFolder(given_path(recipe.out or DEFAULT_OUT if out is None else out, "out"), Mode(mode))
    finetune = settings.finetune
    settings = replace(
        settings,
        budgets=settings.budgets if budgets is None else _texts(budgets),
        pruner=settings.pruner if pruner is None else pruner,
        scorer=settings.scorer if scorer is None else scorer,
        solver=settings.solver if solver is None else solver,
        options=merged_options(settings.options, options or {}),
        imports=settings.imports if imports is None else import_names(imports),
        finetune=finetune if finetune_epochs is None else replace(finetune, epochs=finetune_epochs),
        seed=settings.seed if seed is None else seed,
    )
    with folder.locked():
        known = folder.known()
        if known is not None:  # where it read from is not said again
            model = known.source("model", folder.path) if model is None else model
            data = known.source("data", folder.path) if data is None else data
            if settings.latency_table is None:
                settings = replace(settings, latency_table=known.source("latency_table", folder.path))
            if not settings.imports:
                settings = replace(settings, imports=known.imports())
        elif model is None and data is None:
            data = default_data
        source = _source(data)
        model = given_path(model, "model") if isinstance(model, str) else model
        request = RunRequest(model, source, settings)
        return Run(request, folder, registry or Registry(), watcher or Watcher()).execute()


def load_for_inspection(
    path: str | Path,
    registry: Registry | None = None,
    *,
    options: Mapping[str, Mapping[str, str]] | None = None,
    imports: str | Path | Sequence[str | Path] = (),
    strict: bool = False,
    watcher: Watcher | None = None,
) -> tuple[Framework, Any, Network]:
    """A model file's framework, its model object and its description.

    Args:
        options: of plugins, those of the framework among them: plugin name -> key -> text.
        imports: Python files and modules with layers of your own, imported before the model is read.
        strict: whether what cannot be pruned is an error; else `watcher` is warned.

    Raises:
        InputError, UnsupportedError, UnavailableError: if it cannot be read or understood.
    """
    registry = registry or Registry()
    framework = registry.default_framework(options, import_names(imports))
    model = framework.load_model(given_path(path, "model"))
    network = framework.inspect(model)
    if strict:
        refuse_unprunable(network)
    for warning in network.warnings:
        (watcher or Watcher()).warn(warning)
    return framework, model, network


def formulate_model(
    model: str | Path,
    data: str | Dataset | None,
    budgets: Budgets | Sequence[str],
    *,
    scorer: str = "taylor",
    score_level: ScoreLevel = ScoreLevel.CHANNEL,
    options: Mapping[str, Mapping[str, str]] | None = None,
    imports: str | Path | Sequence[str | Path] = (),
    task: Task | None = None,
    element_size_bytes: int = counting.DEFAULT_ELEMENT_SIZE_BYTES,
    latency_table: str | None = None,
    widths: WidthRules | None = None,
    strict: bool = False,
    seed: int = 0,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
) -> Formulation:
    """The knapsack problem of one model file under one budget.

    Args:
        imports: Python files and modules with layers of your own, imported before the model is read.
        widths: which widths are options.
        strict: whether what cannot be pruned is an error; else `watcher` is warned.

    Raises:
        InputError: if more than one subnetwork is asked for, or input is bad.
    """
    registry = registry or Registry()
    settings = RunSettings(element_size_bytes=element_size_bytes, latency_table=latency_table)
    parsed = parse_budgets(_texts(budgets))
    if len(parsed) != 1:
        raise InputError(
            f"{len(parsed)} budgets are given", "give one value for each resource, since a problem has one budget"
        )
    budget = parsed[0]
    counting.check_resources(budget.amounts, latency_table is not None)
    plugin = registry.create(Scorer, scorer, options)
    check_level(plugin, score_level)
    if data is None and plugin.needs_data:
        raise InputError(f"scorer '{scorer}' needs training data", "give --data, or take --scorer magnitude")
    latencies = settings.read_latencies()
    framework, loaded, network = load_for_inspection(
        model, registry, options=options, imports=imports, strict=strict, watcher=watcher
    )
    costs = settings.costs(network, latencies)
    rules = widths or WidthRules()
    rules.check(network)
    thinned = thinning_warning(network, rules)
    if thinned is not None:
        (watcher or Watcher()).warn(thinned)
    task = task or Task()
    train = None
    if data is not None:
        dataset = data if isinstance(data, Dataset) else load_data(data, framework, framework.input_shape(loaded), seed)
        train = framework.check_data(loaded, dataset.train, task, "training data")
    scores = score(plugin, framework, loaded, network, train, task, seed, score_level)
    return Statement(network, costs, rules).formulate(scores, budget, name=f"{Path(model).stem}-{budget.name}")
