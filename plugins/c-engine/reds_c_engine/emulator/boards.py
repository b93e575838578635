"""The cores that can be emulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType


@dataclass(frozen=True)
class Core:
    """A Cortex-M core on a board of QEMU.

    Attributes:
        name: Its name for the compiler, such as "cortex-m4".
        board: The board of QEMU.
        float_abi: Whether floating-point registers pass arguments: "soft" or "hard".
        clock_hz: The frequency of the counter of ticks.
    """

    name: str
    board: str
    float_abi: str
    clock_hz: int

    def instructions(self, ticks: int, shift: int) -> Fraction:
        """Return the number of instructions in ticks, where an instruction takes 2**shift ns of virtual time."""
        return Fraction(ticks * 1_000_000_000, self.clock_hz << shift)


CORES: Mapping[str, Core] = MappingProxyType(
    {
        core.name: core
        for core in (
            Core("cortex-m4", "mps2-an386", "soft", 25_000_000),
            Core("cortex-m7", "mps2-an500", "soft", 25_000_000),
            Core("cortex-m55", "mps3-an547", "hard", 32_000_000),
        )
    }
)
"""The cores, by name."""
