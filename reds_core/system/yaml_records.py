"""Records (dataclasses) from YAML, with errors that name the line, the key, and what was expected there."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from reds_core.errors import InputError

Special = Mapping[str, Callable[[Any], Any]]
"""How some keys of a record are read from plain values, where their types do not tell."""


class YamlFile:
    """One YAML file, read by the safe loader: no code of the file is run.

    Raises:
        InputError: if it cannot be read or is no YAML mapping.
    """

    def __init__(self, path: Path, what: str) -> None:
        import yaml

        self._yaml, self._path, self._what = yaml, path, what
        try:
            self.root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except FileNotFoundError:
            raise InputError(f"{what} '{path}' does not exist", "give the path of a YAML file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{what} '{path}' cannot be read ({type(error).__name__})", "give a YAML file") from error
        except RecursionError:
            raise InputError(f"{what} '{path}' is nested too deeply", "write KEY: VALUE, one a line") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "unreadable characters"
            where = f", line {mark.line + 1}" if mark is not None else ""
            raise InputError(f"{what} '{path}'{where} is no YAML: {problem}", "write KEY: VALUE, one a line") from error
        if not isinstance(self.root, yaml.MappingNode):
            raise InputError(f"{what} '{path}' holds no keys", "write KEY: VALUE, one a line")

    def fail(self, node: Any, problem: str, mend: str) -> NoReturn:
        """Raise the error about a part of the file."""
        raise InputError(f"{self._what} '{self._path}', line {node.start_mark.line + 1}: {problem}", mend)

    def values(
        self, hints: Mapping[str, Any], node: Any, name: str = "", special: Special | None = None
    ) -> dict[str, Any]:
        """The keys that a mapping gives, each read as the type that `hints` has for it.

        Args:
            name: of the section, for messages.
            special: gives the values of some keys from the plain values of the file.
        """
        found = {}
        for key, each in self._entries(node, name).items():
            if key not in hints:
                self.fail(each, f"key '{key}' is unknown{f' in {name}' if name else ''}", _near(key, hints))
            read = (special or {}).get(key)
            found[key] = self._read(hints[key], each, key) if read is None else self._specially(read, each)
        return found

    def _record(self, wanted: type, node: Any, name: str) -> Any:
        """A mapping as the record `wanted`, whose defaults stand for keys that are left out."""
        found = self.values(typing.get_type_hints(wanted), node, name)
        try:
            return wanted(**found)
        except InputError as error:
            self.fail(node, f"{name}: {error.what}", error.fix)

    def _specially(self, read: Callable[[Any], Any], node: Any) -> Any:
        try:
            return read(self._plain(node))
        except InputError as error:
            self.fail(node, error.what, error.fix)

    def _entries(self, node: Any, name: str) -> dict[str, Any]:
        """Value nodes by key."""
        if not isinstance(node, self._yaml.MappingNode):
            self.fail(node, f"{name} is no mapping", f"write {name}: with KEY: VALUE indented below")
        entries: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                self.fail(key, "a key is no plain word", "write KEY: VALUE")
            if key.value in entries:
                self.fail(key, f"key '{key.value}' is given twice", "give it once")
            entries[key.value] = value
        return entries

    def _plain(self, node: Any) -> Any:
        """Lists, mappings and scalars."""
        loader = self._yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except self._yaml.YAMLError:
            self.fail(node, f"a value of type {node.tag} is not allowed", "give a text, a number, a list or a mapping")
        finally:
            loader.dispose()

    def _read(self, wanted: Any, node: Any, name: str) -> Any:
        origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
        if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
            return self._record(wanted, node, name)
        if origin in (typing.Union, types.UnionType):
            (inner,) = (a for a in arguments if a is not type(None))
            return None if self._is_null(node) else self._read(inner, node, name)
        if origin is tuple:
            listed = node.value if isinstance(node, self._yaml.SequenceNode) else [node]
            return tuple(self._read(arguments[0], each, name) for each in listed)
        if origin is not None and issubclass(origin, Mapping):
            entries = self._entries(node, name)
            return {key: self._read(arguments[1], each, f"{name}.{key}") for key, each in entries.items()}
        if not isinstance(node, self._yaml.ScalarNode):
            self.fail(node, f"{name} holds more than one value", f"give {_told(wanted)}")
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            choices = {choice.value: choice for choice in wanted}
            return choices[self._one_of(choices, node, name)]
        if origin is typing.Literal:
            return self._one_of(arguments, node, name)
        return self._scalar(wanted, node, name)

    def _is_null(self, node: Any) -> bool:
        return isinstance(node, self._yaml.ScalarNode) and self._plain(node) is None

    def _one_of(self, choices: Iterable[str], node: Any, name: str) -> str:
        if node.value not in choices:
            self.fail(node, f"{name} cannot be '{node.value}'", _near(node.value, choices))
        text: str = node.value
        return text

    def _scalar(self, wanted: type, node: Any, name: str) -> Any:
        value = self._plain(node)
        if wanted is str and value == "" and "." not in name:  # options of plugins may be empty
            self.fail(node, f"{name} is empty", "give a value, or leave the key out")
        if wanted is str and value is not None:
            return node.value  # as it was typed: a plug-in's option may look like a number
        if wanted is float and isinstance(value, str):  # YAML 1.1 takes 1e-3, without a point, for a text
            try:
                value = float(value)
            except ValueError:
                value = None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if wanted is float and is_number and math.isfinite(value):
            return float(value)
        if wanted is not float and type(value) is wanted:
            return value
        self.fail(node, f"{name} is '{node.value}', not {_told(wanted)}", f"give {_told(wanted)}")


def _told(wanted: Any) -> str:
    """A type as users know it."""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(wanted, "one value")


def _near(word: str, known: Iterable[str] | Mapping[str, Any]) -> str:
    """How to mend an unknown word: the section it belongs to, the nearest known one, or all of them.

    Args:
        known: known words; for keys their types.
    """
    for section, wanted in known.items() if isinstance(known, Mapping) else ():
        if dataclasses.is_dataclass(wanted) and word in {f.name for f in dataclasses.fields(wanted)}:
            return f"put it into {section}:"
    names = list(known)
    near = difflib.get_close_matches(word.replace("-", "_"), names, 1)
    return f"did you mean {near[0]}?" if near else f"give one of {', '.join(names)}"
