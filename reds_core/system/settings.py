"""Conversion of settings, as users type them or as Python code passes them, to the types of the options they set."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reds_core.system.structuring import Source, converter_for

if TYPE_CHECKING:
    from cattrs import Converter

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class WrongSettingError(ValueError):
    """A setting does not have the type of its option.

    Attributes:
        fix: what to give instead.
    """

    def __init__(self, fix: str) -> None:
        super().__init__(fix)
        self.fix = fix


def read_setting(wanted: Any, setting: str | int | float | bool | None) -> Any:
    """Convert a setting to a type.

    Args:
        wanted: bool, int, float, str, a Literal of strings, or an optional one of these.
        setting: text, or a plain value.

    Raises:
        WrongSettingError: if the setting cannot be converted.
    """
    return _converter().structure(setting, wanted)


@functools.cache
def _converter() -> Converter:
    return converter_for(_SettingSource())


class _SettingSource(Source):
    """Texts and plain values of Python."""

    def is_none(self, value: Any) -> bool:
        return value is None or str(value).lower() == "none"

    def fields(self, value: Any, wanted: type) -> Mapping[str, Any]:
        return self.entries(value)

    def entries(self, value: Any) -> Mapping[str, Any]:
        raise WrongSettingError("give a single value")

    def items(self, value: Any) -> Iterable[Any]:
        raise WrongSettingError("give a single value")

    def choice(self, value: Any, choices: Mapping[Any, Any]) -> Any:
        if value not in tuple(choices):
            raise WrongSettingError(f"give one of: {', '.join(map(str, choices))}")
        return choices[value]

    def scalar(self, value: Any, wanted: type) -> Any:
        try:
            return _converted(value, wanted)
        except (ValueError, KeyError, TypeError, OverflowError):
            raise WrongSettingError(f"give a value of type {wanted.__name__}") from None


def _converted(value: Any, wanted: type) -> Any:
    """Convert `value` to bool, int, float or str.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: if that is not possible.
    """
    if wanted is bool:
        return _BOOLEANS[str(value).lower()]
    if value is None or (isinstance(value, bool) and wanted is not str):
        raise TypeError
    converted = wanted(value)
    if wanted is not str and not isinstance(value, str) and converted != value:
        raise ValueError  # int() drops fractions
    if converted != converted:
        raise ValueError  # not a number
    return converted
