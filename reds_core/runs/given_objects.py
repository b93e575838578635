"""Losses, metrics and optimizers that are given as objects in Python, or that a model was compiled with."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.framework.training import TrainingObjects
from reds_core.registry import Registry
from reds_core.runs.settings import RunSettings

_OF_THE_OPTIMIZER = (
    "optimizer",
    "learning_rate",
    "momentum",
    "schedule",
    "warmup_epochs",
    "weight_decay",
    "clip_norm",
)
"""Settings of fine-tuning that describe an optimizer and its learning rate."""


@dataclass(frozen=True, eq=False)
class GivenObjects:
    """What a caller in Python gives for the training.

    Attributes:
        callbacks: Callbacks of the framework's training loop.
        optimizer: An optimizer object, the name of one, or None.
        task: Losses, metrics and weights of losses; None for each that is not given.
    """

    callbacks: tuple[Any, ...] = ()
    optimizer: Any | None = None
    task: Task = Task()

    def resolved(self, model: Any, settings: RunSettings, registry: Registry) -> tuple[RunSettings, TrainingObjects]:
        """Return the settings and the objects of the run.

        What is given takes precedence over the settings, and the settings over what the model was compiled with.

        Args:
            model: The model of the run: a path, a model object, or None.
            settings: All settings of the run.
            registry: Knows the framework of a model object.

        Raises:
            InputError: If an optimizer is not an object with a configuration, or the model is of no framework.
        """
        if isinstance(self.optimizer, str):
            named = replace(settings.finetune, optimizer=self.optimizer)
            return replace(self, optimizer=None).resolved(model, replace(settings, finetune=named), registry)
        if self.optimizer is not None and not _is_object(self.optimizer, "get_config"):
            raise InputError(
                f"optimizer {_described(self.optimizer)} is not an optimizer object",
                "give an optimizer object of the framework, or a name such as adam",
            )
        compiled, objects = Task(), TrainingObjects()
        if not isinstance(model, Path | None):
            framework = registry.framework_of(model, settings.options, settings.imports)
            compiled, objects = framework.compiled_with(model)
            if not settings.task.is_labelled:  # the loss by which an encoder was trained compares other things
                compiled = Task()
        task = replace(_first_given(self.task, settings.task, compiled), kind=settings.task.kind)
        optimizer = self.optimizer
        if optimizer is None and not _describes_optimizer(settings.finetune):
            optimizer = objects.optimizer
        return replace(settings, task=task), TrainingObjects(self.callbacks, optimizer)


def callbacks_of(given: Any) -> tuple[Any, ...]:
    """Return the callbacks that are given, which may be a single one or None.

    Raises:
        InputError: If one is not a callback object.
    """
    callbacks = () if given is None else tuple(given) if isinstance(given, Sequence) else (given,)
    for callback in callbacks:
        if not _is_object(callback, "set_model"):
            raise InputError(
                f"callback {_described(callback)} is not a callback object", "give callback objects of the framework"
            )
    return callbacks


def _is_object(given: Any, method: str) -> bool:
    return hasattr(given, method) and not inspect.isclass(given)


def _described(given: Any) -> str:
    return f"class {given.__name__}" if inspect.isclass(given) else f"of type {type(given).__name__}"


def _first_given(*tasks: Task) -> Task:
    """Return the first loss, metric and weights of losses that are not None."""

    def first(name: str) -> Any:
        return next((getattr(task, name) for task in tasks if getattr(task, name) is not None), None)

    return Task(first("loss"), first("metric"), first("loss_weights"))


def _describes_optimizer(settings: FinetuneSettings) -> bool:
    """Whether any setting of the optimizer differs from its default."""
    default = FinetuneSettings()
    return any(getattr(settings, name) != getattr(default, name) for name in _OF_THE_OPTIMIZER)
