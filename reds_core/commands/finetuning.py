"""Options of fine-tuning, as commands take them: None leaves a setting as it is, `Absent` takes it away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from reds_core.commands.overriding import listed, or_none
from reds_core.framework.finetuning import FinetuneSettings, Precision, Schedule, Teacher

_PANEL = "Fine-tuning"
_DEFAULTS = FinetuneSettings()


def _option(text: str, default: object, *names: str, least: int | None = None) -> Any:
    shown = "none" if default is None else default
    return typer.Option(*names, help=f"{text} (default: {shown})", rich_help_panel=_PANEL, min=least)


Epochs = Annotated[
    int | None,
    _option("Passes over the training data, of the whole run", _DEFAULTS.epochs, "--finetune-epochs", least=0),
]
BatchSize = Annotated[int | None, _option("Examples a training step", _DEFAULTS.batch_size, least=1)]
LearningRate = Annotated[float | None, _option("The highest learning rate", _DEFAULTS.learning_rate)]
Optimizer = Annotated[str | None, _option("Keras optimizer: adam, adamw, sgd, ...", _DEFAULTS.optimizer)]
Momentum = Annotated[Any, or_none(float, _option("Of optimizers that have one", "0.9 for sgd"))]
ScheduleName = Annotated[Schedule | None, _option("How the rate falls", _DEFAULTS.schedule.value, "--schedule")]
WarmupEpochs = Annotated[float | None, _option("Over which the rate first rises", _DEFAULTS.warmup_epochs)]
WeightDecay = Annotated[Any, or_none(float, _option("Of kernels, decoupled", "the optimizer's own"))]
ClipNorm = Annotated[Any, or_none(float, _option("Norm to which gradients are shortened", _DEFAULTS.clip_norm))]
Patience = Annotated[
    Any, or_none(int, _option("Epochs without a lower held-back loss until training stops", _DEFAULTS.patience))
]
Augment = Annotated[
    list[str] | None,
    _option("Change of training images, NAME[=STRENGTH]: flip, shift, rotate, zoom, ... Repeatable", "none"),
]
Dropout = Annotated[float | None, _option("Share of the model's dropout rates that is kept", _DEFAULTS.dropout)]
PrecisionName = Annotated[Precision | None, _option("What is computed in", _DEFAULTS.precision.value, "--precision")]
Distill = Annotated[Teacher | None, _option("Who gives soft targets", _DEFAULTS.distill.value)]
DistillWeight = Annotated[float | None, _option("Share of soft targets in the loss", _DEFAULTS.distill_weight)]
DistillTemperature = Annotated[float | None, _option("Softens the targets", _DEFAULTS.distill_temperature)]
Recalibrate = Annotated[
    bool | None,
    _option("Measure batch-norm statistics of networks that are not trained", "on", "--recalibrate/--no-recalibrate"),
]


def comma_separated(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    """The parts of texts such as "flip,shift=0.1"; none alone has none. None where no text is given."""
    return None if texts is None else listed([part for text in texts for part in text.split(",")])
