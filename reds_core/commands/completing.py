"""The names of installed plugins, for completion in the shell and for help texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def plugin_names(*kinds: str) -> Callable[[str], list[str]]:
    """A function that completes the name of a plugin.

    Args:
        kinds: The kinds of the plugins, such as "solver". Without any, plugins of all kinds are completed.
    """

    def complete(incomplete: str) -> list[str]:
        return [name for name in _usable(kinds) if name.startswith(incomplete)]

    return complete


def plugin_list(kind: str) -> Callable[[str], list[str]]:
    """A function that completes the last name of a list of plugins, which commas separate.

    Args:
        kind: The kind of the plugins, such as "solver".
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in _usable((kind,)) if name.startswith(last)]

    return complete


def choices(names: Iterable[str]) -> Callable[[str], list[str]]:
    """A function that completes one of some names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def installed_text(kind: str) -> str:
    """A sentence that lists the plugins of one kind that can be used."""
    return f"Installed: {', '.join(_usable((kind,))) or 'none'}."


def _usable(kinds: tuple[str, ...]) -> list[str]:
    from reds_core.discovery import PluginStatus
    from reds_core.registry import Registry

    return [r.name for r in Registry().records if r.status is PluginStatus.OK and (not kinds or r.kind in kinds)]
