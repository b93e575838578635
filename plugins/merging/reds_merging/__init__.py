"""Realisation of reds that merges similar channels instead of dropping them."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.transforms import Compression
from reds_merging.fold import Fold, FoldOptions

__all__ = ["Fold", "FoldOptions"]


@hookimpl
def reds_transforms() -> Sequence[type[Compression]]:
    """Return the realisations of this package."""
    return [Fold]
