"""The base class of all plugins, their options, and lists of plugins as users write them."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import importlib.util
import itertools
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from reds_core.errors import InputError, PluginFailure, RedsError
from reds_core.system.machine_faults import is_out_of_space, machine_fault
from reds_core.system.settings import WrongSettingError, read_setting

__all__ = [
    "Plugin",
    "PluginOptions",
    "PluginSource",
    "build_options",
    "parse_plugin_list",
    "plugin_text",
    "split_outside_brackets",
]

ENTRY_POINT_GROUP = "reds"

P = TypeVar("P", bound="Plugin")

PluginOptions = Mapping[str, Mapping[str, str]]
"""Options as typed by the user: plugin name -> option key -> text."""


@dataclass(frozen=True)
class NoOptions:
    """Options of a plugin that has none."""


class PluginSource(Protocol):
    """A source of other plugins, which is the registry."""

    def available(self, base: type[P]) -> dict[str, type[P]]:
        """The usable classes of kind `base`, by name."""

    def create(self, base: type[P], name: str, settings: PluginOptions | None = None) -> P:
        """Create and equip the plugin of kind `base` with that name."""


class Plugin:
    """Common base class of all kinds of plugins.

    A new kind is a subclass that sets `kind` and `declares`, and a hook specification in `reds_core/kinds.py`.

    Attributes:
        kind: The kind of the plugin, such as "solver". It is set by the base class of the kind.
        declares: The class attributes that every plugin of the kind must set, besides `name`.
        name: The name by which users ask for the plugin.
        requires: The import names of libraries that must be installed. Discovery looks for them without importing them.
        install: How to install them. By default it is `pip install` with their names.
        Options: A frozen dataclass in which every field has a default. A field may be a bool, int, float, str or a
            Literal of texts, or one of these or None.
    """

    kind: ClassVar[str]
    declares: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str | None] = None
    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = type(self).Options() if options is None else options

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        """Create the other plugins that this one uses. Called once, after the plugin is created.

        Args:
            source: The source of other plugins.
            settings: Options of all plugins, from which those created here take theirs.
        """

    @classmethod
    def missing(cls) -> tuple[str, ...]:
        """The libraries in `requires` that are not installed."""
        # only the top-level name, since looking for a submodule would import its parent
        return tuple(name for name in cls.requires if importlib.util.find_spec(name.partition(".")[0]) is None)

    @classmethod
    def version(cls) -> str:
        """The version of the distribution of the plugin, or "unknown" if no entry point names its package."""
        return _version_of(cls.__module__.partition(".")[0])


@contextmanager
def guarded(plugin: Plugin, doing: str = "") -> Iterator[None]:
    """Context manager for code of a plugin, which attributes its errors to the plugin.

    Args:
        plugin: The plugin whose code is run.
        doing: What it does, as the text after "failed" in the message, such as " at step 'score'".

    Raises:
        RedsError: For errors of reds itself, a full disk, or a library that cannot be imported.
        MemoryError: If memory runs out.
        PluginFailure: For every other error.
    """
    try:
        yield
    except (RedsError, MemoryError):
        raise
    except Exception as error:
        fault = machine_fault(error) if is_out_of_space(error) or isinstance(error, ImportError) else None
        if fault is not None:
            raise fault from error
        raise PluginFailure(
            f"{plugin.kind} '{plugin.name}' failed{doing} with {type(error).__name__}: {error}",
            f"report it to its author, or choose another {plugin.kind}",
        ) from error


@functools.cache  # searching all installed distributions takes longer than many solves
def installed_entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    """The entry points of all installed plugins, as of the first call or the last `cache_clear`."""
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


def _version_of(package: str) -> str:
    for entry_point in installed_entry_points():
        if entry_point.module.partition(".")[0] == package and entry_point.dist is not None:
            return name_and_version(entry_point.dist)[1]
    return "unknown"


@functools.lru_cache(maxsize=64)  # reads and parses a file, which takes as long as a small solve
def name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """The name and the version of an installed distribution."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def equipped(plugin: type[P], source: PluginSource, settings: PluginOptions) -> P:
    """Create a plugin with its options from `settings`, equipped with the other plugins that it uses.

    Raises:
        InputError: If an option is unknown or malformed.
    """
    made = plugin(build_options(plugin, settings.get(plugin.name, {})))
    made.equip(source, settings)
    return made


def build_options(plugin: type[Plugin], settings: Mapping[str, str | int | float | bool | None]) -> Any:
    """Create the `Options` of `plugin` from settings. Texts are converted to the types of the fields.

    Raises:
        InputError: If a key is not an option of the plugin, or a setting is not of the type of its option.
    """
    known = {f.name: f for f in dataclasses.fields(plugin.Options)}
    types_by_name = typing.get_type_hints(plugin.Options)
    converted = {}
    for key, setting in settings.items():
        field_name = key.replace("-", "_")
        if field_name not in known:
            fix = (
                f"choose from its options: {', '.join(sorted(known))}"
                if known
                else "leave it out, as it has no options"
            )
            raise InputError(f"{plugin.kind} '{plugin.name}' has no option '{key}'", fix)
        try:
            converted[field_name] = read_setting(types_by_name[field_name], setting)
        except WrongSettingError as error:
            raise InputError(f"option {plugin.name}.{key} cannot be '{setting}'", error.fix) from None
    return plugin.Options(**converted)


def parse_plugin_list(text: str, kind: str) -> list[tuple[str, dict[str, str]]]:
    """Parse a list such as "dp,cpsat[presolve=false],pulp[backend=HiGHS,presolve=false]".

    Args:
        text: The list.
        kind: The kind of the plugins, for error messages.

    Returns:
        The name and the options of each plugin.

    Raises:
        InputError: If the list is malformed.
    """
    depths = [0, *itertools.accumulate((c == "[") - (c == "]") for c in text)]
    if depths[-1] != 0 or not {*depths} <= {0, 1}:
        raise _malformed(text, kind)
    return [_parse_plugin(part, kind) for part in split_outside_brackets(text)]


def split_outside_brackets(text: str) -> list[str]:
    """Split a text at the commas that are not in square brackets, without spaces around the parts."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def plugin_text(name: str, options: Mapping[str, str]) -> str:
    """A plugin and its options as `parse_plugin_list` reads them, such as "cpsat[presolve=false]" or "dp"."""
    return f"{name}[{','.join(f'{key}={setting}' for key, setting in options.items())}]" if options else name


def _parse_plugin(text: str, kind: str) -> tuple[str, dict[str, str]]:
    name, bracket, inside = text.partition("[")
    if not name.strip() or (bracket and not inside.endswith("]")):
        raise _malformed(text, kind)
    options: dict[str, str] = {}
    for entry in inside.removesuffix("]").split(",") if inside.removesuffix("]").strip() else ():
        key, equals, setting = (piece.strip() for piece in entry.partition("="))
        if not key or not equals:
            raise _malformed(text, kind)
        if key in options:
            raise InputError(f"option '{key}' of {kind} '{name.strip()}' is given twice", "give it once")
        options[key] = setting
    return name.strip(), options


def _malformed(text: str, kind: str) -> InputError:
    return InputError(
        f"'{text}' is not a list of {kind}s",
        "write NAME or NAME[KEY=VALUE,...], joined by commas: dp,cpsat[presolve=no]",
    )
