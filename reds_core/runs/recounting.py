"""Counts exported files on the device of the run's table, beside what the table predicts of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reds_core.cost.device_table import DeviceTable
from reds_core.cost.tables import CostTable
from reds_core.errors import RedsError, argument
from reds_core.framework.device import Device, Profile
from reds_core.plan import DeviceRecord
from reds_core.plugin import guarded
from reds_core.registry import Registry
from reds_core.runs.targets import RunTargets

DIFFERENCE = 0.01
"""The relative difference between what is counted and what was planned above which there is a warning."""


@dataclass(frozen=True)
class Recount:
    """Counts the int8 files of a run on the device of its table.

    Attributes:
        device: The device, with the options of the table.
        table: The table.
        targets: The targets that write the files.
        folder: The folder of the run.
        warn: Called with a sentence on each file that takes more than planned, or that cannot be counted, and if there
            is no file to count.
    """

    device: Device
    table: DeviceTable
    targets: RunTargets
    folder: Path
    warn: Callable[[str], None]

    def records(
        self,
        files: Mapping[str, str | None],
        planned: Mapping[str, int],
        capacities: Mapping[str, int],
    ) -> Mapping[str, DeviceRecord]:
        """Return what the device counts for the files of one network, by its name; empty if it reads none of them.

        Args:
            files: The names of the files by kind, as in the plan.
            planned: What the plan states that the network uses of each resource.
            capacities: What the budget allows of each resource that it limits.
        """
        kinds = {target.name: self.targets.kind(target).name for target in self.targets.targets}
        names = (files.get(kinds[kind]) for kind in self.device.kinds if kind in kinds)
        name = next((each for each in names if each is not None), None)
        if name is None:
            self._warn_of_no_file(capacities)
            return {}
        try:
            with guarded(self.device):
                profile = self.device.profile(self.folder / name, self.table.config)
        except RedsError as error:  # the network is trained by then, so that the run goes on
            self.warn(f"'{name}' is not counted on {self.device.name}: {error}")
            return {}
        energy = self._energy(profile)
        figures = {"cycles": profile.cycles, "npu_sram": profile.sram, "energy": energy}
        for resource, counted in figures.items():
            if counted is not None and resource in planned:
                self._compare(name, resource, counted, planned[resource], capacities.get(resource))
        return {self.device.name: DeviceRecord(name, cycles=profile.cycles, sram=profile.sram, energy=energy)}

    def _energy(self, profile: Profile) -> int | None:
        """The energy in picojoules; None if it is not known, or does not come from where that of the table comes."""
        if profile.energy is None or profile.energy.origin != self.table.energy_source:
            return None
        return profile.energy.pJ

    def _warn_of_no_file(self, capacities: Mapping[str, int]) -> None:
        if any(resource in capacities for resource in (*self.table.sums, *self.table.peaks)):
            self.warn(
                f"budgets of {self.device.name} are not checked on a file, since none that it reads "
                f"({' or '.join(self.device.kinds)}) is written; give {argument('data')} or {argument('calibration')}, "
                "and a target that writes such files"
            )

    def _compare(self, name: str, resource: str, counted: int, planned: int, capacity: int | None) -> None:
        """Warn of a file that takes more than the budget allows, or that the table does not predict."""
        takes = f"'{name}' takes {counted} {resource} on {self.device.name}"
        if capacity is not None and counted > capacity:
            over = counted - capacity
            self.warn(
                f"{takes}, which is {over} above the budget, where {planned} are planned; "
                f"give a budget that is smaller by {over}"
            )
        elif counted > planned if resource in self.table.peaks else abs(counted - planned) > DIFFERENCE * planned:
            self.warn(
                f"{takes} where {planned} are planned; trust the former, and leave room for the difference in budgets"
            )


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes each warning on once."""
    said = set[str]()

    def heard(text: str) -> None:
        if text not in said:
            said.add(text)
            warn(text)

    return heard


def recount(
    registry: Registry,
    table: CostTable | None,
    targets: RunTargets,
    folder: Path,
    warn: Callable[[str], None],
) -> Recount | None:
    """Return what counts the files of a run on the device of its table; None without a table of a device.

    Args:
        registry: The plugins that are installed.
        table: The table of the run.
        targets: The targets of the run.
        folder: The folder of the run.
        warn: Called with sentences on files, and if the device cannot be used here.
    """
    if not isinstance(table, DeviceTable):
        return None
    try:
        device = registry.create(Device, table.on, {table.on: table.options})
    except RedsError as error:
        warn(f"files are not counted on {table.on}: {error}")
        return None
    return Recount(device, table, targets, folder, _once(warn))
