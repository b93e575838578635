"""Layers that compute something else in Keras 2 than in Keras 3: adjusted to be equal, or refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from reds_core.errors import UnsupportedError
from reds_tensorflow.model_files.container import ModelFile
from reds_tensorflow.model_files.entries import Entry
from reds_tensorflow.nesting import all_layers

_SLOPE = 1.2
"""hard_sigmoid(x) is clip(x / 5 + 1 / 2, 0, 1) in Keras 2 and clip(x / 6 + 1 / 2, 0, 1) in Keras 3."""
_GATES = {
    "LSTMCell": (True, True, False, True),
    "ConvLSTMCell": (True, True, False, True),
    "GRUCell": (True, True, False),
}
"""For each class of cells, whether each gate, in the order of the weights, has the recurrent activation."""
_LINEAR = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "bias")
_STANDALONE = re.compile(r"2\.[0-3]\.\d+")
"""Versions of standalone Keras, which lack the suffix "-tf" of those in TensorFlow."""


def refuse_other_numerics(found: Sequence[Entry], file: ModelFile) -> None:
    """Refuse layers that compute something else in Keras 3.

    Raises:
        UnsupportedError: if there is such a layer; the message names it.
    """
    for entry in found:
        is_bilinear = entry.kind == "UpSampling2D" and entry.config.get("interpolation") == "bilinear"
        if is_bilinear and _STANDALONE.fullmatch(file.origin.version or ""):
            raise UnsupportedError(
                f"layer '{entry.layer}' interpolates at other points in Keras {file.origin.version}, which wrote the"
                " file, than in Keras 3",
                "build the model in Keras 3 and train it further, or use interpolation nearest",
            )


def keep_hard_sigmoid(model: Any, file: ModelFile) -> None:
    """Scale the weights before each hard_sigmoid of a model that Keras 2 wrote, since Keras 3 has another slope.

    Raises:
        UnsupportedError: if such a layer has no weights to scale; the message names it.
    """
    if not file.origin.is_older:
        return
    for layer in all_layers(model):
        kind = type(layer).__name__
        if getattr(layer, "cell", None) is not None or isinstance(layer, keras.Model):
            continue  # its layers are visited separately
        if _is_hard(layer, "recurrent_activation") and kind in _GATES:
            _scale(layer, _GATES[kind])
        if _is_hard(layer, "activation") or (_is_hard(layer, "recurrent_activation") and kind not in _GATES):
            is_linear = isinstance(layer, _WEIGHTED) and not hasattr(layer, "recurrent_activation")
            if not is_linear:
                raise UnsupportedError(
                    f"layer '{layer.name}' has the activation hard_sigmoid, which is another function in Keras"
                    f" {file.origin.version}, which wrote the file, than in Keras 3",
                    "build the model in Keras 3 with another activation and train it further",
                )
            _scale(layer, (True,))


_WEIGHTED = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.SimpleRNNCell,
    *(getattr(keras.layers, f"{kind}{n}D") for kind in ("Conv", "SeparableConv") for n in (1, 2)),
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    *(getattr(keras.layers, f"Conv{n}DTranspose") for n in (1, 2, 3)),
)


def _is_hard(layer: Any, attribute: str) -> bool:
    return getattr(layer, attribute, None) is keras.activations.hard_sigmoid


def _scale(layer: Any, gates: Sequence[bool]) -> None:
    """Scale the weights of the marked gates. Gates are concatenated along the last dimension."""
    separable = hasattr(layer, "pointwise_kernel")
    for name in _LINEAR:
        variable = getattr(layer, name, None)
        if variable is not None and not (separable and name == "depthwise_kernel"):
            width = variable.shape[-1] // len(gates)
            factors = np.repeat([_SLOPE if gate else 1.0 for gate in gates], width)
            variable.assign(np.asarray(variable) * factors.astype(np.float32))
