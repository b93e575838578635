"""The energy counters of Intel and AMD processors (RAPL, Running Average Power Limit), as Linux shows them.

A processor counts the energy of each of its packages, which is what is in one socket, and of parts of them. Linux shows
a folder for each of these zones in /sys/class/powercap. Only packages are read here: `intel-rapl:0` with the name
`package-0` is one, while `intel-rapl:0:0` is a part of it, such as its cores, and `psys` is the whole machine with all
packages, so that a sum over all zones would count most energy two or three times. The memory outside the package is not
included.

The counters belong to the package and not to a process: what other programs and the idle processor take is in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the zones."""
LEAST_S = 1.0
"""For how long inferences are run. Counters are updated about once in a millisecond, which is 0.1 % of it."""
BATCHES = 10
"""In how many parts, between which the counters are read so that none can wrap around twice unseen."""


@dataclass(frozen=True)
class Package:
    """The zone of a package.

    Attributes:
        folder: its folder.
        name: its name, such as "package-0".
        range_uJ: the energy at which its counter starts again at zero, in microjoules.
    """

    folder: Path
    name: str
    range_uJ: int

    def read(self) -> int:
        """Return the counter, in microjoules.

        Raises:
            OSError, ValueError: if it cannot be read.
        """
        return int((self.folder / "energy_uj").read_text(encoding="ascii"))


@dataclass(frozen=True)
class Measured:
    """The energy of several runs of something, which is that of whole packages with their idle power.

    Attributes:
        uJ: the energy of all packages, in microjoules.
        runs: how many runs it is the energy of.
        seconds: how long they took.
        packages: how many packages were counted.
    """

    uJ: int
    runs: int
    seconds: float
    packages: int


@dataclass(frozen=True)
class NotMeasured:
    """Why no energy was measured.

    Attributes:
        reason: what is wrong and how to fix it, as one clause; None if the machine simply has no counters.
    """

    reason: str | None = None


class EnergyMeter:
    """Adds up what the counters of packages rise by from one reading to the next.

    A counter that fell has started again at zero, once. So readings must be closer together than a counter takes to
    wrap around, which is minutes.

    Args:
        packages: the packages.

    Raises:
        OSError, ValueError: if a counter cannot be read.
    """

    def __init__(self, packages: tuple[Package, ...]) -> None:
        self._packages = packages
        self._last = [package.read() for package in packages]
        self.risen_uJ = [0] * len(packages)
        """The energy of each package since the first reading, in microjoules."""

    def update(self) -> None:
        """Read the counters again.

        Raises:
            OSError, ValueError: if a counter cannot be read.
        """
        for index, package in enumerate(self._packages):
            now = package.read()
            self.risen_uJ[index] += (now - self._last[index]) % package.range_uJ
            self._last[index] = now


def packages_in(root: Path = POWERCAP) -> tuple[Package, ...]:
    """Return the packages of this machine; none if it shows no counters, as most virtual machines do not.

    Args:
        root: the folder of the zones.

    Raises:
        OSError, ValueError: if the name or the range of a zone cannot be read.
    """
    found: dict[str, Package] = {}
    for folder in sorted(root.glob("intel-rapl:*")):  # of AMD processors as well
        if folder.name.count(":") > 1:
            continue
        name = (folder / "name").read_text(encoding="ascii").strip()
        if name.startswith("package"):
            energy = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
            if energy <= 0:
                raise ValueError(f"the range of {folder.name} is {energy}")
            found.setdefault(name, Package(folder, name, energy))
    return tuple(found.values())


def measured_energy(
    run: Callable[[], Any], run_ns: float, root: Path = POWERCAP, least_s: float = LEAST_S
) -> Measured | NotMeasured:
    """Measure the energy of the packages while something runs again and again.

    Args:
        run: what runs. It should be warmed up.
        run_ns: about how long one run takes, in nanoseconds.
        root: the folder of the zones.
        least_s: for how long it is run, in seconds.
    """
    batch = max(1, round(least_s * 1e9 / max(run_ns, 1.0) / BATCHES))
    try:
        packages = packages_in(root)
        if not packages:
            return NotMeasured()
        runs, started = 0, time.perf_counter()
        meter = EnergyMeter(packages)
        while (spent := time.perf_counter() - started) < least_s or not runs:
            for _ in range(batch):
                run()
            runs += batch
            meter.update()
    except PermissionError as error:
        return NotMeasured(
            f"only root may read '{error.filename}'; run as root, or let everyone read it by "
            f"`sudo chmod a+r {root}/intel-rapl:*/energy_uj`"
        )
    except (OSError, ValueError) as error:
        return NotMeasured(f"the energy counters in '{root}' cannot be read ({error}); check that folder")
    for package, risen in zip(packages, meter.risen_uJ, strict=True):
        if risen == 0:
            return NotMeasured(
                f"the energy counter of {package.name} did not rise in {spent:.2g} s, so it counts nothing; measure on "
                "a machine whose processor counts, which most virtual machines do not show"
            )
    return Measured(sum(meter.risen_uJ), runs, spent, len(packages))
