"""Resized copies of models: every layer with the widths that are left, and the weights that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import keras
import numpy as np

from reds_core.errors import RedsError, UnsupportedError
from reds_core.network import Dims
from reds_tensorflow.call_records import Resizing
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.names import as_functional, graph_of
from reds_tensorflow.own_layers import copied_lambda
from reds_tensorflow.tracing import Trace

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
        return keras.models.clone_model(
            functional, input_tensors=structured, clone_function=self.copied, call_function=self.called
        )

    def called(self, copied: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs of one call of a copy, by default those that it computes."""
        return copied(*args, **kwargs)

    def copy_weights(self, slices: Mapping[int, Any]) -> None:
        """Copy the weights of all layers, of which `slices` has the part to copy by id, and by default everything."""
        for layer, resized in self.layers:
            for source, target in zip(layer.weights, resized.weights, strict=True):
                target.assign(np.asarray(source)[slices.get(id(source), ...)])
            if isinstance(resized, keras.layers.Normalization):
                resized.finalize_state()  # updates values that it derives from its weights

    def copied(self, operation: Any) -> Any:
        """Return the copy of a layer, a nested model or a function, the same one each time."""
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
        return type(wrapper)(self.copied(wrapper.layer), **config)

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
