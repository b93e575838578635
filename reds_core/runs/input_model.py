"""What a finished run was given: whether its data has labels, and its model, which is the teacher of embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_core.framework.framework import Framework
from reds_core.framework.task import TaskKind
from reds_core.plan import PLAN_FILE, Plan, load_plan, plan_folder
from reds_core.runs.file_names import baseline_file
from reds_core.runs.provenance import file_hash, weights_hash


def is_labelled_run(folder: str | PathLike[str]) -> bool:
    """Whether the data of a finished run has labels; true if there is no plan, which is refused elsewhere."""
    return _task_of(folder).get("kind") in (None, TaskKind.SUPERVISED.value)


def metric_of_run(folder: str | PathLike[str]) -> str | None:
    """The name of the metric of a finished run; None for accuracy, or if there is no plan."""
    return _task_of(folder).get("metric")


def _task_of(folder: str | PathLike[str]) -> Mapping[str, Any]:
    """The option "task" of a finished run; empty if there is no plan."""
    place = plan_folder(folder)
    task = load_plan(place).options.get("task") if (place / PLAN_FILE).exists() else None
    return task if isinstance(task, Mapping) else {}


def input_model(folder: Path, plan: Plan, framework: Framework, fix: str = "put it back, or run prune again") -> Any:
    """Read the model that a finished run was given.

    Args:
        folder: The folder of the run.
        plan: Its plan.
        framework: The framework of its models.
        fix: What the user can do if it is missing or has changed.

    Raises:
        InputError: If the file is missing, or has changed since the run.
    """
    recorded = plan.options.get("model")
    is_file = isinstance(recorded, str) and Path(recorded).is_absolute()
    path = Path(str(recorded)) if is_file else folder / baseline_file(framework.file)
    if not path.is_file():
        raise InputError(f"the input model '{path}' of the run in '{folder}' no longer exists", fix)
    if is_file and plan.hashes.model is not None and file_hash(path) != plan.hashes.model:
        raise InputError(f"the input model '{path}' has changed since the run in '{folder}'", fix)
    model = framework.load_model(path)
    if not is_file and plan.hashes.model not in (None, weights_hash(framework, model, framework.inspect(model))):
        raise InputError(f"'{path}' is not the input model of the run in '{folder}'", fix)
    return model
