"""Spectral normalisation during fine-tuning.

Keras's layer divides its kernel by an estimate of its largest singular value in each training step, and computes with
the kernel as it is at inference. A slice of a kernel has a smaller largest singular value than the whole, so that a
member that was trained by dividing would be another network than the one that is delivered. All networks of a family
are therefore trained with their kernels as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced


@contextmanager
def kernels_left_whole(*models: Any) -> Iterator[None]:
    """Trace layers with spectral normalisation of `models` as the layers inside them within the context."""
    changed = [
        layer
        for model in models
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.SpectralNormalization)
    ]
    with methods_replaced(changed, "call", _as_inside):
        yield


def _as_inside(layer: Any, inputs: Any, training: bool = False) -> Any:
    return keras.ops.cast(layer.layer(inputs), inputs.dtype)
