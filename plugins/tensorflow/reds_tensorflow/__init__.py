"""Keras 3 on TensorFlow as a framework of reds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Device, Framework


@hookimpl
def reds_frameworks() -> Sequence[type[Framework]]:
    """Return the framework. TensorFlow itself is only imported when a method of it is called."""
    from reds_tensorflow.framework import TensorFlowFramework

    return [TensorFlowFramework]


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the target that writes the framework's own model files."""
    from reds_tensorflow.keras_target import KerasTarget

    return [KerasTarget]
