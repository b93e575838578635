"""Models in which some layers are replaced by chains of layers of the same type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import layers as L

from reds_core.errors import InputError
from reds_core.network import Network
from reds_tensorflow.extraction import Rebuild
from reds_tensorflow.names import as_functional, layer_names, variables_of
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.tracing import trace

Chain = Sequence[tuple[str, npt.NDArray[Any]]]
"""The name and the kernel of each layer of a chain, first to last."""

CONVOLUTIONS = (L.Conv1D, L.Conv2D, L.Conv3D)
_DEFAULTS: Mapping[str, Any] = {
    "activation": None,
    "use_bias": False,
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}
"""What the last layer of a chain has alone."""


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
    own = {named.name for named in variables_of(functional).values() if any(named.variable is w for w in layer.weights)}
    indices = {index for index, weight in enumerate(network.weights) if weight.name in own}
    others = (call.name for call in network.layers if call.name != site and indices & {*call.weights})
    other = next(others, None)
    return None if other is None else f"it shares its weights with layer '{other}'"


def rewrite(model: Any, network: Network, chains: Mapping[str, Chain], reading: Reading = STOCK) -> Any:
    """Return a new plain Functional model in which chains of layers take the place of some layers.

    A chain has the type, the dtype and the trainable flag of the layer. Its last layer keeps the name, bias,
    activation, regularizers and constraints of the layer; the others have none. Along each spatial axis, the first
    layer whose kernel is as long as that of the layer has its stride and dilation, and the others have stride 1.

    Args:
        model: The model.
        network: Its description.
        chains: For each layer that is replaced, the names and the kernels of its chain.
        reading: The reading with which `network` was described.

    Raises:
        InputError: If a layer is not in the model or cannot be replaced, or kernels do not fit.
    """
    for site, chain in chains.items():
        _check(model, network, site, chain)
    traced = trace(model, reading)
    names = {id(layer): site for site, layer in _layers(as_functional(model)).items()}
    rewriting = _Rewriting(
        traced, traced.network.channels, {key: (site, chains[site]) for key, site in names.items() if site in chains}
    )
    rewritten = rewriting.model(model)
    rewriting.copy_weights({})
    rewriting.assign_kernels()
    return rewritten


class _Rewriting(Rebuild):
    """Builds a copy of a model with chains in place of some layers, given by the ids of the layers."""

    def __init__(self, traced: Any, widths: Mapping[str, int], chains: Mapping[int, tuple[str, Chain]]) -> None:
        super().__init__(traced, widths)
        self._chains = chains
        self._before: dict[int, list[Any]] = {}  # the layers that are called before the last one of a chain
        self._made: list[tuple[Any, list[Any], Chain]] = []

    def resized(self, layer: Any) -> Any:
        if id(layer) not in self._chains:
            return super().resized(layer)
        site, chain = self._chains[id(layer)]
        config, prefix = self.config(layer), site.removesuffix(layer.name)
        made, untaken = [], list(_spatial(layer))
        for number, (name, kernel) in enumerate(chain, 1):
            settings = _settings(layer, np.shape(kernel), untaken)
            settings |= {"name": name.removeprefix(prefix), "kernel_initializer": "glorot_uniform"}
            settings |= {} if number == len(chain) else _DEFAULTS
            made.append(type(layer).from_config(config | settings))
        self._before[id(made[-1])] = made[:-1]
        self._made.append((layer, made, chain))
        return made[-1]

    def called(self, copied: Any, *args: Any, **kwargs: Any) -> Any:
        first, *others = [*self._before.get(id(copied), ()), copied]
        made = first(*args, **kwargs)
        for layer in others:
            made = layer(made)
        return made

    def assign_kernels(self) -> None:
        """Set the kernels and biases of the chains."""
        for layer, made, chain in self._made:
            for copied, (_, kernel) in zip(made, chain, strict=True):
                copied.kernel.assign(kernel)
            if layer.use_bias:
                made[-1].bias.assign(layer.bias)


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
        raise InputError(
            f"layer '{site}' of model '{model.name}' cannot be replaced: {reason}", "leave the layer as is"
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
    if chain[-1][0] != site:
        raise InputError(
            f"the last layer of the chain of '{site}' is '{chain[-1][0]}'", "give it the name of the layer it replaces"
        )


def _spatial(layer: Any) -> range:
    return range(len(getattr(layer, "kernel_size", ())))


def _layers(functional: Any) -> dict[str, Any]:
    """Return the layers of a model and of nested models by their names in its description."""
    names = layer_names(functional)
    return {names[id(layer)]: layer for layer in functional._flatten_layers() if id(layer) in names}
