"""Importance of channels: the base class of scorers, sums of weight scores over channels, and their normalisation."""

from __future__ import annotations

from reds_core.scoring.attribution import (
    Importance,
    attribute_to_channels,
    attribute_to_kernels,
    attribute_to_readers,
    check_readers,
    filters,
    masked,
)
from reds_core.scoring.exchange_rate import (
    FittedRate,
    TrainedChoice,
    fitted_rate,
    level_pair_values,
    level_values,
    width_value,
)
from reds_core.scoring.level_excesses import LevelExcess, level_excesses
from reds_core.scoring.level_losses import LevelLoss, LevelLosses, level_losses
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.normalisation import Normalisation, normalise
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable, score

__all__ = [
    "FittedRate",
    "Importance",
    "LevelExcess",
    "LevelLoss",
    "LevelLosses",
    "LossMeasurement",
    "Normalisation",
    "ScoreLevel",
    "ScoreTable",
    "Scorer",
    "TrainedChoice",
    "attribute_to_channels",
    "attribute_to_kernels",
    "attribute_to_readers",
    "check_readers",
    "filters",
    "fitted_rate",
    "level_excesses",
    "level_losses",
    "level_pair_values",
    "level_values",
    "masked",
    "normalise",
    "score",
    "width_value",
]
