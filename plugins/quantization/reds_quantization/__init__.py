"""Transforms that choose the number of bits of weights and activations."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.transforms import Transform
from reds_quantization.activation_bits import ActivationBits
from reds_quantization.truncated_bits import TruncatedBits
from reds_quantization.weight_bits import WeightBits

__all__ = ["ActivationBits", "TruncatedBits", "WeightBits"]


@hookimpl
def reds_transforms() -> Sequence[type[Transform]]:
    """Return the transforms of this package."""
    return [WeightBits, TruncatedBits, ActivationBits]
