"""The configurations of the NPU, and what surrounds it, as Vela names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ACCELERATORS = (
    *("ethos-u55-128", "ethos-u55-32", "ethos-u55-64", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""The accelerators by their number of multiply-accumulates a cycle. The first is the default."""
_SYSTEMS = {
    "ethos-u55": "Ethos_U55_High_End_Embedded",
    "ethos-u65": "Ethos_U65_Embedded",
    "ethos-u85": "Ethos_U85_SYS_Flash_High",
}
"""The system of each family of accelerators unless another is given: all run at 500 MHz and have weights in flash."""
SHARED_SRAM = "Shared_Sram"
"""The mode in which weights are in flash and activations in SRAM."""
CONFIGURATION_FILE = "Arm/vela.ini"
"""The file with systems and modes that comes with Vela."""


@dataclass(frozen=True)
class Configuration:
    """An NPU and what surrounds it.

    Attributes:
        accelerator: One of `ACCELERATORS`.
        system: The name of a system configuration of Vela: clocks, bandwidths and latencies of memories.
        mode: The name of a memory mode of Vela: what is in which memory.
    """

    accelerator: str
    system: str
    mode: str

    @staticmethod
    def of(accelerator: str | None, system: str, mode: str) -> Configuration:
        """Return a configuration, with the default of what is not given.

        Args:
            accelerator: One of `ACCELERATORS`; None for the first.
            system: A system configuration; empty for that of the accelerator's family.
            mode: A memory mode; empty for `SHARED_SRAM`.
        """
        chosen = accelerator or ACCELERATORS[0]
        return Configuration(chosen, system or _SYSTEMS[chosen.rpartition("-")[0]], mode or SHARED_SRAM)

    @property
    def arguments(self) -> list[str]:
        """The arguments of Vela. All are given, since its defaults would warn and may change."""
        return [
            *("--config", CONFIGURATION_FILE, "--accelerator-config", self.accelerator),
            *("--system-config", self.system, "--memory-mode", self.mode),
        ]

    @property
    def options(self) -> Mapping[str, str]:
        """The options of the target that lead to this configuration."""
        return {"system_config": self.system, "memory_mode": self.mode}
