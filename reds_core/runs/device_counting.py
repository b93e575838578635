"""Makes the table of a device in rounds, so that an interrupted count can be resumed.

First each group is narrowed alone, one channel at a time, to find where its figures step. The widths at the end of a
step are offered: those before it take as much. Then networks are counted, as few as give every part at every choice of
offered widths of its groups, and some of random widths, because a device may treat a part in another way behind others.
Of figures that disagree, the larger is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from reds_core.cost.device_figures import peak_table, sum_table
from reds_core.cost.device_table import (
    CountedPart,
    CountedSample,
    DeviceCheck,
    DeviceTable,
    Repeats,
    load_device_table,
    save_device_table,
)
from reds_core.cost.latency_sampling import SamplePoint, Segment, rounds
from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.device import Device
from reds_core.framework.device_counter import Counted, DeviceCounter, Part
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.plugin import guarded
from reds_core.runs.counting_devices import configuration_of, empty_table

BATCH = 64
"""How many networks are counted before the table is written again."""
MULTIPLES = (32, 16, 8, 4, 2)
"""The numbers that are tried as lengths of steps, the longest first."""
STEPPED = 0.9
"""The share of the rise that has to lie behind multiples of a number for these to be the ends of steps."""
SPAN = 32
"""How many widths below the full one are looked at to find the steps."""
RANDOM = 192
"""How many networks of random offered widths are counted besides."""
RANDOM_SEED, CHECK_SEED = 1, 0

Told = Callable[[int, int], None]
"""Called after every batch with the number of choices of widths that were counted and their total number."""
T = TypeVar("T")


def device_table(
    device: Device,
    config: str | None,
    model: tuple[Framework, Any, Network],
    digest: str,
    settings: LatencySettings,
    path: Path,
    told: Told,
) -> DeviceTable:
    """Make the table of a device for a model, or continue it.

    Args:
        device: The device.
        config: One of its configurations; None for its first one, if it has any.
        model: The framework of the model, the model, and its description.
        digest: The hash of the model.
        settings: How many widths are offered, and how many subnetworks are counted as a whole.
        path: The file of the table.
        told: Called after every batch.

    Raises:
        InputError: Under the conditions of `counted_table`.
        UnsupportedError: Under the conditions of `counted_table`, or if the device cannot run the model.
    """
    configuration = configuration_of(device, config)
    with guarded(device):
        counter = device.counter(*model, configuration)
        started = empty_table(model[2], digest, device, configuration, counter, settings)
        return counted_table(counter, started, path, told)


def counted_table(counter: DeviceCounter, started: DeviceTable, path: Path, told: Told) -> DeviceTable:
    """Make the table of a device, or continue it. The file is written after every batch of networks.

    A table that is complete is returned as it is. One that is continued has the figures that it would have if it had
    not been interrupted, because the networks to count and their order follow from its offered widths.

    Args:
        counter: Counts networks.
        started: The table without anything counted.
        path: The file of the table.
        told: Called after every batch.

    Raises:
        InputError: If `path` holds a table of something else, or cannot be written.
        UnsupportedError: If a part depends on the widths of more than two groups, or the device cannot run a network.
    """
    table = _continued(started, path) if path.exists() else started
    if table.complete:
        return table
    _check_parts(counter)
    if not table.parts:
        parts = tuple(CountedPart(part.name, part.groups) for part in counter.parts)
        table = replace(table, parts=parts, moments=counter.moments, notes=counter.notes)
    if not table.widths:
        multiples = {group: _multiple(costs) for group, costs in _narrowed(counter, table.channels).items()}
        widths = {g: offered_widths(n, multiples[g], table.points) for g, n in table.channels.items()}
        table = replace(table, multiples=multiples, widths=_alike(counter, widths))
        save_device_table(table, path)
    table = _sampled(counter, table, path, told)
    table = _checked(counter, _with_tables(counter, table))
    save_device_table(table, path)
    return table


def offered_widths(channels: int, multiple: int, points: int) -> tuple[int, ...]:
    """Return up to `points` multiples of a number and the full width.

    If there are more, multiples of twice the number are offered, and so on, so that the ends of longer steps are among
    them.
    """
    while channels > points * multiple:
        multiple *= 2
    return (*range(multiple, channels, multiple), channels)


def _alike(counter: DeviceCounter, widths: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Leave out widths at which a device runs the network in other operations than at full width.

    What a part takes would then not follow from the widths of its own groups.
    """
    tried = [(group, width) for group, offered in widths.items() for width in offered[:-1]]
    unlike = set[tuple[str, int]]()
    for choices in _batches(iter(tried)):
        found = counter.counted([{group: width} for group, width in choices])
        unlike |= {choice for choice, each in zip(choices, found, strict=True) if not each.is_alike}
    return {group: tuple(w for w in offered if (group, w) not in unlike) for group, offered in widths.items()}


