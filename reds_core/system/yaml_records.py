"""Records (dataclasses) read from YAML, with errors that name the line, the key and the expected value."""

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

_WRITE_KEYS = "write one KEY: VALUE per line"

Special = Mapping[str, Callable[[Any], Any]]
"""Key -> function that converts the plain value of the file, for keys whose types do not determine that."""


class YamlFile:
    """A YAML file, read by the safe loader, which does not run any code of the file.

    Args:
        path: path of the file.
        what: what the file is, for messages.

    Raises:
        InputError: if the file cannot be read or is not a YAML mapping.
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
            raise InputError(f"{what} '{path}' is nested too deeply", _WRITE_KEYS) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "unreadable characters"
            where = f", line {mark.line + 1}" if mark is not None else ""
            raise InputError(f"{what} '{path}'{where} is not valid YAML: {problem}", _WRITE_KEYS) from error
        if not isinstance(self.root, yaml.MappingNode):
            raise InputError(f"{what} '{path}' holds no keys", _WRITE_KEYS)

    def fail(self, node: Any, problem: str, fix: str) -> NoReturn:
        """Raise an InputError about the part of the file at `node`."""
        raise InputError(f"{self._what} '{self._path}', line {node.start_mark.line + 1}: {problem}", fix)

    def values(
        self, hints: Mapping[str, Any], node: Any, name: str = "", special: Special | None = None
    ) -> dict[str, Any]:
        """Read the keys of a mapping, each as its type in `hints`.

        Args:
            hints: types of the known keys.
            node: the mapping in the file.
            name: name of the section, for messages.
            special: functions that convert the plain values of some keys.

        Raises:
            InputError: if a key is unknown or given twice, or a value does not have the type of its key.
        """
        found = {}
        for key, each in self._entries(node, name).items():
            if key not in hints:
                self.fail(each, f"key '{key}' is unknown{f' in {name}' if name else ''}", _suggestion(key, hints))
            read = (special or {}).get(key)
            found[key] = self._read(hints[key], each, key) if read is None else self._specially(read, each)
        return found

    def _record(self, wanted: type, node: Any, name: str) -> Any:
        """Read a mapping as the dataclass `wanted`, with its defaults for missing keys."""
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
        """Return the value nodes of a mapping by key."""
        if not isinstance(node, self._yaml.MappingNode):
            self.fail(node, f"{name} is not a mapping", f"write {name}: with KEY: VALUE indented below")
        entries: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                self.fail(key, "a key is not a plain word", "write KEY: VALUE")
            if key.value in entries:
                self.fail(key, f"key '{key.value}' is given twice", "give it once")
            entries[key.value] = value
        return entries

    def _plain(self, node: Any) -> Any:
        """Convert a node to lists, mappings and scalars."""
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
            self.fail(node, f"{name} holds more than one value", f"give {_type_name(wanted)}")
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
            self.fail(node, f"{name} cannot be '{node.value}'", _suggestion(node.value, choices))
        text: str = node.value
        return text

    def _scalar(self, wanted: type, node: Any, name: str) -> Any:
        value = self._plain(node)
        if wanted is str and value == "" and "." not in name:  # only options of plugins may be empty
            self.fail(node, f"{name} is empty", "give a value, or leave the key out")
        if wanted is str and value is not None:
            return node.value  # unparsed, because the option of a plugin may look like a number
        if wanted is float and isinstance(value, str):  # YAML 1.1 reads 1e-3, without a point, as a string
            try:
                value = float(value)
            except ValueError:
                value = None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if wanted is float and is_number and math.isfinite(value):
            return float(value)
        if wanted is not float and type(value) is wanted:
            return value
        self.fail(node, f"{name} is '{node.value}', not {_type_name(wanted)}", f"give {_type_name(wanted)}")


def _type_name(wanted: Any) -> str:
    """Return the name of a type for users."""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(wanted, "one value")


def _suggestion(word: str, known: Iterable[str] | Mapping[str, Any]) -> str:
    """Suggest a fix for an unknown word: the section that it belongs to, the most similar known word, or all of them.

    Args:
        word: the unknown word.
        known: the known words; if they are keys, with their types.
    """
    for section, wanted in known.items() if isinstance(known, Mapping) else ():
        if dataclasses.is_dataclass(wanted) and word in {f.name for f in dataclasses.fields(wanted)}:
            return f"put it into {section}:"
    names = list(known)
    near = difflib.get_close_matches(word.replace("-", "_"), names, 1)
    return f"did you mean {near[0]}?" if near else f"give one of {', '.join(names)}"
