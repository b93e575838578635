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
from reds_core.scoring.normalisation import Normalisation, normalise
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable, score

__all__ = [
    "Importance",
    "Normalisation",
    "ScoreLevel",
    "ScoreTable",
    "Scorer",
    "attribute_to_channels",
    "attribute_to_kernels",
    "attribute_to_readers",
    "check_readers",
    "filters",
    "masked",
    "normalise",
    "score",
]