def _check_parts(counter: DeviceCounter) -> None:
    """Refuse networks of which a part depends on the widths of more than two groups."""
    for index, part in enumerate(counter.parts):
        is_summed = all(index not in moment for moment in counter.moments)
        if len(part.groups) > 2 and is_summed:
            raise UnsupportedError(
                f"'{part.name}' depends on the widths of {len(part.groups)} groups at once "
                f"({', '.join(part.groups)}), which no table can hold",
                "give budgets of other resources",
            )


def _continued(started: DeviceTable, path: Path) -> DeviceTable:
    """Read the table in `path`, which must be of the same model, device and settings as `started`.

    Raises:
        InputError: If it is not.
    """
    known = load_device_table(path)
    asked = {
        "of another model": (known.model, known.channels) == (started.model, started.channels),
        "of another device": (known.on, known.config, known.options, known.facts, known.energy_source)
        == (started.on, started.config, started.options, started.facts, started.energy_source),
        "with other settings": (known.points, known.check_count) == (started.points, started.check_count),
        "with other versions of libraries": known.versions == started.versions,
    }
    for how, same in asked.items():
        if not same:
            raise InputError(f"'{path}' holds a table made {how}", "choose another file, or remove this one")
    return known


def _combinations(parts: Iterable[Part | CountedPart]) -> list[Segment]:
    """The combinations of groups on which parts depend, each once, as what is sampled."""
    combinations = dict.fromkeys(part.groups for part in parts if len(part.groups) <= 2)
    return [Segment(index, (), (), groups) for index, groups in enumerate(combinations)]


def _narrowed(counter: DeviceCounter, channels: Mapping[str, int]) -> dict[str, dict[int, int]]:
    """For each group, what the parts that depend on it take at the widths below its full one, all others being full."""
    segments = _combinations(counter.parts)
    wanted = [
        (segment.index, tuple(width if each == group else channels[each] for each in segment.groups))
        for segment in segments
        for group in segment.groups
        for width in range(max(channels[group] - SPAN, 1), channels[group] + 1)
    ]
    places = {segment.index: segment.groups for segment in segments}
    costs: dict[str, dict[int, dict[int, int]]] = {group: {} for group in channels}
    for choices in _batches(rounds(segments, list(dict.fromkeys(wanted)), channels)):
        for (widths, taken), found in zip(choices, counter.counted([w for w, _ in choices]), strict=True):
            exact = {places[index] for index, _ in taken}
            for index, part in enumerate(counter.parts):
                if part.groups in exact:
                    moving = [group for group in part.groups if widths[group] < channels[group]]
                    amount = found.parts[index].get(counter.sums[0], 0)
                    for group in moving if len(moving) == 1 else (() if moving else part.groups):
                        costs[group].setdefault(widths[group], {})[index] = amount
    return {group: {w: sum(own.values()) for w, own in at.items()} for group, at in costs.items()}


def _multiple(costs: Mapping[int, int]) -> int:
    """The number at whose multiples costs step, given those of each width; 1 if they rise with every channel."""
    rises = {a: max(costs[b] - costs[a], 0) for a, b in itertools.pairwise(sorted(costs))}
    total = sum(rises.values())
    for multiple in MULTIPLES:
        stepped = sum(rise for width, rise in rises.items() if width % multiple == 0)
        if stepped >= STEPPED * total and (total or multiple <= max(costs, default=1)):
            return multiple
    return 1


def _sampled(counter: DeviceCounter, table: DeviceTable, path: Path, told: Told) -> DeviceTable:
    """Count networks that give a sample of each part at every choice of offered widths of its groups, then random ones.

    Of figures that disagree, the larger is kept. Networks that were counted before an interruption are left out.
    """
    segments = _combinations(table.parts)
    wanted: list[SamplePoint] = [
        (segment.index, choice)
        for segment in segments
        for choice in itertools.product(*(table.widths[group] for group in segment.groups))
    ]
    chosen = [(widths, len(taken)) for widths, taken in rounds(segments, wanted, table.channels)]
    chosen += [(widths, 0) for widths in _random_choices(table, RANDOM, RANDOM_SEED)]
    known = {(sample.part, sample.widths): dict(sample.figures) for sample in table.samples}
    start = table.networks or 0
    done = sum(taken for _, taken in chosen[:start])
    for batch in _batches(iter(chosen[start:])):
        repeats, is_alike = table.repeats, True
        for (widths, taken), found in zip(batch, counter.counted([widths for widths, _ in batch]), strict=True):
            done += taken
            is_alike &= found.is_alike
            repeats = _recorded(found, table, widths, known, repeats)
        samples = tuple(CountedSample(part, widths, figures) for (part, widths), figures in known.items())
        networks = (table.networks or 0) + len(batch)
        table = replace(table, samples=samples, repeats=repeats, networks=networks)
        table = table if is_alike else _without_peaks(table)
        save_device_table(table, path)
        told(done, len(wanted))
    return table


