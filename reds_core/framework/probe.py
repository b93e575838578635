"""The interface through which core measures latencies with a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from reds_core.cost.latency_sampling import Segment, Timing
from reds_core.network.description import Network


class LatencyProbe(ABC):
    """Measures latencies of models and their segments, exported and run by the device's interpreter on this machine."""

    @abstractmethod
    def segments(self, model: Any, network: Network) -> tuple[Segment, ...]:
        """Return the segments of `model` in execution order. Every call of `network` belongs to one segment.

        Calls may be added to the layers of `model`, so callers should pass a copy.
        """

    @abstractmethod
    def parts(self, model: Any, indices: Sequence[int]) -> list[Timing]:
        """Time some segments of `model`, each on its own."""

    @abstractmethod
    def whole(self, model: Any) -> Timing:
        """Export `model` and time it."""

    @abstractmethod
    def exported(self, content: bytes) -> Timing:
        """Time the content of an exported file."""

    @abstractmethod
    def overhead(self) -> Timing:
        """Time a model that does nothing."""
