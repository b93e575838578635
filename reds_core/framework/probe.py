"""The interfaces through which core measures latencies, and through which probes cut models of a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from reds_core.cost.latency_sampling import Segment, Timing
from reds_core.framework.data import Arrays
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


class Segmenter(ABC):
    """Cuts models of a framework into segments, each of which is a model that can be converted and timed."""

    @abstractmethod
    def segments(self, model: Any, network: Network) -> tuple[Segment, ...]:
        """Return the segments of `model` in execution order. Every call of `network` belongs to one segment.

        Calls may be added to the layers of `model`, so callers should pass a copy.
        """

    @abstractmethod
    def models(self, model: Any, indices: Sequence[int]) -> list[Any]:
        """Return some segments of `model`, each as a model of its own."""

    @abstractmethod
    def examples(self, model: Any) -> Arrays:
        """Return a few random examples for `model`, with labels that mean nothing."""

    @abstractmethod
    def nothing(self) -> Any:
        """Return a model that does next to nothing."""
