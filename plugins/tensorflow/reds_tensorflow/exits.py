"""Early exits of Keras models: heads after chosen layers, and the parts of a model that end at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Family, Training
from reds_core.network import exit_name
from reds_tensorflow.extraction import extract
from reds_tensorflow.names import as_functional
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.task import Activation, are_exit_outputs, outputs_of
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

_POOLING = {2: "GlobalAveragePooling1D", 3: "GlobalAveragePooling2D", 4: "GlobalAveragePooling3D"}
"""The pooling of a feature map, by its number of dimensions without that of the batch."""
_POOLED = "_pooling"
"""How the names of the pooling layers of heads end."""
_ACTIVATIONS = {Activation.SOFTMAX: "softmax", Activation.SIGMOID: "sigmoid", Activation.OTHER: "linear"}


def with_exits(model: Any, layers: Sequence[str], seed: int = 0, reading: Reading = STOCK) -> Any:
    """Return a copy of a classifier with an early exit after each of some layers.

    The head of an exit is a global average pooling, unless the layer computes a vector, and a Dense layer named exit_1,
    exit_2 and so on, whose weights are random (MSDNet: Huang et al., arXiv 1703.09844, and SDN: Kaya et al., arXiv
    1810.07052, have such heads after some layers). Its activation is that of the output of the model.

    Args:
        model: a model of one output.
        layers: names of layers, by depth.
        seed: seed of the weights of the heads.
        reading: how the model is read.

    Raises:
        InputError: if there is no such layer, or it does not compute one tensor once.
        UnsupportedError: if the model has several outputs, or its output is not one vector for each example.
    """
    functional = as_functional(model)
    shapes = outputs_of(functional)
    if len(shapes) != 1 or len(shapes[0].shape) != 1 or shapes[0].shape[0] is None:
        raise UnsupportedError(
            f"model '{model.name}' does not have one output that is a vector for each example",
            "give a classifier without exits",
        )
    taken = {layer.name for layer in functional.layers}
    for name in [f"{exit_name(number)}{end}" for number in range(1, len(layers) + 1) for end in ("", _POOLED)]:
        if name in taken:
            raise InputError(f"model '{model.name}' has a layer named '{name}' already", "give this layer another name")
    copy = as_functional(extract(functional, inspect(functional, reading), {}, reading))
    activation = _ACTIVATIONS[shapes[0].activation]
    exits = []
    for number, layer in enumerate(layers, 1):
        features = _output_of(copy, layer)
        units, name = shapes[0].shape[0], exit_name(number)
        initializer = keras.initializers.GlorotUniform(seed + number)
        head = keras.layers.Dense(units, activation=activation, kernel_initializer=initializer, name=name)
        exits.append(head(_pooled(features, copy, layer, f"{name}{_POOLED}")))
    return keras.Model(copy.input, [*exits, *copy.outputs], name=model.name)


def finetune_exits(model: Any, training: Training, reading: Reading = STOCK) -> None:
    """Train the heads of the early exits of a model in place, and nothing else of it.

    Args:
        model: a model with exits.
        training: the data, settings and callbacks. Its teacher is the model without exits, or None.
        reading: how the model is read.
    """
    heads = {exit_name(number) for number in range(1, len(model.outputs))}
    flags = [(layer, layer.trainable) for layer in all_layers(model) if layer.name not in heads]
    try:
        for layer, _ in flags:
            layer.trainable = False
        finetune(Family(model, (), ()), training, reading)
    finally:
        for layer, is_trainable in flags:  # what contains a layer comes before it, and sets its flag as well
            layer.trainable = is_trainable


def ending_at(model: Any, exit: str | None, reading: Reading = STOCK) -> Any:
    """Return a copy of the part of a model that one of its exits needs.

    Args:
        model: a model with exits; any other model, if `exit` is None.
        exit: the name of an early exit; None for the last output.
        reading: how the model is read.

    Raises:
        InputError: if the model has no such exit.
    """
    functional = as_functional(model)
    if exit is None and not are_exit_outputs(functional):
        return extract(functional, inspect(functional, reading), {}, reading)
    names = [exit_name(number) for number in range(1, len(functional.outputs))]
    if exit is not None and (not are_exit_outputs(functional) or exit not in names):
        raise InputError(f"model '{model.name}' has no exit '{exit}'", "give the name of one of its exits")
    output = functional.outputs[-1 if exit is None else names.index(exit)]
    part = keras.Model(functional.input, output, name=model.name)
    return extract(part, inspect(part, reading), {}, reading)


def _output_of(model: Any, name: str) -> Any:
    """Return the tensor that a layer of the outermost graph computes."""
    found = [layer for layer in model.layers if layer.name == name]
    if not found and "/" in name:
        raise InputError(
            f"layer '{name}' is inside another model, after whose layers there can be no exits",
            "choose a layer of the outermost model",
        )
    if not found:
        raise InputError(f"model '{model.name}' has no layer '{name}'", "choose one of those that `reds inspect` lists")
    if len(found[0]._inbound_nodes) != 1:
        raise InputError(f"layer '{name}' is called several times", "give a layer that is called once")
    outputs = found[0]._inbound_nodes[0].output_tensors
    if len(outputs) != 1:
        raise InputError(f"layer '{name}' has {len(outputs)} outputs", "give a layer of one output")
    return outputs[0]


def _pooled(features: Any, model: Any, layer: str, name: str) -> Any:
    """Return the mean of a feature map over positions; a vector as it is."""
    rank = len(features.shape) - 1
    if rank == 1:
        return features
    if rank not in _POOLING:
        raise UnsupportedError(
            f"layer '{layer}' computes a tensor of {rank} dimensions, which no head is known for", "give another layer"
        )
    formats = {getattr(each, "data_format", None) for each in model.layers} - {None}
    return getattr(keras.layers, _POOLING[rank])(data_format=formats.pop() if formats else None, name=name)(features)
