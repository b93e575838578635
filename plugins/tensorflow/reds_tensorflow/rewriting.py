"""Models in which some layers are replaced by chains of layers of the same type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers as L

from reds_core.errors import InputError, UnsupportedError
from reds_core.network import Network
from reds_tensorflow.names import as_functional, layer_names, variables_of
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.rebuilding import Rebuild
from reds_tensorflow.tracing import Trace, trace

Chain = Sequence[tuple[str, npt.NDArray[Any]]]
"""The name and the kernel of each layer of a chain, first to last."""

CONVOLUTIONS = (L.Conv1D, L.Conv2D, L.Conv3D)
_PLAIN: Mapping[str, Any] = {
    "activation": None,
    "use_bias": False,
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}
"""What layers of a chain other than the last have in place of the settings of the layer."""


def refusal(model: Any, network: Network, site: str) -> str | None:
    """Return why the layer named `site` cannot be replaced by a chain, as a clause, or None if it can be.

    Args:
        model: The model.
        network: Its description.
        site: The name of one of its layers.
    """
    functional = as_functional(model)
    layer = _layers(functional).get(site)
    if layer is None:
        return "it is not a layer of the model"
    if type(layer) is not L.Dense and type(layer) not in CONVOLUTIONS:
        return f"layers of type {type(layer).__name__} cannot be replaced by several layers"
    if getattr(layer, "groups", 1) > 1:
        return "it is a grouped convolution"
    if any(keras.src.backend.get_keras_mask(t) is not None for n in layer._inbound_nodes for t in n.input_tensors):
        return "it passes on a mask of time steps, which a chain of layers would not"
    if len({len(call.input_shape) for call in network.layers if call.name == site}) > 1:
        return "it reads tensors of different numbers of dimensions"
    own = {named.name for named in variables_of(functional).values() if any(named.variable is w for w in layer.weights)}
    indices = {index for index, weight in enumerate(network.weights) if weight.name in own}
    others = (call.name for call in network.layers if call.name != site and indices & {*call.weights})
    other = next(others, None)
    return None if other is None else f"it shares its weights with layer '{other}'"


def rewrite(model: Any, network: Network, chains: Mapping[str, Chain], reading: Reading = STOCK) -> Any:
    """Return a new plain Functional model in which chains of layers take the place of some layers.

    A chain is a Sequential model of the name of the layer. As one node of the graph, it runs where the layer ran: the
    layers of chains in parallel branches would otherwise take turns, and need more memory. The layers of a chain have
    the type, the dtype and the trainable flag of the layer that they replace. The last of them has its bias,
    activation, regularizers and constraints, and the others have none. Along each spatial axis, the first layer whose
    kernel is as long as that of the layer has its stride and dilation, and the others have stride 1.

    Args:
        model: The model.
        network: Its description.
        chains: For each layer that is replaced, the names and the kernels of its chain. The names are that of the layer
            and another one, such as "conv/first".
        reading: The reading with which `network` was described.

    Raises:
        InputError: If kernels or names do not fit a layer.
        UnsupportedError: If a layer cannot be replaced.
    """
    for site, chain in chains.items():
        _check(model, network, site, chain)
    names = {id(layer): site for site, layer in _layers(as_functional(model)).items()}
    rewriting = _Rewriting(
        trace(model, reading), {key: (site, chains[site]) for key, site in names.items() if site in chains}
    )
    rewritten = rewriting.model(model)
    rewriting.copy_weights({})
    return rewritten


class _Rewriting(Rebuild):
    """Builds a copy of a model with chains in place of some layers, given by the ids of the layers."""

    def __init__(self, traced: Trace, chains: Mapping[int, tuple[str, Chain]]) -> None:
        super().__init__(traced, traced.network.channels)
        self._chains = chains
        self._network = traced.network

    def resized(self, layer: Any) -> Any:
        if id(layer) not in self._chains:
            return super().resized(layer)
        site, chain = self._chains[id(layer)]
        made, untaken = [], list(_spatial(layer))
        for number, (name, kernel) in enumerate(chain, 1):
            config = self.config(layer) | ({} if number == len(chain) else _PLAIN)
            config |= _settings(layer, np.shape(kernel), untaken)
            config |= {"name": name.removeprefix(f"{site}/"), "kernel_initializer": "glorot_uniform"}
            made.append(type(layer).from_config(config))
        start = keras.Input(self._input_shape(site), dtype=layer.compute_dtype)
        replaced = keras.Sequential([start, *made], name=layer.name)
        for copied, (_, kernel) in zip(made, chain, strict=True):
            copied.kernel.assign(kernel)
        if layer.use_bias:
            made[-1].bias.assign(layer.bias)
        return replaced

    def _input_shape(self, site: str) -> tuple[int | None, ...]:
        """Return the shape that a layer reads, with None for dimensions that differ between its calls."""
        shapes = [call.input_shape for call in self._network.layers if call.name == site]
        return tuple(sizes[0] if len({*sizes}) == 1 else None for sizes in zip(*shapes, strict=True))


def _settings(layer: Any, shape: tuple[int, ...], untaken: list[int]) -> dict[str, Any]:
    """Return the entries of the config of one layer of a chain that follow from its kernel.

    Args:
        layer: The layer that the chain replaces.
        shape: The shape of the kernel.
        untaken: The spatial axes whose stride and dilation no layer has yet, from which those of this one are removed.
    """
    if type(layer) is L.Dense:
        return {"units": shape[-1]}
    own = [axis for axis in untaken if shape[axis] == layer.kernel_size[axis]]
    untaken[:] = [axis for axis in untaken if axis not in own]
    return {
        "filters": shape[-1],
        "kernel_size": shape[:-2],
        "strides": tuple(n if axis in own else 1 for axis, n in enumerate(layer.strides)),
        "dilation_rate": tuple(n if axis in own else 1 for axis, n in enumerate(layer.dilation_rate)),
    }


def _check(model: Any, network: Network, site: str, chain: Chain) -> None:
    reason = refusal(model, network, site)
    if reason is not None:
        raise UnsupportedError(
            f"layer '{site}' of model '{model.name}' cannot be replaced: {reason}", "leave it as it is"
        )
    layer = _layers(as_functional(model))[site]
    shapes = [tuple(np.shape(kernel)) for _, kernel in chain]
    full = tuple(layer.kernel.shape)
    ends = [full[-2], *(shape[-1] for shape in shapes)]
    fits = all(len(shape) == len(full) and shape[-2] == read for shape, read in zip(shapes, ends, strict=False))
    lengths = [sorted(shape[axis] for shape in shapes if fits) for axis in _spatial(layer)]
    whole = [[1] * (len(shapes) - 1) + [full[axis]] for axis in _spatial(layer)]
    if not shapes or not fits or ends[-1] != full[-1] or lengths != whole or math.prod(ends) == 0:
        raise InputError(
            f"kernels of shapes {', '.join(map(str, shapes))} do not make up one of {full}, as layer '{site}' has",
            "let each kernel read what the one before it computes, and one of them have each spatial length",
        )
    names = [name.removeprefix(f"{site}/") for name, _ in chain]
    if len({*names}) < len(names) or any(not name or "/" in name for name in names):
        raise InputError(
            f"layers of a chain cannot be named {', '.join(repr(name) for name, _ in chain)}",
            f"give each a name of its own that starts with '{site}/'",
        )


def _spatial(layer: Any) -> range:
    return range(len(getattr(layer, "kernel_size", ())))


def _layers(functional: Any) -> dict[str, Any]:
    """Return the layers of a model and of nested models by their names in its description."""
    names = layer_names(functional)
    return {names[id(layer)]: layer for layer in functional._flatten_layers() if id(layer) in names}
