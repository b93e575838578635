"""Counts networks of one model at any widths: its int8 file is made once, and files of other widths are cut from it.

Vela's cycles are a sum over the operators of a network, of which each depends on the widths of what it reads and writes
alone. The SRAM in use is the most at any moment: activations, whose size depends on their own widths, and weights that
are fetched while the operators before theirs run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from reds_litert.prunable_file import PrunableFile

from reds_core.cost import LARGEST_SRAM, EnergySource, npu_energy
from reds_core.framework import Counted, CountingConditions, DeviceCounter, Part
from reds_ethos_u.configurations import Configuration
from reds_ethos_u.memory import MOMENTS, Fetched, Held, MemoryLayout
from reds_ethos_u.vela import Compiled, compiled, moved_bytes, size_notes

CYCLES, SRAM, ENERGY = "cycles", "npu_sram", "energy"
"""The resources that the tables state."""
MACS, SRAM_BYTES, FLASH_BYTES = "macs", "sram_bytes", "flash_bytes"
"""What else the samples of tables hold: multiply-accumulates, and bytes that are moved from and to memories."""
_TENSOR = re.compile(r"t(\d+)(?:_.*)?")
"""The name of a tensor of the file, or of one that Vela makes on the way to it."""


class VelaCounter(DeviceCounter):
    """Counts networks by Vela.

    Args:
        file: The int8 file of the full network.
        configuration: The NPU and what surrounds it.
        version: The version of Vela.

    Raises:
        UnsupportedError: If Vela cannot compile the file.
    """

    peaks = (SRAM,)

    def __init__(self, file: PrunableFile, configuration: Configuration, version: str) -> None:
        self._file, self._configuration, self._version = file, configuration, version
        (self._full,) = compiled([file.at({})], configuration)
        self._layout = MemoryLayout(self._full.buffers)
        self._operators = tuple(dict.fromkeys(row.operator for row in self._full.rows))
        self._held = tuple(dict.fromkeys(part for parts in self._layout.moments for part in parts))

    @property
    def conditions(self) -> CountingConditions:
        facts = {"clock_MHz": f"{self._full.clock_hz / 1e6:g}", "source": "estimates of Vela, not measured"}
        versions = {"ethos-u-vela": self._version}
        return CountingConditions(self._configuration.options, versions, facts, self._energy)

    @cached_property
    def _energy(self) -> EnergySource | None:
        """Where energies come from. They are not known if operators run on the processor."""
        return None if self._full.on_cpu else npu_energy(0, 0, LARGEST_SRAM, 0).origin

    @property
    def sums(self) -> tuple[str, ...]:
        return (CYCLES,) if self._energy is None else (CYCLES, ENERGY)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        operators = (Part(self._name(at), () if at < 0 else self._file.groups_at(at)) for at in self._operators)
        return (*operators, *(Part(_held_name(part), self._groups(part)) for part in self._held))

    @cached_property
    def moments(self) -> tuple[tuple[int, ...], ...]:
        place = {part: index for index, part in enumerate(self._held, len(self._operators))}
        return tuple(tuple(place[part] for part in parts) for parts in self._layout.moments)

    @property
    def notes(self) -> tuple[str, ...]:
        large = () if self._energy is None else size_notes(self._full.sram_bytes)
        kinds = [self._file.graph.operators[index].kind for index in self._full.on_cpu if index >= 0]
        if not kinds:
            return large
        named = ", ".join(dict.fromkeys(kinds))
        return (f"operators that run on the processor have no cycles in this table: {named} ({len(kinds)})",)

    def counted(self, choices: Sequence[Mapping[str, int]]) -> list[Counted]:
        return [self._counted(each) for each in compiled([self._file.at(c) for c in choices], self._configuration)]

    def _counted(self, found: Compiled) -> Counted:
        sizes = self._layout.sizes(found.buffers)
        is_alike = sizes is not None and {row.operator for row in found.rows} <= set(self._operators)
        held = [{} if sizes is None else {SRAM: sizes[part]} for part in self._held]
        operators = [self._figures(found, at) for at in self._operators]
        totals = {CYCLES: found.cycles, SRAM: found.sram_bytes, ENERGY: sum(each[ENERGY] for each in operators)}
        return Counted(totals, (*operators, *held), is_alike)

    def _figures(self, found: Compiled, operator: int) -> Mapping[str, int]:
        rows = [row for row in found.rows if row.operator == operator]
        macs, moved = sum(row.macs for row in rows), moved_bytes(rows)
        energy = npu_energy(macs, moved.sram, LARGEST_SRAM, moved.flash)
        return {
            CYCLES: sum(row.cycles for row in rows),
            ENERGY: energy.pJ,
            MACS: macs,
            SRAM_BYTES: moved.sram,
            FLASH_BYTES: moved.flash,
        }

    def _name(self, operator: int) -> str:
        return "none" if operator < 0 else f"{operator} {self._file.graph.operators[operator].kind}"

    def _groups(self, part: Held) -> tuple[str, ...]:
        """The groups on whose widths the size of a part of the memory depends."""
        if isinstance(part, Fetched):
            rows = (row.operator for row in self._full.rows if row.moment == MOMENTS * part.operation)
            found = {group for at in rows if at >= 0 for group in self._file.groups_at(at)}
        else:
            matches = [_TENSOR.fullmatch(name) for name in part.names]
            found = {group for match in matches if match for group in self._file.groups_of(int(match[1]))}
        return tuple(group for group in self._file.channels if group in found)


def _held_name(part: Held) -> str:
    if isinstance(part, Fetched):
        return f"weights of operation {part.operation} at moment {part.moment}"
    return f"tensors {', '.join(part.names)}"
