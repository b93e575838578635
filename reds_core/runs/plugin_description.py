"""What an installed plugin is: what it does, where it comes from, and its options."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reds_core.discovery import PluginRecord, PluginStatus
from reds_core.errors import InputError, command, suggestion
from reds_core.plugin import Plugin
from reds_core.registry import Registry, given_registry
from reds_core.system.docstrings import description_of, inherited_attribute_texts


@dataclass(frozen=True)
class OptionDescription:
    """An option of a plugin.

    Attributes:
        name: Its name.
        type: The type of its values, such as "int" or "l2 | l1".
        default: Its default.
        description: What it does.
    """

    name: str
    type: str
    default: str | int | float | bool | None
    description: str


@dataclass(frozen=True)
class PluginDescription:
    """An installed plugin.

    Attributes:
        name: The name of the plugin.
        kind: The kind of the plugin, such as "solver"; None if it is broken.
        status: Whether it can be used.
        detail: What to install, or why it is broken; empty if it can be used.
        distribution: The distribution that contains it; None if that is unknown.
        version: The version of the distribution; None if that is unknown.
        source: The class, as MODULE:CLASS; None if it is broken.
        description: What it does, in the words of its author.
        requires: The libraries that it needs, by import name.
        properties: What else it declares. For a solver these are the features of problems that it supports, what it
            may claim besides a feasible choice, and the controls that it honours.
        options: Its options.
        example: One of its options as `--option` takes it; None if it has none.
    """

    name: str
    kind: str | None
    status: PluginStatus
    detail: str
    distribution: str | None
    version: str | None
    source: str | None
    description: str
    requires: tuple[str, ...]
    properties: Mapping[str, tuple[str, ...]]
    options: tuple[OptionDescription, ...]
    example: str | None


def describe_plugin(name: str, registry: Registry | None = None) -> tuple[PluginDescription, ...]:
    """Describe the plugins of one name: what they do, where they come from, and their options.

    This is what `reds plugins NAME` does. No library behind a plugin is imported.

    Args:
        name: The name of an installed plugin, or that of the entry point of a broken one.
        registry: The plugins to choose from. By default they are all that are installed.

    Returns:
        One description for each kind of plugin of that name.

    Raises:
        InputError: If there is no plugin of that name.

    Example:
        >>> (described,) = reds_core.describe_plugin("taylor")
        >>> [(option.name, option.default) for option in described.options]
    """
    records = given_registry(registry).records
    found = tuple(_described(record) for record in records if record.name == name)
    if not found:
        hint = suggestion(str(name), {record.name for record in records})
        raise InputError(f"unknown plugin '{name}'", f"{hint}see {command('plugins')}")
    return found


def _described(record: PluginRecord) -> PluginDescription:
    plugin = record.plugin
    options = () if plugin is None else _options_of(plugin)
    return PluginDescription(
        name=record.name,
        kind=record.kind,
        status=record.status,
        detail=record.detail,
        distribution=record.distribution,
        version=record.version,
        source=None if plugin is None else f"{plugin.__module__}:{plugin.__qualname__}",
        description="" if plugin is None else description_of(plugin),
        requires=() if plugin is None else plugin.requires,
        properties={} if plugin is None else _properties_of(plugin),
        options=options,
        example=_example(record.name, options),
    )


def _options_of(plugin: type[Plugin]) -> tuple[OptionDescription, ...]:
    defaults, texts = plugin.Options(), inherited_attribute_texts(plugin.Options)
    kinds = typing.get_type_hints(plugin.Options)
    return tuple(
        OptionDescription(f.name, _type_text(kinds[f.name]), getattr(defaults, f.name), texts.get(f.name, ""))
        for f in dataclasses.fields(plugin.Options)
    )


def _type_text(kind: Any) -> str:
    """A type as users read it: the choices of a Literal, "or none" for what may be None."""
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(str(choice) for choice in typing.get_args(kind))
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " | ".join(_type_text(each) for each in typing.get_args(kind))
    return "none" if kind is type(None) else str(getattr(kind, "__name__", kind))


def _properties_of(plugin: type[Plugin]) -> dict[str, tuple[str, ...]]:
    """The flags that the kind of a plugin asks it to declare, by the name of the attribute."""
    declared = {name: getattr(plugin, name) for name in plugin.declares}
    return {
        name: tuple(str(each.name).lower() for each in flags)
        for name, flags in declared.items()
        if isinstance(flags, enum.Flag)
    }


def _example(name: str, options: tuple[OptionDescription, ...]) -> str | None:
    """The first option with a value other than its default if one is known, or else with its default."""
    for option in options:
        if isinstance(option.default, bool):
            return f"{name}.{option.name}={str(not option.default).lower()}"
        choices = option.type.split(" | ")
        others = [choice for choice in choices if choice not in (str(option.default), "int", "float", "str", "bool")]
        if len(choices) > 1 and others:
            return f"{name}.{option.name}={others[0] if option.default is not None else 'none'}"
        if option.default not in (None, ""):
            return f"{name}.{option.name}={option.default}"
    return None
