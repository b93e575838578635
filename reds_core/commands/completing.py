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


def device_names(*methods: str) -> Callable[[str], list[str]]:
    """A function that completes the name of a target that can do something.

    Args:
        methods: The methods of targets for it, of which one suffices: "export" writes files, "deploy" writes families,
            "profile" profiles files, and "load" runs them.
    """

    def complete(incomplete: str) -> list[str]:
        return [name for name in _able(methods) if name.startswith(incomplete)]

    return complete


def choices(names: Iterable[str]) -> Callable[[str], list[str]]:
    """A function that completes one of some names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def realisation_names(incomplete: str) -> list[str]:
    """Complete the name of a realisation of widths."""
    return [name for name in _realisations() if name.startswith(incomplete)]


def realisation_text() -> str:
    """A sentence that lists the realisations of widths."""
    return _installed(_realisations())


def transform_text() -> str:
    """A sentence that lists the transforms that offer levels of layers."""
    return _installed(_of_sort(realises=False))


def transform_names(incomplete: str) -> list[str]:
    """Complete the name of a transform that offers levels of layers."""
    return [name for name in _of_sort(realises=False) if name.startswith(incomplete)]


def installed_text(kind: str) -> str:
    """A sentence that lists the plugins of one kind that can be used."""
    return _installed(_usable((kind,)))


def able_text(*methods: str) -> str:
    """A sentence that lists the targets that can do something; see `device_names`."""
    return _installed(_able(methods))


def _installed(names: list[str]) -> str:
    return f"Installed: {', '.join(names) or 'none'}."


def _realisations() -> list[str]:
    """What realises widths: the words of runs themselves, and the plugins."""
    from reds_core.transforms.realisation import BEST, DROP

    return [DROP, *_of_sort(realises=True), BEST]


def _of_sort(realises: bool) -> list[str]:
    """The plugins of the kind "transform" of one sort."""
    from reds_core.registry import Registry
    from reds_core.transforms.realisation import Realisation
    from reds_core.transforms.transform import Transform

    return list(Registry().available(Realisation if realises else Transform))


def _able(methods: tuple[str, ...]) -> list[str]:
    """The targets that have one of some methods of their own."""
    from reds_core.framework.device import Device
    from reds_core.registry import Registry

    found = Registry().available(Device).items()
    return [name for name, cls in found if any(getattr(cls, m, None) != getattr(Device, m, None) for m in methods)]


def _usable(kinds: tuple[str, ...]) -> list[str]:
    from reds_core.discovery import PluginStatus
    from reds_core.registry import Registry

    return [r.name for r in Registry().records if r.status is PluginStatus.OK and (not kinds or r.kind in kinds)]
