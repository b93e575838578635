"""Finds the plugin classes that `reds check` names."""

from __future__ import annotations

import importlib
import inspect

from reds_core.discovery import PluginStatus
from reds_core.errors import InputError, UnavailableError, UnsupportedError, suggestion
from reds_core.plugin import Plugin
from reds_core.registry import Registry
from reds_core.testing.kits import KITS, kit_for, nouns


def find_plugins(target: str, registry: Registry | None = None) -> list[type[Plugin]]:
    """The classes meant by the name of an installed plugin, or by module:Class.

    Raises:
        InputError: if there is none, or it is broken.
        UnsupportedError: if it is of another kind.
        UnavailableError: if it needs a library that is not installed.
    """
    if not isinstance(target, str):
        raise InputError(f"plugin of type {type(target).__name__} is not a name", "give a name or module:Class")
    found = [_imported(target)] if ":" in target else _installed(target, registry or Registry())
    for plugin in found:
        if plugin.missing():
            needs = ", ".join(plugin.missing())
            raise UnavailableError(
                f"{plugin.kind} '{plugin.name}' needs {needs}", plugin.install or f"pip install {needs}"
            )
    return found


def _installed(name: str, registry: Registry) -> list[type[Plugin]]:
    records = [r for r in registry.records if r.kind in {kit.base.kind for kit in KITS}]
    found = [r.plugin for r in records if r.name == name and r.plugin is not None]
    if found:
        return found
    for record in registry.records:
        if record.name == name and record.status is PluginStatus.BROKEN:
            raise InputError(f"plugin '{name}' is broken ({record.detail})", "fix or uninstall it")
    for record in registry.records:
        if record.name == name:
            raise UnsupportedError(f"'{name}': there are no checks for a {record.kind}", f"name a {nouns()}")
    names = sorted({r.name for r in records})
    raise InputError(f"unknown plugin '{name}'", f"{suggestion(name, names)}installed: {', '.join(names) or 'none'}")


def _imported(target: str) -> type[Plugin]:
    module_name, _, class_name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the author's module raises
        raise InputError(
            f"module '{module_name}' cannot be imported ({type(error).__name__}: {error})",
            "install it, or set PYTHONPATH to its folder",
        ) from error
    if not hasattr(module, class_name):
        raise InputError(f"module '{module_name}' has no '{class_name}'", "give module:Class")
    found = getattr(module, class_name)
    if not inspect.isclass(found) or not issubclass(found, Plugin) or not kit_for(found) or inspect.isabstract(found):
        raise InputError(f"'{target}' is not a class of a {nouns()}", "give module:Class of a complete plugin")
    return found
