"""Conversion of untyped values to dataclasses, tuples, mappings, enums and scalars, by cattrs.

All readers of the project share it. A reader is a `Source`, which says how the values of its files are taken apart.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from cattrs import Converter

    Read = Callable[[Any, Any], Any]


class _Key:
    """Stands for the type of the keys of a mapping, which are strings in every source and need no conversion."""


class Source(ABC):
    """How one kind of values is taken apart. A method raises an error if it gets a value that does not fit.

    Attributes:
        collects: whether errors reach the caller in cattrs's groups, which say where in the content they occurred.
            If False, the first error is raised as it is.
    """

    collects: ClassVar[bool] = False

    def is_none(self, value: Any) -> bool:
        """Return whether the value means None."""
        return value is None

    def anything(self, value: Any) -> Any:
        """Convert a value for which every type is allowed."""
        return value

    def construct(self, make: Callable[[], Any], value: Any) -> Any:
        """Return what `make` constructs from the value; overridden to report errors of a constructor differently."""
        return make()

    @abstractmethod
    def fields(self, value: Any, wanted: type) -> Mapping[str, Any]:
        """Return the values of the fields of the dataclass `wanted`, by name."""

    @abstractmethod
    def entries(self, value: Any) -> Mapping[str, Any]:
        """Return the entries of a mapping with arbitrary keys."""

    @abstractmethod
    def items(self, value: Any) -> Iterable[Any]:
        """Return the items of a list."""

    @abstractmethod
    def scalar(self, value: Any, wanted: type) -> Any:
        """Convert a value to bool, int, float or str."""

    @abstractmethod
    def choice(self, value: Any, choices: Mapping[Any, Any]) -> Any:
        """Return the one of `choices` whose key the value is."""


def converter_for(source: Source) -> Converter:
    """Return a converter of cattrs that reads the values of `source`.

    cattrs is imported only here and where files are read, so that other commands start without it.
    """
    from cattrs import Converter
    from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
    from cattrs.gen import make_dict_structure_fn

    converter = Converter(forbid_extra_keys=True, detailed_validation=source.collects)

    def scalar(wanted: type) -> Read:
        return lambda value, _: source.scalar(value, wanted)

    def literal(wanted: Any) -> Read:
        choices = {each: each for each in typing.get_args(wanted)}
        return lambda value, _: source.choice(value, choices)

    def optional(wanted: Any) -> Read:
        (inner,) = (each for each in typing.get_args(wanted) if each is not type(None))
        read = converter.get_structure_hook(inner)
        return lambda value, _: None if source.is_none(value) else read(value, inner)

    def any_length(wanted: Any) -> Read:
        read = homogenous_tuple_structure_factory(wanted, converter)
        return lambda value, _: read(source.items(value), wanted)

    def fixed_length(wanted: Any) -> Read:
        item_types = typing.get_args(wanted)

        def read(value: Any, _: Any) -> Any:
            items = list(source.items(value))
            if len(items) != len(item_types):
                raise ValueError(f"there are {len(items)} items, not {len(item_types)}")
            return tuple(map(converter.structure, items, item_types))

        return read

    def mapping(wanted: Any) -> Read:
        read = mapping_structure_factory(wanted, converter, structure_to=dict, key_type=_Key)
        return lambda value, _: read(source.entries(value), wanted)

    def record(wanted: Any) -> Read:
        read = make_dict_structure_fn(wanted, converter)
        return lambda value, _: source.construct(lambda: read(source.fields(value, wanted), wanted), value)

    converter.register_structure_hook(_Key, lambda value, _: value)
    converter.register_structure_hook(
        Enum, lambda value, wanted: source.choice(value, {each.value: each for each in wanted})
    )
    for each in (bool, int, float, str):
        converter.register_structure_hook(each, scalar(each))
    converter.register_structure_hook_func(lambda wanted: wanted is Any, lambda value, _: source.anything(value))
    for fits, factory in (
        (_is_literal, literal),
        (_is_optional, optional),
        (_is_tuple, fixed_length),
        (_is_tuple_of_any_length, any_length),  # takes precedence over the one before
        (_is_mapping, mapping),
        (_is_record, record),
    ):
        converter.register_structure_hook_factory(fits, factory)
    return converter


def type_name(wanted: Any) -> str:
    """Return the name of a type for users."""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(wanted, "one value")


def _is_literal(wanted: Any) -> bool:
    return typing.get_origin(wanted) is typing.Literal


def _is_optional(wanted: Any) -> bool:
    return typing.get_origin(wanted) in (typing.Union, types.UnionType)


def _is_tuple(wanted: Any) -> bool:
    return typing.get_origin(wanted) is tuple


def _is_tuple_of_any_length(wanted: Any) -> bool:
    return _is_tuple(wanted) and typing.get_args(wanted)[1:] == (Ellipsis,)


def _is_mapping(wanted: Any) -> bool:
    origin = typing.get_origin(wanted)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_record(wanted: Any) -> bool:
    return isinstance(wanted, type) and dataclasses.is_dataclass(wanted)
