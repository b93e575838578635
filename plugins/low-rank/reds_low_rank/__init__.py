"""Transform of reds that replaces layers by two or three layers of low rank."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.transforms import Transform
from reds_low_rank.low_rank import LowRank

__all__ = ["LowRank"]


@hookimpl
def reds_transforms() -> Sequence[type[Transform]]:
    """Return the transforms of this package."""
    return [LowRank]
