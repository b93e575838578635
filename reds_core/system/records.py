"""Conversion of records (dataclasses) to JSON and back. Numbers that do not exist are null in JSON, never NaN.

Reading is done by cattrs. Writing is code of our own beside the standard library: it has to go by the values rather
than by the types of the fields, because some libraries return NumPy's numbers instead of Python's.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from reds_core.errors import RedsError
from reds_core.system.structuring import Source, converter_for, type_name

if TYPE_CHECKING:
    from cattrs import Converter

LEFT_OUT = "left out where it is None or its default"
"""Key in the metadata of a dataclass field: the field is not written if its value is None or a default that a factory
makes, such as an empty record."""
INLINE = "entries become fields"
"""Key in the metadata of a dataclass field that is a mapping: its entries are written as if each were a field of the
record. A record has at most one such field."""
REQUIRED = "entries that must be present"
"""Key in the metadata of an INLINE field: the names of the entries that a file must have."""


def to_plain(value: Any) -> Any:
    """Convert `value` to types that JSON supports; numbers that are not finite become None."""
    if isinstance(value, np.generic):  # some libraries return these instead of Python numbers
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            own = getattr(value, field.name)
            if INLINE in field.metadata:
                plain |= to_plain(own)
            elif LEFT_OUT not in field.metadata or not _is_left_out(own, field):
                plain[field.name] = to_plain(own)
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    return value


def _is_left_out(value: Any, field: dataclasses.Field[Any]) -> bool:
    if value is None:
        return True
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def to_json(content: Any) -> str:
    """Convert a record (a dataclass), or plain values that may contain records, to JSON text without NaN."""
    return json.dumps(to_plain(content), indent=1, allow_nan=False) + "\n"


def to_json_line(content: Any) -> str:
    """Convert like `to_json`, but to a single line that ends with a newline, for files with one record per line."""
    return json.dumps(to_plain(content), allow_nan=False) + "\n"


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: if it is not valid JSON, contains NaN or an infinity, or is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class JsonSource(Source):
    """Values of parsed JSON, none of which is converted to another type."""

    collects: ClassVar[bool] = True

    def fields(self, value: Any, wanted: type) -> Mapping[str, Any]:
        entries = self.entries(value)
        fields = {field.name: field for field in dataclasses.fields(wanted)}
        inline = next((name for name, field in fields.items() if INLINE in field.metadata), None)
        if inline is None:
            return entries
        beside = {key: each for key, each in entries.items() if key == inline or key not in fields}
        missing = [name for name in fields[inline].metadata.get(REQUIRED, ()) if name not in beside]
        if missing:
            raise ValueError(f"field '{missing[0]}' is missing")
        return {key: each for key, each in entries.items() if key not in beside} | {inline: beside}

    def entries(self, value: Any) -> Mapping[str, Any]:
        return value if isinstance(value, dict) else _refuse(value, "not an object")

    def items(self, value: Any) -> Iterable[Any]:
        return value if isinstance(value, list) else _refuse(value, "not a list")

    def scalar(self, value: Any, wanted: type) -> Any:
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            _refuse(value, f"not {type_name(wanted)}")
        if type(value) is float and not math.isfinite(value):
            _refuse(value, "not a finite number")
        return value  # an int stays an int where a float is wanted, so that rewriting a file does not change it

    def choice(self, value: Any, choices: Mapping[Any, Any]) -> Any:
        if not isinstance(value, str | bool) or value not in choices:
            _refuse(value, _none_of([str(each) for each in choices]))
        return choices[value]


def from_plain(wanted: Any, content: Any, source: type[JsonSource] = JsonSource) -> Any:
    """Convert parsed JSON to a type.

    Args:
        wanted: the type: a dataclass, an Enum, a Literal, a tuple, a mapping, an optional type, a plain type or Any.
        content: plain values, as `parse_json` returns them.
        source: how the values are taken apart, for formats that accept more than others.

    Raises:
        TypeError, ValueError: if `content` does not match the type. The message names the field.
        RedsError: if a dataclass refuses the values of its fields.
    """
    from cattrs import BaseValidationError

    try:
        return _converter(source).structure(content, wanted)
    except BaseValidationError as error:
        raise _first_error(error) from None


@functools.cache
def _converter(source: type[JsonSource]) -> Converter:
    return converter_for(source())


def _refuse(value: Any, problem: str) -> NoReturn:
    raise TypeError(f"{reprlib.repr(value)} is {problem}")


def _none_of(names: Sequence[str]) -> str:
    return f"neither {names[0]} nor {names[1]}" if len(names) == 2 else f"not one of {', '.join(names)}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _first_error(error: BaseException) -> Exception:
    """Return the first of the errors that cattrs has collected, with the path of its field in the message."""
    from cattrs import AttributeValidationNote, BaseValidationError, ForbiddenExtraKeysError, IterableValidationNote

    path = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path += f".{note.name}"
            elif isinstance(note, IterableValidationNote):
                path += f"[{note.index!r}]"
    if isinstance(error, RedsError):
        return error
    path = path.removeprefix(".")
    where = f"{path}: " if path else ""
    if isinstance(error, ForbiddenExtraKeysError):
        return ValueError(f"{where}field '{min(error.extra_fields)}' is unknown")
    if isinstance(error, KeyError):
        return ValueError(f"field '{path}' is missing")
    return (TypeError if isinstance(error, TypeError) else ValueError)(f"{where}{error}")