def _random_choices(table: DeviceTable, count: int, seed: int) -> list[dict[str, int]]:
    random = np.random.default_rng(seed)
    return [{g: int(random.choice(w)) for g, w in table.widths.items()} for _ in range(count)]


def _recorded(
    found: Counted,
    table: DeviceTable,
    widths: Mapping[str, int],
    known: dict[tuple[int, tuple[int, ...]], dict[str, int]],
    repeats: Repeats,
) -> Repeats:
    """Add the figures of a network to those that are known. Of figures that disagree, the larger is kept."""
    equal, different, largest = repeats.equal, repeats.different, dict(repeats.largest)
    for index, part in enumerate(table.parts):
        own = tuple(widths[group] for group in part.groups)
        if any(width not in table.widths[group] for group, width in zip(part.groups, own, strict=True)):
            continue
        figures = known.setdefault((index, own), {})
        for name, amount in found.parts[index].items():
            if name not in figures:
                figures[name] = amount
                continue
            difference = abs(amount - figures[name])
            equal, different = equal + (not difference), different + bool(difference)
            if difference:
                largest[name] = max(largest.get(name, 0), difference)
                figures[name] = max(figures[name], amount)
    return Repeats(equal, different, largest)


def _without_peaks(table: DeviceTable) -> DeviceTable:
    note = "what is in memory together depends on widths in a way that no table can hold, so memory has no budget"
    return replace(table, moments=(), notes=tuple(dict.fromkeys((*table.notes, note))))


def _with_tables(counter: DeviceCounter, table: DeviceTable) -> DeviceTable:
    sums = {name: sum_table(table, name) for name in counter.sums}
    wide = {index for index, part in enumerate(table.parts) if len(part.groups) > 2}
    if any(index in wide for moment in table.moments for index in moment):
        table = _without_peaks(table)
    peaks = {name: peak_table(table, name) for name in counter.peaks} if table.moments else {}
    return replace(table, sums=sums, peaks=peaks)


def _checked(counter: DeviceCounter, table: DeviceTable) -> DeviceTable:
    """Count whole subnetworks of random offered widths beside what the table predicts.

    A peak that one of them exceeds is no bound, and is left out. Of a sum, the largest shortfall is noted.
    """
    forms = table.forms()
    choices = _random_choices(table, table.check_count, CHECK_SEED)
    counted = counter.counted(choices) if choices else []
    checks = tuple(
        DeviceCheck(
            widths,
            {name: form.at(widths) for name, form in forms.items()},
            {name: found.totals[name] for name in forms},
        )
        for widths, found in zip(choices, counted, strict=True)
    )
    if not all(found.is_alike for found in counted):
        table = replace(_without_peaks(table), peaks={})
    short = {name: _largest_shortfall(name, checks) for name in forms}
    notes = [*table.notes]
    notes += [
        f"{name} has no budget, since a whole network takes {short[name][0]} more than predicted"
        for name in table.peaks
        if short[name][0] > 0
    ]
    notes += [
        f"whole networks take up to {short[name][0]} more {name} ({short[name][1]:.2f} %) than predicted, so leave "
        "room for that in budgets"
        for name in table.sums
        if short[name][0] > 0
    ]
    peaks = {name: peak for name, peak in table.peaks.items() if short[name][0] <= 0}
    return replace(table, peaks=peaks, checks=checks, notes=tuple(notes), complete=True)


def _largest_shortfall(name: str, checks: Iterable[DeviceCheck]) -> tuple[int, float]:
    """The most by which a check takes more of a resource than predicted, and the most in percent of the prediction."""
    over = [(each.counted[name] - each.predicted[name], max(each.predicted[name], 1)) for each in checks]
    return max((more for more, _ in over), default=0), max((100 * more / of for more, of in over), default=0.0)


def _batches(items: Iterator[T]) -> Iterator[Sequence[T]]:
    while batch := list(itertools.islice(items, BATCH)):
        yield batch
