"""Trees of files like those in which Linux shows the energy counters of processors."""

from __future__ import annotations

from pathlib import Path

RANGE_UJ = 262_143_328_850
"""That of processors that count 61 uJ at a time in 32 bits."""


class PowercapTree:
    """A folder of zones, whose counters a test raises.

    Args:
        root: The folder, which is made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def zone(self, folder: str, name: str, start: int = 1000) -> Path:
        """Add a zone with a counter at `start`, and return its folder."""
        made = self.root / folder
        made.mkdir()
        (made / "name").write_text(f"{name}\n")
        (made / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (made / "energy_uj").write_text(f"{start}\n")
        return made

    def add(self, zone: Path, uJ: int) -> None:
        """Raise the counter of a zone."""
        counter, new = zone / "energy_uj", zone / "new"
        new.write_text(f"{(int(counter.read_text()) + uJ) % RANGE_UJ}\n")
        new.replace(counter)  # at once, since another thread may read it
