"""How important each channel is: the boundary to scorers, and how scores of weights become scores of channels."""

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
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable, score

__all__ = [
    "Importance",
    "ScoreLevel",
    "ScoreTable",
    "Scorer",
    "attribute_to_channels",
    "attribute_to_kernels",
    "attribute_to_readers",
    "check_readers",
    "filters",
    "masked",
    "score",
]
