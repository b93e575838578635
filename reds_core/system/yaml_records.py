"""Records (dataclasses) read from YAML, with errors that name the line, the key and the expected value.

PyYAML parses and cattrs converts. The source for cattrs is our own, because it keeps the nodes of PyYAML, and with them
the lines that messages name and the strings as they were typed.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from reds_core.errors import InputError
from reds_core.system.structuring import Source, converter_for, type_name

_WRITE_KEYS = "write one KEY: VALUE per line"

Special = Mapping[str, Callable[[Any], Any]]
"""Key -> function that converts the plain value of the file, for keys whose types do not determine that."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """A node of PyYAML, and the name of its key or section for messages."""

    node: Any
    name: str


class _LocatedError(Exception):
    """Carries an error whose message is complete past constructors whose errors still lack the line."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error


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

        self._path, self._what = path, what
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

    def values(self, hints: Mapping[str, Any], special: Special | None = None) -> dict[str, Any]:
        """Read the keys of the file, each as its type in `hints`.

        Args:
            hints: types of the known keys.
            special: functions that convert the plain values of some keys.

        Raises:
            InputError: if a key is unknown or given twice, or a value does not have the type of its key.
        """
        source = _NodeSource(self._path, self._what)
        converter = converter_for(source)
        found = {}
        try:
            for key, place in source.known(_Place(self.root, ""), hints).items():
                read = (special or {}).get(key)
                found[key] = converter.structure(place, hints[key]) if read is None else source.specially(read, place)
        except _LocatedError as located:
            raise located.error from None
        return found


class _NodeSource(Source):
    """Places in a YAML file."""

    def __init__(self, path: Path, what: str) -> None:
        import yaml

        self._yaml, self._path, self._what = yaml, path, what

    def is_none(self, value: _Place) -> bool:
        return isinstance(value.node, self._yaml.ScalarNode) and self.anything(value) is None

    def anything(self, value: _Place) -> Any:
        """Convert a node to lists, mappings and scalars."""
        loader = self._yaml.SafeLoader("")
        try:
            return loader.construct_object(value.node, deep=True)
        except self._yaml.YAMLError:
            fix = "give a text, a number, a list or a mapping"
            self._fail(value.node, f"a value of type {value.node.tag} is not allowed", fix)
        finally:
            loader.dispose()

    def specially(self, read: Callable[[Any], Any], value: _Place) -> Any:
        """Convert a plain value by the function `read`."""
        try:
            return read(self.anything(value))
        except InputError as error:
            self._fail(value.node, error.what, error.fix)

    def construct(self, make: Callable[[], Any], value: _Place) -> Any:
        try:
            return make()
        except InputError as error:
            self._fail(value.node, f"{value.name}: {error.what}", error.fix)

    def fields(self, value: _Place, wanted: type) -> Mapping[str, Any]:
        return self.known(value, typing.get_type_hints(wanted))

    def known(self, value: _Place, hints: Mapping[str, Any]) -> Mapping[str, _Place]:
        """Return the entries of a mapping whose keys must all be in `hints`."""
        nodes = self._nodes(value)
        for key, node in nodes.items():
            if key not in hints:
                where = f" in {value.name}" if value.name else ""
                self._fail(node, f"key '{key}' is unknown{where}", _suggestion(key, hints))
        return {key: _Place(node, key) for key, node in nodes.items()}

    def entries(self, value: _Place) -> Mapping[str, Any]:
        return {key: _Place(node, f"{value.name}.{key}") for key, node in self._nodes(value).items()}

    def items(self, value: _Place) -> Iterable[Any]:
        nodes = value.node.value if isinstance(value.node, self._yaml.SequenceNode) else [value.node]
        return [_Place(node, value.name) for node in nodes]

    def choice(self, value: _Place, choices: Mapping[Any, Any]) -> Any:
        text, plain = self._scalar_node(value, None).value, self.anything(value)
        if isinstance(plain, bool) and plain in choices:
            return choices[plain]
        if text not in choices:
            known = [str(each).lower() if isinstance(each, bool) else each for each in choices]
            self._fail(value.node, f"{value.name} cannot be '{text}'", _suggestion(text, known))
        return choices[text]

    def scalar(self, value: _Place, wanted: type) -> Any:
        node, name = self._scalar_node(value, wanted), value.name
        plain = self.anything(value)
        if wanted is str and plain == "" and "." not in name:  # only options of plugins may be empty
            self._fail(node, f"{name} is empty", "give a value, or leave the key out")
        if wanted is str and plain is not None:
            return node.value  # unparsed, because the option of a plugin may look like a number
        if wanted is float and isinstance(plain, str):  # YAML 1.1 reads 1e-3, without a point, as a string
            try:
                plain = float(plain)
            except ValueError:
                plain = None
        is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
        if wanted is float and is_number and math.isfinite(plain):
            return float(plain)
        if wanted is not float and type(plain) is wanted:
            return plain
        self._fail(node, f"{name} is '{node.value}', not {type_name(wanted)}", f"give {type_name(wanted)}")

    def _nodes(self, value: _Place) -> dict[str, Any]:
        """Return the value nodes of a mapping by key."""
        name = value.name
        if not isinstance(value.node, self._yaml.MappingNode):
            self._fail(value.node, f"{name} is not a mapping", f"write {name}: with KEY: VALUE indented below")
        nodes: dict[str, Any] = {}
        for key, node in value.node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                self._fail(key, "a key is not a plain word", "write KEY: VALUE")
            if key.value in nodes:
                self._fail(key, f"key '{key.value}' is given twice", "give it once")
            nodes[key.value] = node
        return nodes

    def _scalar_node(self, value: _Place, wanted: type | None) -> Any:
        if not isinstance(value.node, self._yaml.ScalarNode):
            self._fail(value.node, f"{value.name} holds more than one value", f"give {type_name(wanted)}")
        return value.node

    def _fail(self, node: Any, problem: str, fix: str) -> NoReturn:
        line = node.start_mark.line + 1
        raise _LocatedError(InputError(f"{self._what} '{self._path}', line {line}: {problem}", fix))


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
