"""Support for layer names that are not valid names of scopes in a TensorFlow graph.

Keras names scopes and variables after layers. TensorFlow allows only ASCII letters, digits and a few signs, so tracing
a graph fails if the name of a layer is Cyrillic or contains a space (Keras 3.15, TensorFlow 2.21). Scopes only affect
the names of operations in the graph; layers and weights keep their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from reds_tensorflow.replacing import replaced

_REFUSED = re.compile(r"[^A-Za-z0-9_./>-]")
_REFUSED_FIRST = re.compile(r"[^A-Za-z0-9.]")


def plain_name(name: str) -> str:
    """Convert `name` to a valid TensorFlow name, with underscores for invalid characters and a prefix if needed."""
    plain = _REFUSED.sub("_", name)
    return f"scope{plain}" if _REFUSED_FIRST.match(plain) else plain


@contextmanager
def scopes_named_plainly() -> Iterator[None]:
    """Let graphs accept every name as a scope within the context."""
    named = tf.Graph.name_scope

    def named_plainly(graph: Any, name: Any) -> Any:
        return named(graph, plain_name(name) if isinstance(name, str) else name)

    with replaced((tf.Graph, "name_scope", named_plainly)):
        yield
