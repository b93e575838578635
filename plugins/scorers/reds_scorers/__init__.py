"""Channel scorers of reds that work with every framework."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.scorer import Scorer
from reds_scorers.magnitude import MagnitudeScorer
from reds_scorers.taylor import TaylorScorer

__all__ = ["MagnitudeScorer", "TaylorScorer"]


@hookimpl
def reds_scorers() -> Sequence[type[Scorer]]:
    """The scorers of this package."""
    return [MagnitudeScorer, TaylorScorer]
