"""Transforms: what a layer can become besides narrower; realisations: how the channels of a width stand for all."""

from __future__ import annotations

from reds_core.knapsack.levels import Dimension, LevelSettings, Nesting
from reds_core.transforms.compression import Compression
from reds_core.transforms.describing import described, layer_parts
from reds_core.transforms.factors import composed
from reds_core.transforms.joining import Joining, joined_weights, reads_channels
from reds_core.transforms.quantiser import REFINEMENTS, SMALLEST_SCALE, ZERO_BELOW, UniformQuantiser
from reds_core.transforms.realisation import Narrowing, Realisation
from reds_core.transforms.start import Smaller, Start
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform
from reds_core.transforms.truncation import (
    CODE_BITS,
    LARGEST_TRUNCATED,
    NEGLIGIBLE_SCALE,
    TRUNCATED_BITS,
    TRUNCATION_GRID,
    TRUNCATION_STEP,
    TruncatedQuantiser,
    are_truncated,
    codes_of_truncated,
    truncated_codes,
)

__all__ = [
    "CODE_BITS",
    "LARGEST_TRUNCATED",
    "NEGLIGIBLE_SCALE",
    "REFINEMENTS",
    "SMALLEST_SCALE",
    "TRUNCATED_BITS",
    "TRUNCATION_GRID",
    "TRUNCATION_STEP",
    "ZERO_BELOW",
    "Compression",
    "Dimension",
    "Joining",
    "LayerPart",
    "LevelSettings",
    "Narrowing",
    "Nesting",
    "Offered",
    "Realisation",
    "Smaller",
    "Stage",
    "Start",
    "Transform",
    "TruncatedQuantiser",
    "UniformQuantiser",
    "are_truncated",
    "codes_of_truncated",
    "composed",
    "described",
    "joined_weights",
    "layer_parts",
    "reads_channels",
    "truncated_codes",
]
