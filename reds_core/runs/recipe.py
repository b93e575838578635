"""Recipes: YAML files that hold all settings of a run, from which it can be repeated."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.cost.budget import budget_texts, parse_budgets
from reds_core.errors import InputError
from reds_core.runs.calibration_setting import examples_wanted
from reds_core.runs.dataset import is_path_text
from reds_core.runs.settings import RunSettings
from reds_core.system.files import absolute, given_path, write_text
from reds_core.system.records import to_plain
from reds_core.system.users_code import absolute_imports, is_file
from reds_core.system.yaml_records import YamlFile

RECIPE_FILE = "recipe.yaml"
_HEADER = "# A run of reds: `reds prune --recipe THIS --out FOLDER` makes the same plan again.\n"
_DATA = "# The data was given as objects in Python. Give it again as `data`, or a file that holds the same arrays.\n"
_MODEL = "# The model was an object in Python that could not be saved. Give it again as `model`, or name a file.\n"


@dataclass(frozen=True)
class Recipe:
    """What to prune, on what data, where to, and how.

    Attributes:
        model: The path of a model file; None trains a small network on the data first.
        data: The name or path of a data set; None if none is needed.
        out: The folder for the results; None leaves the choice to the caller.
        settings: All other settings.
        data_sha256: The digest of data that was given as objects in Python, in hexadecimal. Such data has to be given
            again, and other data is refused. None for data that is read from a path or by a name.
    """

    model: str | None = None
    data: str | None = None
    out: str | None = None
    settings: RunSettings = field(default_factory=RunSettings)
    data_sha256: str | None = None


def load_recipe(path: str | PathLike[str]) -> Recipe:
    """Read a recipe, whose keys are model, data, out and the fields of `RunSettings`. Missing keys have their defaults.

    Paths are relative to the folder of the recipe. Data that does not exist there is taken as the name of a data set,
    unless it is named like a file.
    Budgets are {resource: amounts}, or texts as on the command line.

    Raises:
        InputError: If a key is unknown, of the wrong type or out of range; the message names the line and the key.
    """
    path = given_path(path, "recipe")
    file = YamlFile(path, "recipe")
    sources = dict.fromkeys(("model", "data", "out", "data_sha256"), str | None)
    found = file.values({**sources, **typing.get_type_hints(RunSettings)}, special={"budgets": _budgets})
    here = path.parent
    for key in ("model", "out", "latency_table"):
        if found.get(key) is not None:
            found[key] = str(here / found[key])
    if "imports" in found:
        found["imports"] = tuple(str(here / name) if is_file(name) else name for name in found["imports"])
    data = found.get("data")
    is_named = data != "digits" and found.get("data_sha256") is None
    if data is not None and is_named and ((here / data).exists() or is_path_text(data)):
        found["data"] = str(here / data)
    calibration = found.get("calibration")
    if calibration is not None and calibration != "digits" and (here / calibration).exists():
        found["calibration"] = str(here / calibration)
    try:
        settings = RunSettings(**{key: value for key, value in found.items() if key not in sources})
    except InputError as error:
        raise InputError(f"recipe '{path}': {error.what}", error.fix) from error
    return Recipe(settings=settings, **{key: found.get(key) for key in sources})


def recipe_text(recipe: Recipe) -> str:
    """A recipe as YAML. All settings are written out, so that the recipe stays valid if defaults change."""
    import yaml

    keys = ("model", "data", "data_sha256", "out")
    plain = {key: getattr(recipe, key) for key in keys if getattr(recipe, key) is not None}
    text: str = yaml.safe_dump({**plain, **to_plain(recipe.settings)}, sort_keys=False, allow_unicode=True)
    return text


def save_recipe(
    folder: Path, model: Any, data: Any, settings: RunSettings, digest: str | None = None, given: Sequence[str] = ()
) -> None:
    """Write FOLDER/recipe.yaml with absolute paths.

    Args:
        folder: The folder of the run.
        model: A path, None, or an object, of which only the type can be saved.
        data: A name, a path, None, or a data set in memory, of which only the name can be saved.
        settings: All other settings.
        digest: The digest of the data.
        given: The names of other arguments that were objects in Python, which a recipe cannot hold.

    Raises:
        InputError: If it cannot be written.
    """
    recipe = recipe_of(model, data, settings)
    notes = _HEADER
    if not isinstance(model, str | Path | None):
        notes += _MODEL
    if not isinstance(data, str | None):
        notes += _DATA
        recipe = dataclasses.replace(recipe, data_sha256=digest)
    if given:
        notes += f"# These arguments were objects in Python, so the same plan needs them again: {', '.join(given)}.\n"
    write_text(folder / RECIPE_FILE, notes + recipe_text(recipe))


def recipe_of(model: Any, data: Any, settings: RunSettings) -> Recipe:
    """The recipe of a run with absolute paths, so that it can be read from any folder.

    Args:
        model: A path, None, or an object, which is represented by the name of its type.
        data: A name, a path, None, or a data set in memory, which is represented by its name.
        settings: All other settings.
    """
    named_model = None if model is None else type(model).__name__
    if isinstance(model, str | Path):
        named_model = str(absolute(model))
    named_data = data if isinstance(data, str | None) else data.name
    if isinstance(data, str) and _is_path(data):
        named_data = str(absolute(data))
    table, calibration = settings.latency_table, settings.calibration
    if calibration is not None and examples_wanted(calibration) is None and _is_path(calibration):
        calibration = str(absolute(calibration))
    settings = dataclasses.replace(
        settings,
        pruner=settings.strategy,
        latency_table=None if table is None else str(absolute(table)),
        calibration=calibration,
        imports=absolute_imports(settings.imports),
        task=settings.task.described(),
    )
    return Recipe(named_model, named_data, None, settings)


def _is_path(data: str) -> bool:
    """Whether data is named by a path that exists, not by the name of a data set."""
    return data != "digits" and Path(data).exists()


def _budgets(plain: Any) -> tuple[str, ...]:
    """Convert budgets to texts as the command line accepts them, and check them.

    Raises:
        InputError: If they are invalid.
    """
    if isinstance(plain, Mapping):
        texts = budget_texts({str(resource): amounts for resource, amounts in plain.items()})
    else:
        listed = plain if isinstance(plain, list) else [plain]
        if not all(isinstance(each, str) for each in listed):
            raise InputError("budgets are neither a mapping nor texts", "write budgets: {macs: [0.5, 0.25]}")
        texts = tuple(listed)
    if texts:  # with a limit of the drop, there may be none
        parse_budgets(texts)
    return texts
