"""The interfaces through which core measures latencies, and through which probes cut models of a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reds_core.cost.latency_sampling import Segment, Timing
from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.network.description import Network


class LatencyProbe(ABC):
    """Measures latencies of models and their segments, exported and run by the device's interpreter on this machine.

    Attributes:
        suffix: The end of the names of the files that it exports.
    """

    suffix: ClassVar[str] = ""

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

    def part_files(self, model: Any, indices: Sequence[int]) -> list[bytes]:
        """Return the contents of the files of some segments of `model`, to be timed on another machine.

        Raises:
            UnsupportedError: If no other machine can time them, which is the default.
        """
        raise self._only_here()

    def whole_file(self, model: Any) -> bytes:
        """Return the content of the file of `model`. By default it refuses, like `part_files`."""
        raise self._only_here()

    def overhead_file(self) -> bytes:
        """Return the content of the file of a model that does nothing. By default it refuses, like `part_files`."""
        raise self._only_here()

    def timing_script(self, files: Mapping[str, str]) -> str:
        """Return the text of a program that times files on another machine. By default it refuses, like `part_files`.

        Args:
            files: The hexadecimal SHA-256 digest of each file by its name. The program is one of those that
                `Device.timing_script` returns.
        """
        raise self._only_here()

    def _only_here(self) -> UnsupportedError:
        return UnsupportedError(
            "the files of this target are timed on this machine only", "measure on the device itself"
        )


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
