"""The interface through which core measures latencies with a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from reds_core.cost.latency_sampling import Segment, Timing
from reds_core.network.description import Network


class LatencyProbe(ABC):
    """Times models, and segments of them, as exported files in the device's interpreter on this machine."""

    @abstractmethod
    def segments(self, model: Any, network: Network) -> tuple[Segment, ...]:
        """The segments of `model`, in execution order: every call of `network` belongs to one.

        Its layers may gain calls, so give a copy.
        """

    @abstractmethod
    def parts(self, model: Any, indices: Sequence[int]) -> list[Timing]:
        """Some segments of `model`, each alone."""

    @abstractmethod
    def whole(self, model: Any) -> Timing:
        """`model` as it is exported."""

    @abstractmethod
    def exported(self, content: bytes) -> Timing:
        """A file as it was exported."""

    @abstractmethod
    def overhead(self) -> Timing:
        """Running a model that does nothing."""
