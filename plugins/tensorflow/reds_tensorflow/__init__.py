"""Keras 3 on TensorFlow as a framework of reds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Framework


@hookimpl
def reds_frameworks() -> Sequence[type[Framework]]:
    """Return the framework. TensorFlow itself is only imported when a method of it is called."""
    from reds_tensorflow.framework import TensorFlowFramework

    return [TensorFlowFramework]
