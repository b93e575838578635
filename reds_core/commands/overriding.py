"""Options that override a recipe: one that is not given leaves a setting as it is, `none` takes the setting away."""

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
    """What `none` says. None itself says that an option is not given."""

    ABSENT = _NONE


def or_none(kind: Kind, option: Any) -> Any:
    """`option`, made by `typer.Option`, for values of `kind` or the word none, which gives `Absent.ABSENT`."""
    taking: Any = copy.copy(option)
    taking.parser, taking.metavar = _reader(kind), f"<{_KINDS[kind]}|{_NONE}>"
    return taking


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
    """The values of a repeatable option; the word none alone says that there are none."""
    return () if list(texts) == [_NONE] else tuple(texts)


def override(record: T, **given: Any) -> T:
    """The dataclass `record` with the values that are given, not None, in place of its own; Absent makes a None."""
    named = {name: value for name, value in given.items() if value is not None}
    values = {name: None if value is Absent.ABSENT else value for name, value in named.items()}
    return replace(record, **values)  # type: ignore[type-var]
