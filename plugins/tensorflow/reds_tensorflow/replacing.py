"""Replaces attributes of layers, classes and modules for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Inside, attributes have other values; afterwards those that they had, or those of the class again.

    Args:
        changes: owner, name of the attribute, and value; where two change one attribute, the later one holds.
    """
    with ExitStack() as stack:
        for owner, name, value in changes:
            stack.callback(_restorer(owner, name))
            setattr(owner, name, value)
        yield


def methods_replaced(layers: Iterable[Any], name: str, function: Callable[..., Any]) -> Any:
    """A context inside which the method `name` of each of `layers` computes `function(layer, *arguments)`."""
    return replaced(*((layer, name, partial(function, layer)) for layer in layers))


def _restorer(owner: Any, name: str) -> Callable[[], None]:
    """What brings an attribute back to what it is now."""
    is_own = name in vars(owner) or isinstance(getattr(type(owner), name, None), property)
    return partial(setattr, owner, name, getattr(owner, name)) if is_own else partial(delattr, owner, name)
