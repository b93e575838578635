"""Conversion of records (dataclasses) to JSON and back. Numbers that do not exist are null in JSON, never NaN."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

LEFT_OUT = "left out where it is None"
"""Key in the metadata of a dataclass field: the field is not written if its value is None."""
INLINE = "entries stand beside the other fields"
"""Key in the metadata of a dataclass field that is a mapping: its entries are written as if each were a field of the
record. A record has at most one such field."""


def _plain(value: Any) -> Any:
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
                plain |= _plain(own)
            elif own is not None or LEFT_OUT not in field.metadata:
                plain[field.name] = _plain(own)
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def to_json(content: Any) -> str:
    """Convert a record (a dataclass), or plain values that may contain records, to JSON text without NaN."""
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def to_json_line(content: Any) -> str:
    """Convert like `to_json`, but to a single line that ends with a newline, for files with one record per line."""
    return json.dumps(_plain(content), allow_nan=False) + "\n"


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: if it is not valid JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def from_plain(wanted: Any, content: Any) -> Any:
    """Convert parsed JSON to a type.

    Args:
        wanted: the type: a dataclass, an Enum, a tuple, a mapping, an optional type, a plain type or Any.
        content: plain values, as `parse_json` returns them.

    Raises:
        TypeError, ValueError, KeyError: if `content` does not match the type.
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return content
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        if not isinstance(content, dict):
            raise TypeError(f"{wanted.__name__} is not an object")
        hints = typing.get_type_hints(wanted)
        inline = next((f.name for f in dataclasses.fields(wanted) if INLINE in f.metadata), None)
        if inline is not None:
            entries = {key: item for key, item in content.items() if key == inline or key not in hints}
            content = {key: item for key, item in content.items() if key not in entries} | {inline: entries}
        return wanted(**{key: from_plain(hints[key], item) for key, item in content.items()})
    if origin in (typing.Union, types.UnionType):
        if content is None:
            return None
        return from_plain(next(a for a in arguments if a is not type(None)), content)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(content)
    if origin is tuple:
        if not isinstance(content, list):
            raise TypeError("a list is expected")
        return tuple(from_plain(arguments[0], item) for item in content)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(content, dict):
            raise TypeError("an object is expected")
        return {str(key): from_plain(arguments[1], item) for key, item in content.items()}
    if wanted is float and isinstance(content, int) and not isinstance(content, bool):
        return content
    if not isinstance(content, wanted) or (isinstance(content, bool) and wanted is not bool):
        raise TypeError(f"{content!r} is not {wanted.__name__}")
    return content
