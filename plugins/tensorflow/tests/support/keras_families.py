"""Families whose members keep the same share of every group."""

from __future__ import annotations

from typing import Any

from reds_tensorflow.extraction import extract
from reds_tensorflow.tracing import inspect

from reds_core.framework import Family, member_kept


def family_of(model: Any, *fractions: float) -> Family[Any]:
    """The family of `model` with a member for each fraction of the widths, smallest first."""
    network = inspect(model)
    widths = tuple({g.name: max(round(g.channels * f), 1) for g in network.groups} for f in fractions)
    return Family(model, tuple(extract(model, network, member_kept(w)) for w in widths), widths)
