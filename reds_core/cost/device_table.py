"""Tables of what a network takes on a device: the file format `reds-device-table/1`, and their forms for budgets.

A device that is not this machine states, for every width that a table offers, what a network takes: figures that add up
over parts of the network, such as cycles, and figures that are the most at any moment, such as memory. A run with such
a table offers these widths alone, so that each figure that a choice is made by was counted and none is interpolated.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost import counting
from reds_core.cost.counting import GroupTables, PeakForm, ResourceForm, TableForm
from reds_core.cost.energy_models import EnergySource
from reds_core.cost.table_files import TableFormat
from reds_core.errors import InputError, argument, command
from reds_core.network.description import Network
from reds_core.system.files import write_text
from reds_core.system.records import LEFT_OUT, from_plain, to_json, to_json_line

FORMAT = "reds-device-table/1"


@dataclass(frozen=True)
class CountedPart:
    """A part of the network, such as an operator, or a tensor in memory.

    Attributes:
        name: its name.
        groups: names of the groups on whose widths its figures depend.
    """

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class CountedSample:
    """What one part takes at one choice of widths.

    Attributes:
        part: index of the part.
        widths: widths of its groups, in their order.
        figures: what it takes, by the name of the figure. If networks that agree in these widths disagreed, the most.
    """

    part: int
    widths: tuple[int, ...]
    figures: Mapping[str, int]


@dataclass(frozen=True)
class PairTable:
    """What depends on the widths of two groups together.

    Attributes:
        groups: the two groups, the first of which comes first in the network.
        costs: for each offered width of the first group, one entry for each offered width of the second.
    """

    groups: tuple[str, str]
    costs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class SumTable:
    """A resource that adds up: a constant, a table for each group and one for each pair of groups.

    Attributes:
        constant: what does not depend on widths.
        groups: for each group, one entry for each of its offered widths.
        pairs: tables of two groups.
    """

    constant: int
    groups: Mapping[str, tuple[int, ...]]
    pairs: tuple[PairTable, ...]


@dataclass(frozen=True)
class StepTable:
    """What is in memory at one moment: a base, and a table for each group.

    Attributes:
        base: what does not depend on widths.
        groups: for each group, one entry for each of its offered widths.
    """

    base: int
    groups: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class PeakTable:
    """A resource that is the most at any moment.

    Attributes:
        steps: the moments.
        slack: the largest excess of the bound alone, by which what depends on two groups together is a sum of a table
            of each. Besides, values of weights can move what a file takes either way.
    """

    steps: tuple[StepTable, ...]
    slack: int


@dataclass(frozen=True)
class DeviceCheck:
    """What the table predicts for a whole subnetwork of random offered widths, and what the device counts for it.

    Attributes:
        widths: width of each group.
        predicted: what it takes of each resource by the table.
        counted: what the device counts for it.
    """

    widths: Mapping[str, int]
    predicted: Mapping[str, int]
    counted: Mapping[str, int]


@dataclass(frozen=True)
class Repeats:
    """How often a part was counted again at the same widths in another network, and whether it was the same.

    Attributes:
        equal: how many figures were equal.
        different: how many were not.
        largest: the largest difference of each figure that differed, by name.
    """

    equal: int = 0
    different: int = 0
    largest: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceTable:
    """What a network takes on a device at every width that it offers.

    Attributes:
        network: name of the network.
        model: SHA-256 of the model file.
        channels: full width of each group.
        on: name of the target that counts.
        config: configuration of the target; None if it has none.
        options: options of the target that lead to the same figures.
        versions: versions of the software that counts.
        points: the most widths of each group that are offered.
        check_count: how many whole subnetworks are counted to check the predictions.
        facts: what else the figures follow from, such as the clock, by name.
        element_size_bytes: size of a weight or activation in the files that are counted.
        macs: MACs of the full network, which distinguish networks with the same channels but other input sizes.
        widths: the offered widths of each group, in rising order. The last is its full width.
        multiples: the number of which the offered widths of each group are multiples, apart from the full width.
        parts: the parts of the network.
        moments: for each moment of an inference, the indices of the parts that are in memory.
        samples: what parts take.
        repeats: how often parts were counted again.
        sums: resources that add up over parts.
        peaks: resources that are the most at any moment.
        checks: predicted and counted figures of whole subnetworks.
        notes: what users should know about the figures, one sentence each.
        energy_source: where energies come from; left out if the table states none.
        networks: how many networks were counted for the samples; those that follow are the same after an interruption.
        complete: whether the table has all samples, tables and checks.
    """

    network: str
    model: str
    channels: Mapping[str, int]
    on: str
    config: str | None
    options: Mapping[str, str]
    versions: Mapping[str, str]
    points: int
    check_count: int
    facts: Mapping[str, str] = field(default_factory=dict)
    element_size_bytes: int = 1
    macs: int | None = field(default=None, metadata={LEFT_OUT: True})
    widths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[CountedPart, ...] = ()
    moments: tuple[tuple[int, ...], ...] = ()
    samples: tuple[CountedSample, ...] = ()
    repeats: Repeats = Repeats()
    sums: Mapping[str, SumTable] = field(default_factory=dict)
    peaks: Mapping[str, PeakTable] = field(default_factory=dict)
    checks: tuple[DeviceCheck, ...] = ()
    notes: tuple[str, ...] = ()
    energy_source: EnergySource | None = field(default=None, metadata={LEFT_OUT: True})
    networks: int | None = field(default=None, metadata={LEFT_OUT: True})
    complete: bool = False
    format: str = FORMAT

    @property
    def digest(self) -> str:
        """The hexadecimal SHA-256 digest of the table."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()

    @property
    def offered(self) -> Mapping[str, tuple[int, ...]]:
        """The widths of each group that a run with this table offers."""
        return self.widths

    @property
    def machines(self) -> tuple[str | None, ...]:
        """The names of the device that the table is of."""
        return self.on, self.config

    def forms(self) -> dict[str, ResourceForm]:
        """Return each resource as a form. Widths between offered ones count like the next offered one."""
        at = {group: np.searchsorted(self.widths[group], np.arange(1, n + 1)) for group, n in self.channels.items()}

        def spread(groups: Mapping[str, tuple[int, ...]]) -> dict[str, IntArray]:
            return {group: np.array(costs, np.int64)[at[group]] for group, costs in groups.items()}

        forms: dict[str, ResourceForm] = {}
        for name, table in self.sums.items():
            pairs = {p.groups: np.array(p.costs, np.int64)[np.ix_(*(at[g] for g in p.groups))] for p in table.pairs}
            forms[name] = TableForm(table.constant, spread(table.groups), pairs)
        for name, peak in self.peaks.items():
            forms[name] = PeakForm(tuple(GroupTables(step.base, spread(step.groups)) for step in peak.steps))
        return forms

    def forms_for(self, network: Network, element_size_bytes: int) -> Mapping[str, ResourceForm]:
        """Return `forms()` after checking that the table belongs to `network`.

        Raises:
            InputError: if the table is of another network or element size, or incomplete.
        """
        macs = counting.macs(network).at(network.channels)
        if dict(self.channels) != dict(network.channels) or self.macs not in (None, macs):
            raise InputError(
                f"the table of {self.on} is of network '{self.network}', not of this one", "make one of this network"
            )
        if self.element_size_bytes != element_size_bytes:
            raise InputError(
                f"the table of {self.on} is for an element size of {self.element_size_bytes} bytes, "
                f"the run for {element_size_bytes}",
                f"give {argument('element_size', self.element_size_bytes)}",
            )
        if not self.complete:
            raise InputError(
                f"the table of {self.on} is incomplete", f"run the same {command('latency')} again to resume it"
            )
        return self.forms()


