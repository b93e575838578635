"""Options that override a recipe. An option that is not given keeps its setting; `none` clears it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar

import typer

T = TypeVar("T")

Kind = type[int] | type[float] | type[str]

_NONE = "none"
_KINDS: dict[Kind, str] = {int: "integer", float: "float", str: "text"}


class Absent(Enum):
    """The value of an option given as `none`. None itself means that the option is not given."""

    ABSENT = _NONE


def or_none(kind: Kind, option: Any) -> Any:
    """A copy of a `typer.Option` that takes values of `kind`, or the word none, which becomes `Absent.ABSENT`."""
    extended: Any = copy.copy(option)
    extended.parser = _reader(kind)
    return extended


def _reader(kind: Kind) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        if text == _NONE:
            return Absent.ABSENT
        try:
            return kind(text)
        except ValueError:
            raise typer.BadParameter(f"'{text}' is not a valid {_KINDS[kind]}.") from None

    return value


def listed(texts: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeatable option. The single word none means no values."""
    return () if list(texts) == [_NONE] else tuple(texts)


def override(record: T, **given: Any) -> T:
    """Copy the dataclass `record` with the given values. None keeps a field, `Absent.ABSENT` makes it None."""
    named = {name: value for name, value in given.items() if value is not None}
    values = {name: None if value is Absent.ABSENT else value for name, value in named.items()}
    return replace(record, **values)  # type: ignore[type-var]
