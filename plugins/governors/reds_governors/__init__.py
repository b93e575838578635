"""The governors of reds: which member of a family a device runs next, by feedback."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.runtime import Governor
from reds_governors.threshold import ThresholdGovernor

__all__ = ["ThresholdGovernor"]


@hookimpl
def reds_governors() -> Sequence[type[Governor]]:
    """The governors of this package."""
    return [ThresholdGovernor]
