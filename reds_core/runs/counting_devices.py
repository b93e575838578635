"""The devices that count networks for budgets: which one is asked for, with which settings."""

from __future__ import annotations

from collections.abc import Iterable

from reds_core.cost import counting
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InputError, UnsupportedError, argument, suggestion
from reds_core.framework.device import Device
from reds_core.framework.device_counter import DeviceCounter
from reds_core.framework.file_kinds import INT8_BYTES
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions, guarded
from reds_core.registry import Registry
from reds_core.runs.elsewhere import Elsewhere

COUNTED_POINTS = 16
"""The most widths of each group that are counted unless another number is asked for. Counting is fast."""
_TIMED_ONLY = ("element_size", "threads", "repeats")


def counting_device(
    registry: Registry,
    on: str | None,
    config: str | None,
    options: PluginOptions | None,
    given: Iterable[str],
    elsewhere: Elsewhere,
) -> Device | None:
    """Return the device that counts networks; None if layers are timed instead.

    Args:
        registry: The plugins to choose from.
        on: The name of a target; None for timing.
        config: The configuration that is asked for.
        options: Options of plugins.
        given: The names of the settings that are given.
        elsewhere: Where layers are timed.

    Raises:
        InputError: If there is no such target, or the settings do not apply to it.
        UnsupportedError: If it neither times nor counts.
        UnavailableError: If a library that it needs is not installed.
    """
    if on is None:
        if config is not None:
            raise InputError(f"{argument('config')} is given without {argument('on')}", "name the target of it")
        return None
    device = registry.create(Device, on, options)
    is_counting = type(device).counter is not Device.counter
    if not is_counting and not device.times_layers:
        known = registry.available(Device).items()
        able = (name for name, kind in known if kind.times_layers or kind.counter is not Device.counter)
        raise UnsupportedError(
            f"target '{on}' neither times nor counts layers", f"choose from: {', '.join(sorted(able)) or 'none'}"
        )
    configuration_of(device, config)
    if not is_counting:
        return None
    if elsewhere.is_asked:
        raise InputError(f"target '{on}' counts on any machine alike", "leave out the other machine")
    for name in given:
        if name in _TIMED_ONLY:
            raise InputError(
                f"{argument(name)} has no effect with {argument('on', on)}, which times nothing", "leave it out"
            )
    return device


def empty_table(
    network: Network,
    model_hash: str,
    device: Device,
    configuration: str | None,
    counter: DeviceCounter,
    settings: LatencySettings,
) -> DeviceTable:
    """Return the table of a device without anything counted."""
    conditions = counter.conditions
    return DeviceTable(
        network=network.name,
        model=model_hash,
        channels=network.channels,
        on=device.name,
        config=configuration,
        options=conditions.options,
        versions=conditions.versions,
        facts=conditions.facts,
        energy_source=conditions.energy,
        points=settings.points,
        check_count=settings.checks,
        element_size_bytes=INT8_BYTES,
        macs=counting.macs(network).at(network.channels),
    )


def configuration_of(device: Device, config: str | None) -> str | None:
    """Return the configuration to use.

    Raises:
        InputError: If the device has no such configuration.
        UnavailableError: If the device has to ask for its configurations, and cannot.
    """
    with guarded(device):
        known = device.known_configurations()
    if config is None:
        return known[0] if known else None
    if config not in known:
        fix = (
            f"{suggestion(config, known)}choose from: {', '.join(known)}"
            if known
            else f"leave out {argument('config')}"
        )
        raise InputError(f"target '{device.name}' has no configuration '{config}'", fix)
    return config
