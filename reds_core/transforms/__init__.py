"""Transforms: what a layer can become besides narrower, such as a layer with weights of fewer bits."""

from __future__ import annotations

from reds_core.knapsack.levels import Dimension, LevelSettings, Nesting
from reds_core.transforms.describing import described, layer_parts
from reds_core.transforms.factors import composed
from reds_core.transforms.quantiser import REFINEMENTS, SMALLEST_SCALE, ZERO_BELOW, UniformQuantiser
from reds_core.transforms.start import Smaller, Start
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform

__all__ = [
    "REFINEMENTS",
    "SMALLEST_SCALE",
    "ZERO_BELOW",
    "Dimension",
    "LayerPart",
    "LevelSettings",
    "Nesting",
    "Offered",
    "Smaller",
    "Stage",
    "Start",
    "Transform",
    "UniformQuantiser",
    "composed",
    "described",
    "layer_parts",
]
