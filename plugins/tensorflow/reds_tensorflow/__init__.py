"""Keras 3 on TensorFlow as a framework of reds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Framework


@hookimpl
def reds_frameworks() -> Sequence[type[Framework]]:
    """TensorFlow. TensorFlow itself is imported when a method is called."""
    from reds_tensorflow.framework import TensorFlowFramework

    return [TensorFlowFramework]
