"""Transform of reds that sets weights to zero."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.transforms import Transform
from reds_sparsity.options import SparsityOptions
from reds_sparsity.sparsity import Sparsity

__all__ = ["Sparsity", "SparsityOptions"]


@hookimpl
def reds_transforms() -> Sequence[type[Transform]]:
    """Return the transforms of this package."""
    return [Sparsity]
