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
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry

COUNTED_POINTS = 16
"""The most widths of each group that are counted unless another number is asked for. Counting is fast."""
_TIMED_ONLY = ("element_size", "threads", "repeats")


def counting_device(registry: Registry, on: str, config: str | None, options: PluginOptions | None) -> Device | None:
    """Return the device that counts networks; None if the layers are timed on this machine instead.

    Args:
        registry: The plugins to choose from.
        on: The name of a target.
        config: The configuration that is asked for.
        options: Options of plugins.

    Raises:
        InputError: If there is no such target, or the target that times layers is given a configuration.
        UnsupportedError: If it neither times nor counts.
        UnavailableError: If a library that it needs is not installed.
    """
    device = registry.create(Device, on, options)
    if type(device).counter is not Device.counter:
        return device
    if device.times_layers:
        configuration_of(device, config)
        return None
    able = (
        n for n, kind in registry.available(Device).items() if kind.times_layers or kind.counter is not Device.counter
    )
    raise UnsupportedError(
        f"target '{on}' neither times nor counts layers", f"choose from: {', '.join(sorted(able)) or 'none'}"
    )


def refuse_timing(device: Device, given: Iterable[str]) -> None:
    """Refuse settings of timing for a device that counts.

    Raises:
        InputError: If there is one.
    """
    for name in given:
        if name in _TIMED_ONLY:
            raise InputError(
                f"{argument(name)} has no effect with {argument('on', device.name)}, which times nothing",
                "leave it out",
            )


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
        points=settings.points,
        check_count=settings.checks,
        element_size_bytes=INT8_BYTES,
        macs=counting.macs(network).at(network.channels),
    )


def configuration_of(device: Device, config: str | None) -> str | None:
    """Return the configuration to use.

    Raises:
        InputError: If the device has no such configuration.
    """
    known = device.configurations
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
