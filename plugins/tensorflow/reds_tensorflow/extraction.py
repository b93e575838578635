"""Weights of a model in the network's order, and extraction of models with some of the channels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError
from reds_core.framework import WeightArrays
from reds_core.network import Kept, Network, residual_branches, without_channels
from reds_tensorflow.names import named_variables
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.rebuilding import Rebuild
from reds_tensorflow.skipping import RebuildSkipping
from reds_tensorflow.tracing import trace


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
    Residual branches whose group keeps no channels are left out, see `reds_tensorflow.skipping`.

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
    skipped = without_channels(widths)
    rebuild = RebuildSkipping(traced, widths, skipped, kept) if skipped else Rebuild(traced, widths)
    small = rebuild.model(model)
    rebuild.copy_weights(
        {
            id(variable): np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))
            for variable, weight in zip(traced.variables, network.weights, strict=True)
        }
    )
    return small


def _of_another_model(model: Any) -> InputError:
    return InputError(f"model '{model.name}' is not the one that was described", "inspect it again")


def _check_kept(network: Network, kept: Kept) -> None:
    """Check that each entry is a choice of distinct channels of a group, and empty only inside a residual branch."""
    found = residual_branches(network).found if any(np.size(indices) == 0 for indices in kept.values()) else {}
    for group, indices in kept.items():
        if group not in network.channels:
            raise InputError(f"network '{network.name}' has no channel group '{group}'", "inspect the model again")
        chosen = np.asarray(indices)
        if not chosen.size and group in found:
            continue
        inside = chosen.size and chosen.min() >= 0 and chosen.max() < network.channels[group]
        if not inside or len(np.unique(chosen)) != len(chosen):
            raise InputError(
                f"the channels kept of group '{group}' are not distinct indices below {network.channels[group]}",
                "keep at least one channel, unless the group is inside a residual branch, and each once",
            )
