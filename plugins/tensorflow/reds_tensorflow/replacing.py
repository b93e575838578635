"""Temporary replacement of attributes of layers, classes and modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Replace attributes within the context, and restore them afterwards.

    Args:
        *changes: owner, name of the attribute, and value. If two change the same attribute, the later one wins.
    """
    with ExitStack() as stack:
        for owner, name, value in changes:
            stack.callback(_restorer(owner, name))
            setattr(owner, name, value)
        yield


def methods_replaced(layers: Iterable[Any], name: str, function: Callable[..., Any]) -> Any:
    """Return a context in which the method `name` of each of `layers` calls `function(layer, *arguments)`."""
    return replaced(*((layer, name, partial(function, layer)) for layer in layers))


def _restorer(owner: Any, name: str) -> Callable[[], None]:
    """Return a function that restores the current value of an attribute."""
    is_own = name in vars(owner) or isinstance(getattr(type(owner), name, None), property)
    return partial(setattr, owner, name, getattr(owner, name)) if is_own else partial(delattr, owner, name)
