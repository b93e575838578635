"""Makes the table of a network in rounds, so that it can be resumed: by timing its parts, or by a device."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack, overload

from reds_core.cost.latency_sampling import Sample, Whole, narrow_widths, rounds, wanted_samples
from reds_core.cost.latency_table import LatencySettings, LatencyTable, save_latency_table
from reds_core.cost.tables import CostTable
from reds_core.errors import UnsupportedError
from reds_core.framework.family import member_kept
from reds_core.framework.framework import Framework
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.target import Target
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following, showing_count
from reds_core.registry import Registry, given_registry
from reds_core.runs.counting_devices import COUNTED_POINTS, counting_device
from reds_core.runs.device_counting import device_table
from reds_core.runs.elsewhere import given_elsewhere
from reds_core.runs.forms import Imports
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.latency_resuming import check_widths, continued, started_table
from reds_core.runs.options import LatencyOptions, changed, refuse_unknown
from reds_core.runs.participants import FRAMEWORKS, TARGETS, check_options
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.runs.remote_latency import RemoteLatency
from reds_core.system.files import given_file
from reds_core.system.folder_lock import locked_file
from reds_core.system.machine import Machine, this_machine

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
    table = started_table(network, model_hash, settings, machine, framework.library_versions(), segments)
    if path.exists():
        table = continued(table, path)
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


@overload
def measure_latency(
    model: Any,
    out: str | PathLike[str],
    settings: LatencySettings | None = ...,
    *,
    on: None = ...,
    config: None = ...,
    options: PluginOptions | None = ...,
    imports: Imports = ...,
    input_shape: InputShape | None = ...,
    script: None = ...,
    records: str | PathLike[str] | None = ...,
    host: str | None = ...,
    name: str | None = ...,
    host_python: str | None = ...,
    registry: Registry | None = ...,
    told: Told | None = ...,
    verbose: Verbose = ...,
    **more: Unpack[LatencyOptions],
) -> LatencyTable: ...


@overload
def measure_latency(
    model: Any,
    out: str | PathLike[str],
    settings: LatencySettings | None = ...,
    *,
    on: None = ...,
    config: None = ...,
    options: PluginOptions | None = ...,
    imports: Imports = ...,
    input_shape: InputShape | None = ...,
    script: str | PathLike[str],
    records: str | PathLike[str] | None = ...,
    host: str | None = ...,
    name: str | None = ...,
    host_python: str | None = ...,
    registry: Registry | None = ...,
    told: Told | None = ...,
    verbose: Verbose = ...,
    **more: Unpack[LatencyOptions],
) -> None: ...


@overload
def measure_latency(
    model: Any,
    out: str | PathLike[str],
    settings: LatencySettings | None = ...,
    *,
    on: str | None = ...,
    config: str | None = ...,
    options: PluginOptions | None = ...,
    imports: Imports = ...,
    input_shape: InputShape | None = ...,
    script: str | PathLike[str] | None = ...,
    records: str | PathLike[str] | None = ...,
    host: str | None = ...,
    name: str | None = ...,
    host_python: str | None = ...,
    registry: Registry | None = ...,
    told: Told | None = ...,
    verbose: Verbose = ...,
    **more: Unpack[LatencyOptions],
) -> CostTable | None: ...


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
    script: str | PathLike[str] | None = None,
    records: str | PathLike[str] | None = None,
    host: str | None = None,
    name: str | None = None,
    host_python: str | None = None,
    registry: Registry | None = None,
    told: Told | None = None,
    verbose: Verbose = "auto",
    **more: Unpack[LatencyOptions],
) -> CostTable | None:
    """Time the parts of a network at several widths on this machine or on another one, or let a device count them.

    This is what `reds latency` does. The parts are timed as they are exported, for budgets of latency. With `on` and
    the name of a target that counts, such as "ethos-u", the table holds what this device takes, such as cycles, at
    every width that it offers. The table is written after every round, and the same call resumes an incomplete table.

    For a table of another machine, such as a Raspberry Pi, `script` exports the parts to the folder `OUT-parts` beside
    `out` and writes a program that times them there, and `records` takes back what that wrote; `host` does both by ssh.
    The folder is removed when the table is complete.

    Args:
        model: The path of a model file, or a model object of an installed framework.
        out: The JSON file to write.
        settings: How to measure: element size, threads, timed runs, widths of each group, whole subnetworks to check.
        on: The name of the target that times or counts. None means timing.
        config: A configuration of that target. None means its first one, if it has any.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        script: A Python file to write, which times the parts on another machine without reds.
        records: The file that this program wrote on the other machine.
        host: Another machine as `ssh:NAME`, on which the program is run at once. The files are copied to a temporary
            folder there, which is removed afterwards.
        name: The name of the other machine in the table. None means the one that it has for itself.
        host_python: The Python interpreter on `host`. None means `python3`.
        registry: The plugins to choose from. By default they are all that are installed.
        told: A function that is called after every round with the number of finished samples and their total number;
            with `script` and `host`, with the numbers of exported files, and then of those that the host has timed.
        verbose: What is shown on stderr without `told`. 0: nothing; `"auto"` or 1: a bar in a terminal or
            a notebook, a line elsewhere; 2: a line.
        more: The settings one by one: `element_size`, `threads`, `repeats`, `points` and `checks`. They replace those
            of `settings`; `help(reds_core.LatencyOptions)` explains them.

    Returns:
        A `LatencyTable`, whose times are in nanoseconds, or the `DeviceTable` of a target that counts; None with
        `script`.

    Raises:
        InputError: If the model cannot be read, if `out` holds a table of something else, if another call is writing
            to it, if arguments exclude each other, or if the other machine cannot be reached.
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
    elsewhere = given_elsewhere(script, records, host, name, host_python)
    device = counting_device(registry, on, config, options, more, elsewhere)
    if device is not None and settings is None:
        more = {"points": COUNTED_POINTS, **more}
    settings = changed(settings or LatencySettings(), more)
    path = given_file(out, "out")
    shown = 0 if told is not None else verbose
    with locked_file(path, "a measurement"), ExitStack() as bars:
        machine = None if elsewhere.is_asked else this_machine()
        framework, loaded, network = load_for_inspection(model, registry, options=options, imports=imports)
        is_file = isinstance(model, str | PathLike)
        digest = file_hash(Path(model)) if is_file else weights_hash(framework, loaded, network)
        if device is not None:
            count = told or bars.enter_context(showing_count(shown, "counting widths"))
            return device_table(device, config, (framework, loaded, network), digest, settings, path, count)
        probe = _probe(registry, framework, settings, options)

        def shows(what: str) -> Told:
            bars.close()  # a terminal shows one bar at a time
            return told or bars.enter_context(showing_count(shown, what))

        def note(text: str) -> None:
            with following(shown) as watcher:
                watcher.note(text)

        if machine is None:
            remote = RemoteLatency(framework, probe, loaded, network, path, elsewhere, shows, note)
            return remote.table(digest, settings)
        count = shows("timing segments")
        return measured_table(framework, probe, loaded, network, digest, settings, machine, path, count)
