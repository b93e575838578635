"""The option by which scorers of channels and kernels are normalised, with a default for each of the two levels."""

from __future__ import annotations

from typing import Literal

from reds_core.scoring import Normalisation

ByLevel = Literal["auto", "none", "mean", "max", "sum", "l2", "log"]
"""A normalisation, or "auto" for the default of the score level."""


def of_level(how: ByLevel, suits: Normalisation) -> Normalisation:
    """Return `how`, or the default `suits` of the score level if `how` is "auto"."""
    return suits if how == "auto" else how
