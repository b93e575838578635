"""Makes the table of a network in rounds, so that it can be resumed: by timing on this machine, or for a device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from reds_core.cost import counting
from reds_core.cost.latency_sampling import Sample, Timing, Whole, narrow_widths, rounds, wanted_samples
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table, save_latency_table
from reds_core.cost.tables import CostTable
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.family import member_kept
from reds_core.framework.framework import Framework
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.target import Target
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, showing_count
from reds_core.registry import Registry, given_registry
from reds_core.runs.counting_devices import (
    COUNTED_POINTS,
    configuration_of,
    counting_device,
    empty_table,
    refuse_timing,
)
from reds_core.runs.device_counting import counted_table
from reds_core.runs.forms import Imports
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.options import LatencyOptions, changed, refuse_unknown
from reds_core.runs.participants import FRAMEWORKS, TARGETS, check_options
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.system.files import given_file
from reds_core.system.folder_lock import locked_file
from reds_core.system.machine import Machine, this_machine

CHECK_SEED = 0

Told = Callable[[int, int], None]
"""Called after every round with the number of finished samples and their total number."""


def measured_table(
    framework: Framework,
    probe: LatencyProbe,
    model: Any,
    network: Network,
    model_hash: str,
    settings: LatencySettings,
    machine: Machine,
    path: Path,
    told: Told,
) -> LatencyTable:
    """Measure the latency table of a model, or resume the measurement. The file is written after every round.

    Args:
        framework: The framework of the model.
        probe: Measures latencies.
        model: The model.
        network: Its description.
        model_hash: The hash of the model.
        settings: How to measure.
        machine: This machine.
        path: The file of the table.
        told: Called after every round.

    Raises:
        InputError: If `path` holds a table of another model, machine or settings, or cannot be written.
        UnsupportedError: If the framework cannot measure, or a segment cannot be exported.
    """
    segments = probe.segments(framework.extract(model, network, {}), network)
    table = LatencyTable(
        network=network.name,
        model=model_hash,
        channels=network.channels,
        macs=counting.macs(network).at(network.channels),
        settings=settings,
        machine=machine,
        versions=framework.library_versions(),
        segments=segments,
        overhead=Timing(0.0, 0.0, 0),
        full=Timing(0.0, 0.0, 0),
        narrow=Timing(0.0, 0.0, 0),
    )
    if path.exists():
        table = _continued(table, path)
    else:
        narrow = framework.extract(model, network, member_kept(narrow_widths(network.channels)))
        table = replace(table, overhead=probe.overhead(), full=probe.whole(model), narrow=probe.whole(narrow))
    wanted = wanted_samples(segments, network.channels, settings.points)
    done = {(s.segment, s.widths) for s in table.samples}
    for widths, points in rounds(segments, [p for p in wanted if p not in done], network.channels):
        small = framework.extract(model, network, member_kept(widths))
        timings = probe.parts(small, [segment for segment, _ in points])
        samples = [Sample(*point, timing) for point, timing in zip(points, timings, strict=True)]
        table = replace(table, samples=(*table.samples, *samples))
        save_latency_table(table, path)
        told(len(table.samples), len(wanted))
    form = table.form(network)
    for widths in itertools.islice(check_widths(network, settings.checks), len(table.checks), None):
        small = framework.extract(model, network, member_kept(widths))
        whole = Whole(widths, float(form.at(widths)), probe.whole(small))
        table = replace(table, checks=(*table.checks, whole))
        save_latency_table(table, path)
    table = replace(table, complete=True)
    save_latency_table(table, path)
    return table


def _probe(
    registry: Registry, framework: Framework, settings: LatencySettings, options: PluginOptions | None
) -> LatencyProbe:
    """The probe of the first of the framework's targets that writes files of the element size of `settings`.

    Raises:
        UnsupportedError: If there is none.
    """
    for name in framework.targets:
        target = registry.create(Target, name, options)
        if target.file.element_size_bytes == settings.element_size_bytes:
            probe = target.probe(framework, settings)
            if probe is not None:
                return probe
    raise UnsupportedError(f"framework '{framework.name}' cannot measure latencies", "set budgets for other resources")


def check_widths(network: Network, count: int) -> Sequence[dict[str, int]]:
    """Widths of subnetworks on which predictions are checked: shares from 0.3 to 0.9, varied by group."""
    random = np.random.default_rng(CHECK_SEED)
    found = []
    for share in np.linspace(0.3, 0.9, count) if count > 1 else [0.5] * count:
        varied = {g: share * random.uniform(0.7, 1.3) * n for g, n in network.channels.items()}
        found.append({g: int(np.clip(round(w), 1, network.channels[g])) for g, w in varied.items()})
    return found


def _continued(started: LatencyTable, path: Path) -> LatencyTable:
    """Read the table in `path`, which must be of the same model, machine and settings as `started`.

    Raises:
        InputError: If it is not.
    """
    known = load_latency_table(path)
    asked = {
        "of another model": known.model == started.model,
        "of other channel groups": (known.channels, known.segments) == (started.channels, started.segments),
        "with other settings": known.settings == started.settings,
        "on another machine": known.machine == started.machine,
        "with other versions of libraries": known.versions == started.versions,
    }
    for how, same in asked.items():
        if not same:
            raise InputError(f"'{path}' holds latencies measured {how}", "choose another file, or remove this one")
    return known


def measure_latency(
    model: Any,
    out: str | PathLike[str],
    settings: LatencySettings | None = None,
    *,
    on: str | None = None,
    config: str | None = None,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    registry: Registry | None = None,
    told: Told | None = None,
    verbose: Verbose = "auto",
    **more: Unpack[LatencyOptions],
) -> CostTable:
    """Make a table of what a network takes at several widths: its time on this machine, or what a device counts.

    This is what `reds latency` does. Without `on`, or with a target that times layers, the parts of the network are
    timed on this machine as they are exported, for budgets of latency. With a target that counts, such as "ethos-u",
    the table holds what this device takes, such as cycles, at every width that it offers. The table is written after
    every round, and the same call resumes an incomplete table.

    Args:
        model: The path of a model file, or a model object of an installed framework.
        out: The JSON file to write.
        settings: How to measure: element size, threads, timed runs, widths of each group, whole subnetworks to check.
        on: The name of the target that times or counts. None means timing on this machine.
        config: A configuration of that target. None means its first one, if it has any.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        registry: The plugins to choose from. By default they are all that are installed.
        told: A function that is called after every round with the number of finished samples and their total number.
        verbose: What is shown on stderr without `told`. 0: nothing; `"auto"` or 1: a bar in a terminal or
            a notebook, a line elsewhere; 2: a line.
        more: The settings one by one: `element_size`, `threads`, `repeats`, `points` and `checks`. They replace those
            of `settings`; `help(reds_core.LatencyOptions)` explains them.

    Returns:
        A `LatencyTable`, whose times are in nanoseconds, or a `DeviceTable`.

    Raises:
        InputError: If the model cannot be read, if `out` holds a table of something else, or if another call is writing
            to it.
        UnsupportedError: If the model, or a part of it, cannot be exported, or if the target neither times nor counts.
        UnavailableError: If a library is not installed.

    Example:
        >>> reds_core.measure_latency("model.keras", "table.json")
        >>> reds_core.prune("model.keras", "data.npz", {"latency": 0.5}, latency_table="table.json")
    """
    registry = given_registry(registry)
    options = with_input_shape(options, input_shape, model, registry)
    check_options(registry, options, (FRAMEWORKS, TARGETS))
    refuse_unknown(more, measure_latency, LatencyOptions)
    device = None if on is None else counting_device(registry, on, config, options)
    if device is not None:
        refuse_timing(device, more)
        more = {"points": COUNTED_POINTS, **more} if settings is None else more
    settings = changed(settings or LatencySettings(), more)
    path = given_file(out, "out")
    shown = 0 if told is not None else verbose
    what = "timing segments" if device is None else "counting widths"
    with locked_file(path, "a measurement"), showing_count(shown, what) as count:
        framework, loaded, network = load_for_inspection(model, registry, options=options, imports=imports)
        is_file = isinstance(model, str | PathLike)
        digest = file_hash(Path(model)) if is_file else weights_hash(framework, loaded, network)
        if device is not None:
            configuration = configuration_of(device, config)
            with guarded(device):
                counter = device.counter(framework, loaded, network, configuration)
                started = empty_table(network, digest, device, configuration, counter, settings)
                return counted_table(counter, started, path, told or count)
        return measured_table(
            framework,
            _probe(registry, framework, settings, options),
            loaded,
            network,
            digest,
            settings,
            this_machine(),
            path,
            told or count,
        )
