"""Weights of a model in the network's order, and extraction of models with some of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError, RedsError, UnsupportedError
from reds_core.framework import WeightArrays
from reds_core.network import Dims, Kept, Network
from reds_tensorflow.call_records import Resizing
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.names import as_functional, graph_of, named_variables
from reds_tensorflow.own_layers import copied_lambda
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.tracing import Trace, trace


def variables(model: Any, network: Network) -> tuple[Any, ...]:
    """Return the Keras variables of `model`, in the order of `network.weights`.

    Args:
        model: the model.
        network: the description of `model`, or of a model that it was extracted from.

    Raises:
        InputError: if `network` describes another model.
    """
    named = named_variables(model)
    if named.keys() != {weight.name for weight in network.weights}:
        raise _of_another_model(model)
    return tuple(named[weight.name] for weight in network.weights)


def variables_by_index(model: Any, network: Network) -> dict[int, Any]:
    """Return the Keras variables of `model` by their index in `network.weights`.

    Args:
        model: the model, or a part of it that ends at an early exit.
        network: the description of the whole model, or of one that it was extracted from.

    Raises:
        InputError: if `model` has a weight that `network` does not describe.
    """
    named = named_variables(model)
    found = {index: named.pop(weight.name) for index, weight in enumerate(network.weights) if weight.name in named}
    if named:
        raise _of_another_model(model)
    return found


def weights(model: Any, network: Network) -> WeightArrays:
    """Return copies of the weights of `model`, in the order of `network.weights`.

    Raises:
        InputError: if `network` describes another model.
    """
    return [np.asarray(variable).copy() for variable in variables(model, network)]


def assign(model: Any, network: Network, values: WeightArrays) -> None:
    """Set the weights of `model` to `values`, in the order of `network.weights`.

    Raises:
        InputError: if `network` describes another model, or a shape differs.
    """
    found = variables(model, network)
    for weight, variable, value in zip(network.weights, found, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise InputError(
                f"weight '{weight.name}' has shape {tuple(variable.shape)}, but the values have shape {value.shape}",
                "give values for every channel of the model",
            )
    for variable, value in zip(found, values, strict=True):
        variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # updates values that it derives from its weights


def extract(model: Any, network: Network, kept: Kept, reading: Reading = STOCK) -> Any:
    """Return a new plain Functional model with only the channels in `kept`, in their order.

    Layers keep their names, types, dtypes and trainable flags. All channels of groups that are not in `kept` are kept.

    Args:
        model: the model.
        network: its description.
        kept: indices of the channels to keep, by group.
        reading: the reading with which `network` was described.

    Raises:
        InputError: if `network` describes another model, or `kept` is not a valid choice of its channels.
    """
    traced = trace(model, reading)
    if traced.network.groups != network.groups or traced.network.weights != network.weights:
        raise _of_another_model(model)
    _check_kept(network, kept)
    widths = {name: len(kept.get(name, range(channels))) for name, channels in network.channels.items()}
    rebuild = Rebuild(traced, widths)
    small = rebuild.model(model)
    rebuild.copy_weights(
        {
            id(variable): np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))
            for variable, weight in zip(traced.variables, network.weights, strict=True)
        }
    )
    return small


_AROUND = (keras.layers.TimeDistributed, keras.layers.SpectralNormalization)
"""Wrappers that are rebuilt around a copy of their layer, which may be a model."""


class Rebuild:
    """Builds a resized copy of a model, including nested models.

    Attributes:
        layers: pairs of each layer and its copy, from which weights are copied.
    """

    def __init__(self, traced: Trace, widths: Mapping[str, int]) -> None:
        self.layers: list[tuple[Any, Any]] = []
        self._traced = traced
        self._widths = widths
        self._copies: dict[int, Any] = {}

    def model(self, model: Any) -> Any:
        """Return the copy of a model, which is Functional even if the model is Sequential."""
        functional = as_functional(model)
        inputs = []
        for tensor, dims in zip(functional.inputs, self._traced.inputs[id(model)], strict=True):
            sizes = zip(tensor.shape[1:], self._shape(dims), strict=True)
            shape = tuple(None if full is None else size for full, size in sizes)
            inputs.append(keras.Input(shape, batch_size=tensor.shape[0], dtype=tensor.dtype, name=tensor.name))
        structured = keras.tree.pack_sequence_as(functional.input, inputs)
        return keras.models.clone_model(functional, input_tensors=structured, clone_function=self._copy)

    def copy_weights(self, slices: Mapping[int, Any]) -> None:
        """Copy the weights of all layers, of which `slices` has the part to copy by id, and by default everything."""
        for layer, resized in self.layers:
            for source, target in zip(layer.weights, resized.weights, strict=True):
                target.assign(np.asarray(source)[slices.get(id(source), ...)])
            if isinstance(resized, keras.layers.Normalization):
                resized.finalize_state()  # updates values that it derives from its weights

    def _copy(self, operation: Any) -> Any:
        if id(operation) not in self._copies:
            if graph_of(operation) is not None:
                copied = self.model(operation)
            elif isinstance(operation, keras.Layer):
                copied = self.resized(operation)
            elif self._traced.configs.get(id(operation)):
                copied = type(operation).from_config(self.config(operation))
            else:
                copied = _detached(operation)
            self._copies[id(operation)] = copied
        return self._copies[id(operation)]

    def resized(self, layer: Any) -> Any:
        """Return the copy of a layer, whose weights `copy_weights` sets."""
        _check_registered(layer)
        try:
            if isinstance(layer, keras.layers.Lambda):
                resized = copied_lambda(layer)
            elif type(layer) in _AROUND:
                resized = self._around_copy(layer)
            else:
                resized = type(layer).from_config(self.config(layer))
        except RedsError:  # raised for an inner layer
            raise
        except Exception as error:  # users' code may raise anything
            raise UnsupportedError(
                f"layer '{layer.name}' of type {type(layer).__name__} cannot be copied"
                f" ({type(error).__name__}: {first_sentence(error)})",
                "give the class a get_config and a from_config that create an equal layer",
            ) from error
        self.layers.append((layer, resized))
        return resized

    def _around_copy(self, wrapper: Any) -> Any:
        """Return a wrapper around the copy of its layer, which is shared with other uses of the layer."""
        config = wrapper.get_config()
        del config["layer"]
        return type(wrapper)(self._copy(wrapper.layer), **config)

    def config(self, operation: Any) -> Any:
        """Return the config of a layer, or of a function call, for the new widths."""
        config = _of_any_width(operation.get_config())
        for resizing, dims in self._traced.configs.get(id(operation), ()):
            self._resize(config, resizing, dims)
        return config

    def _resize(self, config: Any, resizing: Resizing, dims: Dims) -> None:
        *path, key = resizing.path
        for step in path:
            config = config[step]
        shape, before = (*[-1] * resizing.with_batch, *self._shape(dims)), config.get(key)
        if isinstance(before, list | tuple) and len(before) == len(shape):  # None is inferred from the input
            shape = tuple(None if old is None else n for old, n in zip(before, shape, strict=True))
        config[key] = shape if resizing.is_shape else shape[0]

    def _shape(self, dims: Dims) -> tuple[int | None, ...]:
        return tuple(axis.length().at(self._widths) for axis in dims)


def _of_any_width(config: Any) -> Any:
    """Return `config` without entries that contain full widths and are not resized.

    These are the input shapes with which layers were built, and initializers that contain an array, which are not
    needed because the weights are copied.
    """
    if isinstance(config, list):
        return [_of_any_width(value) for value in config]
    if not isinstance(config, dict):
        return config
    settings = config.get("config")
    of_array = isinstance(settings, dict) and not isinstance(settings.get("value"), int | float)
    if config.get("class_name") == "Constant" and of_array:
        return keras.initializers.serialize(keras.initializers.Zeros())
    stale = "build_config" if "class_name" in config else None
    return {key: _of_any_width(value) for key, value in config.items() if key != stale}


def _check_registered(layer: Any) -> None:
    """Refuse a layer that could be saved but not loaded, before time is spent on training."""
    kind = type(layer)
    known = kind.__module__.partition(".")[0] == "keras"
    if not known and keras.saving.get_registered_object(keras.saving.get_registered_name(kind)) is not kind:
        raise UnsupportedError(
            f"layer '{layer.name}' of type {kind.__name__} is not registered with Keras, so that files with it cannot"
            " be read",
            "put @keras.saving.register_keras_serializable() before the class",
        )


def _detached(operation: Any) -> Any:
    """Return a copy of a function call in the graph, which has no weights and whose arguments do not change."""
    copied = copy(operation)
    copied._inbound_nodes, copied._outbound_nodes = [], []
    return copied


def _of_another_model(model: Any) -> InputError:
    return InputError(f"model '{model.name}' is not the one that was described", "inspect it again")


def _check_kept(network: Network, kept: Kept) -> None:
    """Check that each entry is a non-empty choice of distinct channels of a group of the network."""
    for group, indices in kept.items():
        if group not in network.channels:
            raise InputError(f"network '{network.name}' has no channel group '{group}'", "inspect the model again")
        chosen = np.asarray(indices)
        inside = chosen.size and chosen.min() >= 0 and chosen.max() < network.channels[group]
        if not inside or len(np.unique(chosen)) != len(chosen):
            raise InputError(
                f"the channels kept of group '{group}' are not distinct indices below {network.channels[group]}",
                "keep at least one channel, and each once",
            )
