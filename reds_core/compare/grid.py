"""Lists the runs of a comparison: recipes x pruners x scorers x solvers x seeds, each with a unique name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from os import PathLike
from pathlib import Path

from reds_core.compare.record import RunKey
from reds_core.cost.budget import parse_budgets
from reds_core.errors import InputError, RedsError, argument, command
from reds_core.exchange.command_solver import is_command
from reds_core.knapsack.solver import Solver
from reds_core.plugin import Plugin, build_options, parse_plugin_list, plugin_text
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runs.participants import refuse_unknown, refuse_unused, run_participants, unused_options
from reds_core.runs.recipe import Recipe, load_recipe
from reds_core.runs.settings import RunSettings, merged_options
from reds_core.scoring.scorer import Scorer, check_level
from reds_core.system.files import absolute, given_path
from reds_core.system.users_code import absolute_imports

_AUTO = "auto"
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.=-]")
_LONGEST_NAME_BYTES = 240
"""File systems limit names to 255 bytes, of which suffixes take some."""


@dataclass(frozen=True)
class Grid:
    """What is compared.

    Attributes:
        recipes: recipe files with different names.
        pruners, scorers, solvers: lists such as "nested,layerwise[order=backward]"; None means that of each recipe.
        seeds: seeds of the runs; empty means the seed of each recipe.
    """

    recipes: Sequence[str | PathLike[str]]
    pruners: str | None = None
    scorers: str | None = None
    solvers: str | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """One run of a comparison.

    Attributes:
        key: what identifies the run.
        name: unique name within the comparison, which is valid as the name of a folder.
        recipe: the complete recipe of the run.
    """

    key: RunKey
    name: str
    recipe: Recipe

    @property
    def budgets(self) -> tuple[str, ...]:
        """Names of the budgets of the run."""
        return tuple(budget.name for budget in parse_budgets(self.recipe.settings.budgets))


@dataclass(frozen=True)
class _Variant:
    """A plugin with its options, and the text that the user gave."""

    label: str
    plugin: str
    options: dict[str, str]


def planned_runs(grid: Grid, registry: Registry) -> tuple[RunPlan, ...]:
    """List all runs, seeds in the outer loop, so that a comparison stopped early has every run with the first seed.

    Raises:
        InputError, UnavailableError: if a recipe is invalid, a plugin or option is unknown, or two runs are the same.
    """
    if not grid.recipes:
        raise InputError(
            "no recipe is given", f"give a YAML file, such as {command('prune')} takes as {argument('recipe')}"
        )
    recipes = _recipes(grid.recipes)
    pruners, scorers, solvers = (
        _variants(text, kind, registry)
        for text, kind in ((grid.pruners, Pruner.kind), (grid.scorers, Scorer.kind), (grid.solvers, Solver.kind))
    )
    _refuse_duplicates(grid.seeds, "seed")
    runs: dict[str, RunPlan] = {}
    for place in range(max(len(grid.seeds), 1)):
        for name, recipe in recipes.items():
            own = recipe.settings
            chosen = product(
                pruners or (_Variant(own.strategy, own.strategy, {}),),
                scorers or (_Variant(own.scorer, own.scorer, {}),),
                solvers or (_Variant(own.solver, own.solver, {}),),
            )
            idle: list[set[str]] = []
            for pruner, scorer, solver in chosen:
                seed = grid.seeds[place] if grid.seeds else own.seed
                run = _run(name, recipe, pruner, scorer, solver, seed)
                if place == 0:
                    _check(run.recipe.settings, name, registry)
                unused = unused_options(registry, run.recipe.settings.options, run_participants(run.recipe.settings))
                idle.append(set(unused))
                run = _without_options(run, unused)
                if len(run.name.encode()) > _LONGEST_NAME_BYTES:
                    raise InputError(f"the name of run '{run.name}' is too long", "give the recipe a shorter file name")
                if run.name in runs:
                    raise InputError(f"two runs would be named '{run.name}'", "give a recipe another file name")
                runs[run.name] = run
            kinds = {base.kind for base, _ in run_participants(own)}
            refuse_unused(registry, sorted(set.intersection(*idle)), kinds, f"recipe '{name}': ")
    return tuple(runs.values())


def _recipes(given: Sequence[str | PathLike[str]]) -> dict[str, Recipe]:
    paths = [given_path(path, "recipe") for path in given]
    _refuse_duplicates([path.stem for path in paths], "recipe")
    recipes = {}
    for path in paths:
        recipe = load_recipe(absolute(path))
        settings = recipe.settings
        files = {"model file": recipe.model, "data": recipe.data, "latency table": settings.latency_table}
        for what, file in (*files.items(), ("calibration data", settings.calibration)):
            if file is not None and Path(file).is_absolute() and not Path(file).exists():
                raise InputError(f"recipe '{path}': {what} '{file}' does not exist", "check the path")
        if recipe.data_sha256 is not None:
            raise InputError(
                f"the data of recipe '{path}' was given as objects in Python, which a recipe cannot hold",
                "save the arrays to an .npz file, name that as its data, and remove data_sha256",
            )
        if recipe.model is None and recipe.data is None:
            recipe = replace(recipe, data="digits")
        recipes[path.stem] = _absolute(recipe)
    return recipes


def _absolute(recipe: Recipe) -> Recipe:
    """Resolve the links in the paths of a recipe, so that each file has one name. Names of data sets stay."""

    def located(path: str | None) -> str | None:
        return path if path is None or not Path(path).is_absolute() else str(absolute(path))

    settings = replace(
        recipe.settings,
        latency_table=located(recipe.settings.latency_table),
        calibration=located(recipe.settings.calibration),
        imports=absolute_imports(recipe.settings.imports),
    )
    return Recipe(located(recipe.model), located(recipe.data), None, settings)


def _variants(text: str | None, kind: str, registry: Registry) -> tuple[_Variant, ...]:
    if text is None:
        return ()
    if kind == Solver.kind and is_command(text.strip()):  # not a list, since its arguments may have commas
        return (_Variant(text.strip(), text.strip(), {}),)
    variants = [_Variant(plugin_text(name, given), name, given) for name, given in parse_plugin_list(text, kind)]
    seen: dict[str, str] = {}
    for variant in variants:
        complete = plugin_text(variant.plugin, _complete(variant, kind, registry))
        if complete in seen:
            other = "" if seen[complete] == variant.label else f", also as '{seen[complete]}'"
            raise InputError(f"{kind} '{variant.label}' is named twice{other}", "name it once, or with other options")
        seen[complete] = variant.label
    return tuple(variants)


def _complete(variant: _Variant, kind: str, registry: Registry) -> dict[str, str]:
    """All options of a variant in one order, so that those that are spelt differently are the same."""
    base = next(base for base in (Pruner, Scorer, Solver) if base.kind == kind)
    if kind == Solver.kind and variant.plugin == _AUTO:
        return variant.options
    try:
        options = build_options(registry.get(base, variant.plugin), variant.options)
    except RedsError:  # which is raised with the name of the recipe later
        return variant.options
    return {field.name: repr(getattr(options, field.name)) for field in fields(options)}


def _refuse_duplicates(names: Iterable[object], what: str) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{what} '{name}' is named twice", "name it once, or give files of different names")
        seen.add(name)


def _run(name: str, recipe: Recipe, pruner: _Variant, scorer: _Variant, solver: _Variant, seed: int) -> RunPlan:
    settings = recipe.settings
    options = settings.options
    for variant in (pruner, scorer, solver):
        if variant.options:
            options = merged_options(options, {variant.plugin: variant.options})
    settings = replace(
        settings, pruner=pruner.plugin, scorer=scorer.plugin, solver=solver.plugin, options=options, seed=seed
    )
    key = RunKey(name, pruner.label, scorer.label, solver.label, seed)
    parts = (name, pruner.label, scorer.label, solver.label, f"seed{seed}")
    folder = "--".join(_NOT_IN_FILE_NAMES.sub("_", part).rstrip("_") for part in parts)
    return RunPlan(key, folder, replace(recipe, settings=settings))


def _without_options(run: RunPlan, names: Sequence[str]) -> RunPlan:
    """The same run without the options of some plugins, which take part in other runs of the comparison only."""
    settings = run.recipe.settings
    options = {name: given for name, given in settings.options.items() if name not in names}
    return replace(run, recipe=replace(run.recipe, settings=replace(settings, options=options)))


def _check(settings: RunSettings, name: str, registry: Registry) -> None:
    """Raise the errors that any run with these settings would raise, before the first run starts."""
    chosen: list[tuple[type[Plugin], str]] = [(Pruner, settings.strategy), (Scorer, settings.scorer)]
    if settings.solver != _AUTO:
        chosen.append((Solver, settings.solver))
    try:
        for base, plugin in chosen:
            registry.create(base, plugin, settings.options)
        refuse_unknown(registry, settings.options)
        check_level(registry.create(Scorer, settings.scorer, settings.options), settings.score_level)
        if settings.max_drop is not None:
            raise InputError(
                "max_drop finds a different budget in every run, so that the runs cannot be compared",
                "give budgets instead",
            )
        settings.check_countable(parse_budgets(settings.budgets))
    except InputError as error:
        raise InputError(f"recipe '{name}': {error.what}", error.fix) from error
