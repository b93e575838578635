"""Translation of configs that older Keras wrote to those that the installed Keras 3 reads, as one table of spellings.

No translation changes what the model computes. Entries with a meaning that Keras 3 cannot express are left unchanged,
so that Keras refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isfunction
from typing import Any

import keras

from reds_tensorflow.model_files.entries import Entry, entries
from reds_tensorflow.model_files.old_calls import (
    number_calls_from_zero,
    rename_layers,
    translate_calls,
    unwrap_single_tensors,
)
from reds_tensorflow.model_files.old_functions import restore_operation, translate_function

Translate = Callable[[Entry], None]

_FUNCTIONAL = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


@dataclass(frozen=True)
class Spelling:
    """A part of a config that older Keras wrote differently.

    Attributes:
        what: the old spelling, and the versions that wrote it.
        translate: changes an entry in place if it has this spelling.
    """

    what: str
    translate: Translate


def _dropped(kinds: tuple[str, ...], key: str, *harmless: Any) -> Translate:
    """Return a translation that drops a key if it has one of the `harmless` values, which have no effect."""

    def translate(entry: Entry) -> None:
        if entry.kind in kinds and key in entry.config and entry.config[key] in harmless:
            del entry.config[key]

    return translate


def _dropped_always(kinds: tuple[str, ...], *keys: str) -> Translate:
    """Return a translation that drops keys which have no effect, whatever their values."""

    def translate(entry: Entry) -> None:
        for key in keys:
            if entry.kind in kinds:
                entry.config.pop(key, None)

    return translate


def _list_of_layers(entry: Entry) -> None:
    layers = entry.serialized.get("config")
    if entry.kind == "Sequential" and isinstance(layers, list):
        entry.serialized["config"] = {"name": entry.serialized.get("name", "sequential"), "layers": layers}


def _input_of_sequential(entry: Entry) -> None:
    layers = entry.layers()
    if entry.kind != "Sequential" or not layers or not isinstance(layers[0], dict):
        return
    first = layers[0].get("config")
    if not isinstance(first, dict) or layers[0].get("class_name") == "InputLayer" or "batch_input_shape" not in first:
        return
    config = {"batch_input_shape": first["batch_input_shape"], "name": f"{first.get('name', 'first')}_input"}
    if isinstance(first.get("dtype"), str):
        config["dtype"] = first["dtype"]
    layers.insert(0, {"class_name": "InputLayer", "config": config})


def _input_shape(entry: Entry) -> None:
    shape = entry.config.get("batch_input_shape")
    if entry.kind == "InputLayer" and shape is not None:
        entry.config["batch_shape"] = entry.config.pop("batch_input_shape")
    elif entry.is_layer or entry.key in _INSIDE_WRAPPERS:
        entry.config.pop("batch_input_shape", None)


def _initializer_dtype(entry: Entry) -> None:
    if entry.key.endswith("_initializer"):
        entry.config.pop("dtype", None)


_INSIDE_WRAPPERS = ("layer", "forward_layer", "backward_layer", "cell", "cells")


def _inner_module(entry: Entry) -> None:
    if entry.key not in _INSIDE_WRAPPERS or "module" in entry.serialized:
        return
    if entry.kind in ("Functional", "Model"):
        entry.serialized.update(_FUNCTIONAL)
    elif entry.kind == "Sequential":
        entry.serialized.update(module="keras", registered_name=None)
    elif hasattr(keras.layers, entry.kind):
        entry.serialized.update(module="keras.layers", registered_name=None)


def _moved_module(entry: Entry) -> None:
    module = entry.serialized.get("module")
    if not isinstance(module, str) or not module.startswith("keras.") or entry.kind == "function":
        return
    if entry.kind == "Functional":
        entry.serialized.update(_FUNCTIONAL)
    elif entry.is_layer and ".ops." not in module and hasattr(keras.layers, entry.kind):
        entry.serialized.update(module="keras.layers", registered_name=None)


def _lost_by_legacy_reader(entry: Entry) -> None:
    if not entry.is_layer or "module" in entry.serialized or not hasattr(keras.layers, entry.kind):
        return
    texts = [value for key, value in entry.config.items() if key != "name" and isinstance(value, str)]
    has_function = any(isfunction(getattr(keras.layers, text, None)) for text in texts)
    if has_function or isinstance(entry.config.get("axis"), list):
        entry.serialized.update(module="keras.layers", registered_name=None)


def _axis_in_list(entry: Entry) -> None:
    axis = entry.config.get("axis")
    if entry.kind in ("BatchNormalization", "SyncBatchNormalization") and isinstance(axis, list) and len(axis) == 1:
        (entry.config["axis"],) = axis


def _policy(entry: Entry) -> None:
    dtype = entry.config.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") in ("Policy", "PolicyV1"):
        settings = dtype.get("config")
        if isinstance(settings, dict) and isinstance(settings.get("name"), str):
            entry.config["dtype"] = settings["name"]


def _reset_before(entry: Entry) -> None:
    if entry.kind in ("GRU", "GRUCell") and "implementation" in entry.config:  # Keras 3 does not write this key
        entry.config.setdefault("reset_after", False)


def _shapes_of_states(entry: Entry) -> None:
    if (
        entry.is_layer
        and entry.kind in (*_RECURRENT, "Bidirectional", "MultiHeadAttention")
        and _has_calls_of_keras_2(entry)
    ):
        entry.serialized.pop("build_config", None)


def _has_calls_of_keras_2(entry: Entry) -> bool:
    nodes = entry.serialized.get("inbound_nodes")
    return isinstance(nodes, list) and any(isinstance(node, list) for node in nodes)


def _thresholded_relu(entry: Entry) -> None:
    if entry.kind == "ThresholdedReLU" and "theta" in entry.config:
        entry.serialized["class_name"] = "ReLU"
        entry.config["threshold"] = entry.config.pop("theta")


_CONVOLUTIONS_WITHOUT_GROUPS = (
    *(f"DepthwiseConv{n}D" for n in (1, 2)),
    *(f"SeparableConv{n}D" for n in (1, 2)),
    *(f"Conv{n}DTranspose" for n in (1, 2, 3)),
)
_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
_SPATIAL_DROPOUT = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")

SPELLINGS: tuple[Spelling, ...] = (
    Spelling("a Sequential's config is the list of its layers: up to 2.2.2", _list_of_layers),
    Spelling("an operation in HDF5 has lost its module: Keras 3", restore_operation),
    Spelling("slashes in names of layers: up to 2.15", rename_layers),
    Spelling("a GRU without reset_after resets before: up to 2.1.2", _reset_before),
    Spelling("the shapes of states in a build_config: 2.14 and 2.15", _shapes_of_states),
    Spelling("calls of nested models are counted from 1: up to 2.15", number_calls_from_zero),
    Spelling("a single input or output of a model in a list: up to 2.15", unwrap_single_tensors),
    Spelling("functions of TensorFlow in the graph: 2.4 to 2.15", translate_function),
    Spelling("tensors among the arguments of calls: up to 2.15", translate_calls),
    Spelling("a Sequential without InputLayer, whose first layer holds the shape: up to 2.3", _input_of_sequential),
    Spelling("batch_input_shape: up to 2.15", _input_shape),
    Spelling("dtype of initializers: tf.keras 1.13 to 2.1", _initializer_dtype),
    Spelling("layers inside wrappers, and cells of RNN, without module: up to 2.15", _inner_module),
    Spelling("modules that have moved, such as keras.src.engine.functional: 2.12 to 2.15", _moved_module),
    Spelling("dtype policies of class Policy: 2.1 to 2.15", _policy),
    Spelling("axis of BatchNormalization in a list: tf.keras up to 2.15", _axis_in_list),
    Spelling("what Keras's reader of HDF5 loses: score_mode 'dot', several axes", _lost_by_legacy_reader),
    Spelling("time_major: tf.keras up to 2.15", _dropped(_RECURRENT, "time_major", False)),
    Spelling("causal of attention: tf.keras 2.1 to 2.9", _dropped(("Attention", "AdditiveAttention"), "causal", False)),
    Spelling("groups of convolutions that have none: up to 2.15", _dropped(_CONVOLUTIONS_WITHOUT_GROUPS, "groups", 1)),
    Spelling(
        "the kernel of separable convolutions, which have two others: up to 2.15",
        _dropped_always(_SEPARABLE, "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    ),
    Spelling(
        "trainable of layers without weights: up to 2.15",
        _dropped_always((*_SPATIAL_DROPOUT, "Discretization"), "trainable"),
    ),
    Spelling(
        "noise_shape of spatial dropout, which follows the input: up to 2.15",
        _dropped_always(_SPATIAL_DROPOUT, "noise_shape"),
    ),
    Spelling(
        "the shapes that an attention layer was built for: up to 2.15",
        _dropped_always(("MultiHeadAttention",), "query_shape", "key_shape", "value_shape"),
    ),
    Spelling("ThresholdedReLU, which is a ReLU with a threshold: up to 2.15", _thresholded_relu),
)
"""Every old spelling that is translated, in the order of translation."""


def translate(config: dict[str, Any]) -> None:
    """Translate a model's config in place."""
    for spelling in SPELLINGS:
        for entry in entries(config):
            spelling.translate(entry)
