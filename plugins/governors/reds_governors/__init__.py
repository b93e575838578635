"""The governors of reds: which member of a family a device runs next, by feedback."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.runtime import Governor
from reds_governors.mpc import PredictiveGovernor
from reds_governors.oracle import OracleGovernor
from reds_governors.pi import ProportionalIntegralGovernor
from reds_governors.pid import PidGovernor
from reds_governors.threshold import ThresholdGovernor

__all__ = [
    "OracleGovernor",
    "PidGovernor",
    "PredictiveGovernor",
    "ProportionalIntegralGovernor",
    "ThresholdGovernor",
]


@hookimpl
def reds_governors() -> Sequence[type[Governor]]:
    """The governors of this package."""
    return [ThresholdGovernor, ProportionalIntegralGovernor, PidGovernor, PredictiveGovernor, OracleGovernor]
