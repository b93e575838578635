"""Lets models be traced and exported whose layers have names that TensorFlow takes for no scope of a graph.

Keras names scopes and variables after layers. TensorFlow takes ASCII letters, digits and a few signs there, Keras any
text, so that a layer named in Cyrillic, or with a space, fails as soon as a graph is traced (Keras 3.15, TensorFlow
2.21). Scopes only name the operations of the graph: layers and weights keep their names.
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
    """`name` as TensorFlow takes it anywhere: other characters as underscores, with a word ahead where it needs one."""
    plain = _REFUSED.sub("_", name)
    return f"scope{plain}" if _REFUSED_FIRST.match(plain) else plain


@contextmanager
def scopes_named_plainly() -> Iterator[None]:
    """Inside, graphs take every name for a scope."""
    named = tf.Graph.name_scope

    def named_plainly(graph: Any, name: Any) -> Any:
        return named(graph, plain_name(name) if isinstance(name, str) else name)

    with replaced((tf.Graph, "name_scope", named_plainly)):
        yield