def save_device_table(table: DeviceTable, path: Path) -> None:
    """Write the table atomically, on a single line, since it holds many short lists.

    Raises:
        InputError: if the file cannot be written.
    """
    write_text(path, to_json_line(table))


def load_device_table(path: str | PathLike[str]) -> DeviceTable:
    """Read a table.

    Raises:
        InputError: if the file is missing or not a valid table.
    """
    return DEVICE_FORMAT.load(path)


def _parsed(content: Any) -> DeviceTable:
    """Return the table in the content of a file.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: if it is not a valid table.
    """
    table: DeviceTable = from_plain(DeviceTable, content)
    _check(table)
    return table


def _check(table: DeviceTable) -> None:
    """Refuse tables whose entries do not belong to the offered widths.

    Raises:
        ValueError, KeyError: if there are any; the message names the first.
    """
    for group, widths in table.widths.items():
        rising = all(1 <= a < b for a, b in itertools.pairwise(widths)) and bool(widths) and widths[0] >= 1
        if not rising or widths[-1] != table.channels[group]:
            raise ValueError(f"the widths of group '{group}' do not rise to its full width")
    if table.complete and set(table.widths) != set(table.channels):
        raise ValueError("a group has no widths")
    count = {group: len(widths) for group, widths in table.widths.items()}
    for name, total in table.sums.items():
        own = all(len(costs) == count[group] for group, costs in total.groups.items())
        shapes = ([count[group] for group in pair.groups] for pair in total.pairs)
        grids = (np.array(pair.costs).shape for pair in total.pairs)
        if not own or any(tuple(shape) != grid for shape, grid in zip(shapes, grids, strict=True)):
            raise ValueError(f"a table of {name} does not have an entry for each offered width")
    for name, peak in table.peaks.items():
        if any(len(costs) != count[group] for step in peak.steps for group, costs in step.groups.items()):
            raise ValueError(f"a table of {name} does not have an entry for each offered width")
    for sample in table.samples:
        if len(sample.widths) != len(table.parts[sample.part].groups):
            raise ValueError(f"a sample of part {sample.part} has other groups")


def _remedies() -> tuple[str, str]:
    make = f"make one with {command('latency')}"
    return make, f"{make} and {argument('on')}"


DEVICE_FORMAT = TableFormat(FORMAT, "table", _parsed, _remedies)
