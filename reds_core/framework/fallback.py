"""The interface of int8 files in which some layers keep more exact numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Literal

FallbackNumbers = Literal["float", "16x8"]
"""What layers of an int8 file can keep instead: float32, or weights of 8 bits with activations of 16 bits."""


class Fallback(ABC):
    """The int8 file of one network, some of whose layers can keep more exact numbers."""

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that can keep more exact numbers, the most sensitive first.

        The sensitivity of a layer is the error of the outputs on the calibration examples if it alone has 8 bits. What
        belongs to no layer that can be named has the name of its part of the file.
        """

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs of the file that can have more exact numbers as well; none by default.

        Whoever runs the file then has to give it such numbers, so inputs keep 8 bits if layers alone are enough.
        """
        return ()

    @abstractmethod
    def write(self, kept: Collection[str], path: Path) -> None:
        """Write the file atomically, in which the layers and inputs `kept` have more exact numbers.

        Raises:
            InputError: If it cannot be written.
            UnsupportedError: If no such file can be made.
        """

    def latency_ns(self, path: Path) -> float | None:
        """Return the latency of a written file on this machine in ns; None if it is not measured, the default."""
        return None
