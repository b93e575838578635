"""The request for a run: a model, data and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.framework.framework import Framework
from reds_core.framework.task import TaskKind
from reds_core.framework.training import TrainingObjects
from reds_core.registry import Registry
from reds_core.runs.calibration_setting import examples_wanted
from reds_core.runs.dataset import Dataset
from reds_core.runs.folder import OPTIMIZER, VALIDATION
from reds_core.runs.given_data import Splits
from reds_core.runs.offered_levels import check_decided_without_data
from reds_core.runs.recipe import recipe_of
from reds_core.runs.settings import OPTIONAL_SETTINGS, TRANSFORM_SETTINGS, RunSettings
from reds_core.scoring.scorer import Scorer
from reds_core.system.records import to_plain
from reds_core.transforms.realisation import DROP
from reds_core.transforms.transform import Transform


@dataclass(frozen=True)
class RunRequest:
    """What a user asks a run for.

    Attributes:
        model: The path of a model file, a model object of a framework, or None to train a small baseline on the data.
        data: A source for `reds_core.runs.dataset.load_data`, a `Dataset`, objects in Python, or None.
        settings: All other settings.
        validation: Validation data as an object in Python; None to hold back a part of the training data.
        objects: Objects of the framework that are given in Python for the training.
        calibration: Data on which files are calibrated if it is an object in Python, else None.
        data_digest: The digest that the data must have; None if any will do.
    """

    model: Path | Any | None
    data: str | Dataset | Splits | None
    settings: RunSettings
    validation: Any | None = None
    objects: TrainingObjects = field(default_factory=TrainingObjects)
    data_digest: str | None = None
    calibration: Any | None = None

    @property
    def options(self) -> dict[str, Any]:
        """All settings by name, as in plan.json. Paths are absolute."""
        recipe = recipe_of(self.model, self.data, self.settings)
        options: dict[str, Any] = to_plain(recipe.settings)
        if not self.settings.names_targets:
            left_out = {*TRANSFORM_SETTINGS} - ({"exchange_rate"} if self.settings.widths.skip_blocks else set())
            options = {name: value for name, value in options.items() if name not in left_out}
        if self.settings.realise == DROP:
            del options["realise"]
        options = {name: value for name, value in options.items() if name not in OPTIONAL_SETTINGS or value is not None}
        if not self.settings.widths.skip_blocks:
            options["widths"] = {name: value for name, value in options["widths"].items() if name != "skip_blocks"}
        given: dict[str, Any] = {} if self.validation is None else {VALIDATION: "given"}
        if self.objects.optimizer is not None:
            given[OPTIMIZER] = type(self.objects.optimizer).__name__
        return {"model": recipe.model, "data": recipe.data, **given, **options}

    @property
    def is_calibrated(self) -> bool:
        """Whether there is data on which files can be calibrated."""
        return self.data is not None or examples_wanted(self.settings.calibration) is None

    def check_sources(self, scorer: Scorer, transforms: Sequence[Transform] = ()) -> None:
        """Refuse a request that lacks a model or data.

        Raises:
            InputError: If neither a model nor data is given, if data that training, `scorer` or the choice of levels
                needs is missing, or if a task without labels is given without a model or with weights of classes.
        """
        kind = self.settings.task.kind
        if self.model is None and not self.settings.task.is_labelled:
            raise InputError(
                f"{argument('task', kind.value)} is given without a model, since networks are trained from scratch on "
                "labels only",
                "give the encoder" if kind is TaskKind.EMBEDDING else "give the autoencoder",
            )
        if self.settings.class_weight is not None and not self.settings.task.is_labelled:
            raise InputError(
                f"{argument('class_weight')} is given, but {argument('task', kind.value)} has no classes",
                "leave out one of them",
            )
        if self.data is None and (self.settings.finetune.epochs or scorer.needs_data):
            what = f"scorer '{scorer.name}'" if scorer.needs_data else "fine-tuning"
            raise InputError(
                f"{what} needs training data",
                f"give {argument('data')}, or use {argument('scorer', 'magnitude')} "
                f"and {argument('finetune_epochs', 0)}",
            )
        if self.data is None:
            check_decided_without_data(transforms)
        if self.data is None and self.validation is not None:
            raise InputError("validation_data is given without training data", "give data")
        if self.model is None and self.data is None:
            raise InputError("neither a model nor data is given", "give one of them")

    def framework(self, registry: Registry) -> Framework:
        """The framework that the model object belongs to, or else the one that reads model files.

        Raises:
            InputError: If the model object belongs to no installed framework.
            UnavailableError: If a library of the framework is missing.
        """
        if isinstance(self.model, Path | None):
            return registry.default_framework(self.settings.options, self.settings.imports)
        return registry.framework_of(self.model, self.settings.options, self.settings.imports)
