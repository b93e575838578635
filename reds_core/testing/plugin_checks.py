"""Checks for plugins of every kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from reds_core.plugin import Plugin
from reds_core.testing.isolation import imports_of
from reds_core.testing.report import Failure, Settings, Skip

P = TypeVar("P", bound=Plugin)


class PluginSubject(Generic[P]):
    """A plugin under test.

    Args:
        make: makes a plugin with its options.
        settings: the expectations that the author states.
    """

    def __init__(self, make: Callable[[], P], settings: Settings) -> None:
        self.make = make
        self.settings = settings
        self.plugin = make()


def check_declaration(plugin: Plugin) -> None:
    """Check the declarations that all kinds of plugins share.

    Raises:
        Failure: if a declaration is missing or has the wrong type.
    """
    if not isinstance(plugin.name, str) or not plugin.name or plugin.name != "".join(plugin.name.split()).lower():
        raise Failure(f"the name {plugin.name!r} is not a lower-case word")
    if not isinstance(plugin.requires, tuple) or not all(isinstance(r, str) for r in plugin.requires):
        raise Failure(f"requires is {plugin.requires!r}, not a tuple of import names")
    options = type(plugin).Options
    if not _is_frozen_dataclass(options) or not isinstance(plugin.options, options):
        raise Failure("options are not an object of the frozen dataclass Options")


def _is_frozen_dataclass(found: type) -> bool:
    return dataclasses.is_dataclass(found) and bool(found.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def is_clause(text: object) -> bool:
    """Whether `text` fits into a message: a text of one line without a full stop at the end."""
    return isinstance(text, str) and text == " ".join(text.split()) != "" and not text.endswith(".")


def imports_nothing_heavy(subject: PluginSubject[Any]) -> None:
    """Every command imports every plugin, so a library imported at the top of a module slows down or breaks them all.

    In a new interpreter, the module may import the standard library, numpy, pluggy, reds_core and its own package.
    Everything else is to be imported inside methods.
    """
    module = type(subject.plugin).__module__
    brought = imports_of(module)
    if brought is None:
        raise Skip(f"its module {module} cannot be imported by name in a fresh interpreter")
    if brought:
        raise Failure(f"importing {module} imports {', '.join(sorted(brought))}; import them inside the methods")
