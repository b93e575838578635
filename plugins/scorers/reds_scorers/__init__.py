"""Scorers of channels that work with every framework."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.scoring import Scorer
from reds_scorers.activation import MeanActivationScorer, ZerosScorer
from reds_scorers.bn_scale import BatchNormScaleScorer
from reds_scorers.fisher import FisherScorer
from reds_scorers.geometric_median import GeometricMedianScorer
from reds_scorers.magnitude import MagnitudeScorer
from reds_scorers.random import RandomScorer
from reds_scorers.sensitivity import SensitivityScorer
from reds_scorers.taylor import TaylorScorer

__all__ = [
    "BatchNormScaleScorer",
    "FisherScorer",
    "GeometricMedianScorer",
    "MagnitudeScorer",
    "MeanActivationScorer",
    "RandomScorer",
    "SensitivityScorer",
    "TaylorScorer",
    "ZerosScorer",
]


@hookimpl
def reds_scorers() -> Sequence[type[Scorer]]:
    """Return the scorers of this package."""
    return [
        MagnitudeScorer,
        TaylorScorer,
        FisherScorer,
        BatchNormScaleScorer,
        GeometricMedianScorer,
        MeanActivationScorer,
        ZerosScorer,
        SensitivityScorer,
        RandomScorer,
    ]
