"""Refusal of model files that contain code or unknown classes."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from reds_core.errors import UnsupportedError, argument
from reds_tensorflow.model_files.container import ModelFile
from reds_tensorflow.model_files.entries import Entry

GIVE_IT = "load it yourself and give the object to reds_core.prune"
"""Advice for a file that reds does not load, for users who trust it."""

_LEFT_KERAS = {
    **dict.fromkeys(
        ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty"),
        "build the model with layers or functions of keras.ops in its place",
    ),
    **dict.fromkeys(("CuDNNLSTM", "CuDNNGRU"), "build the model with LSTM or GRU in its place"),
    **dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D"), "build the model with convolutions in its place"),
    **dict.fromkeys(("RandomHeight", "RandomWidth"), "remove it from the model, since it only affects training"),
    **dict.fromkeys(("DenseFeatures", "SequenceFeatures"), "give the model its features as arrays"),
}
"""Layers of Keras 2 that Keras 3 does not have, with advice on how to replace them."""


def refuse_code(found: Sequence[Entry], file: ModelFile) -> None:
    """Refuse code and unknown classes. Keras's safe mode does not cover all of them in HDF5 files.

    Raises:
        UnsupportedError: if there are any; the message names the layer.
    """
    whole = found[0]
    if not whole.is_of_keras() and not whole.is_known():
        raise UnsupportedError(
            f"'{file.path}' is a model of type {whole.kind}, whose code is not in the file",
            f"build it as a Functional or Sequential model, or {GIVE_IT}",
        )
    for entry in found:
        if entry.kind == "__lambda__" or (entry.kind == "Lambda" and not _names_function(entry)):
            raise UnsupportedError(
                f"layer '{entry.layer}' is a Lambda, whose code in the file reds does not run",
                f"replace it with layers of Keras (Rescaling for x / 127.5 - 1), or {GIVE_IT}",
            )
        if entry.is_layer and entry.kind in _LEFT_KERAS and not entry.is_registered():
            raise UnsupportedError(
                f"layer '{entry.layer}' is of type {_told(entry)}, which Keras 3 does not have{file.origin.told}",
                _LEFT_KERAS[entry.kind],
            )
        if not entry.is_known():
            what = f"is of type {entry.kind}" if entry.is_layer else f"refers to '{entry.kind}'"
            raise UnsupportedError(
                f"layer '{entry.layer}' {what}, which is neither Keras's own nor registered with it",
                f"name the file that defines it with {argument('imports', 'my_layers.py')}, install a layer plugin "
                f"that registers it, or {GIVE_IT}",
            )


def _names_function(entry: Entry) -> bool:
    """Whether a Lambda calls a function that the user has registered: the file has its name, not its code."""
    function = entry.config.get("function")
    name = function.get("config") if isinstance(function, dict) else None
    is_named = isinstance(function, dict) and function.get("class_name") == "function"
    return is_named and isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _told(entry: Entry) -> str:
    """Return the type of a layer, with the TensorFlow function that it calls, for messages."""
    function = entry.config.get("function")
    return f"{entry.kind} (tf.{function})" if isinstance(function, str) else entry.kind
