"""References for attention, recurrent, embedding and normalising layers: masked from within, counted by hand.

Of the description under test only which channels are removed is taken. A removed head, or unit, is zeroed where it is
read: in the output projection, or in the recurrent kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from reds_tensorflow.names import weight_names

from reds_core.network import Kept, Network

ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)
PRODUCTS = (layers.Attention, layers.AdditiveAttention)
CONVOLVING = (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
RECURRENT = (layers.LSTM, layers.GRU, layers.SimpleRNN, layers.RNN, *CONVOLVING)
NORMS = (layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization, layers.GroupNormalization)
WRAPPERS = (layers.Bidirectional, layers.TimeDistributed, layers.SpectralNormalization)
LOOKUPS = (layers.Embedding, layers.ReversibleEmbedding)
KINDS = (*ATTENTION, *PRODUCTS, *RECURRENT, *NORMS, *WRAPPERS, *LOOKUPS, layers.EinsumDense)


@dataclass(frozen=True, eq=False)
class Masked:
    """Values (N, ...) of a tensor, zeroed where its mask (...) is 0."""

    values: Any
    mask: np.ndarray


def masked(values: Any, mask: np.ndarray) -> Masked:
    """`values` zeroed, quotients of removed zeros too; a mask of time steps that Keras hung to them is kept."""
    if mask.all():
        return Masked(values, mask)
    zeroed = keras.ops.where(mask != 0, values, keras.ops.zeros_like(values))
    zeroed._keras_mask = getattr(values, "_keras_mask", None)
    return Masked(zeroed, mask)


class KeptAxes:
    """Which positions of a layer's weights and outputs are kept, as 0/1 masks of each axis."""

    def __init__(self, network: Network, kept: Kept, name: str, layer: Any) -> None:
        self._network, self._kept = network, kept
        self._calls = [found for found in network.layers if found.name == name]
        axes = {weight.name: weight.axes for weight in network.weights}
        names = weight_names(layer)
        self._axes = {id(v): axes[f"{name}/{names[id(v)]}"] for v in layer.weights}

    def of_weight(self, variable: Any) -> list[np.ndarray]:
        return [self._mask(axis) for axis in self._axes[id(variable)]]

    def of_output(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        call = next(c for c in reversed(self._calls) if index or c.output_shape == shape)
        tensor = self._network.tensors[call.outputs[index]]
        beside = [1] * len(shape)
        beside[tensor.dimension] = shape[tensor.dimension]
        return np.broadcast_to(self._mask(tensor.axis).reshape(beside), shape)

    def _mask(self, axis: Any) -> np.ndarray:
        mask = np.zeros(axis.full(self._network.channels))
        mask[axis.positions(self._kept, self._network.channels)] = 1
        return mask


def masked_call(layer: Any, args: Any, kwargs: Any, kept: KeptAxes) -> list[Masked]:
    """The outputs of a layer of `KINDS` whose removed channels are zeroed wherever they are read."""
    given = next(a for a in keras.tree.flatten((args, kwargs)) if isinstance(a, Masked))
    args, kwargs = keras.tree.map_structure(lambda a: a.values if isinstance(a, Masked) else a, (args, kwargs))
    if isinstance(layer, NORMS) and getattr(layer, "groups", 1) == 1:  # several blocks go or stay as a whole
        values = _normalised(layer, args[0], given.mask)
        if layer.supports_masking:
            values._keras_mask = getattr(args[0], "_keras_mask", None)
        return [masked(values, given.mask)]
    zeroed = [(v, v.value * mask.astype(v.dtype)) for v, mask in _read_inside(layer, kept)]
    with keras.StatelessScope(state_mapping=zeroed):
        outputs = layer(*args, **kwargs)
    outputs = keras.tree.flatten(outputs)
    return [masked(v, kept.of_output(i, tuple(v.shape[1:]))) for i, v in enumerate(outputs)]


def _read_inside(layer: Any, kept: KeptAxes) -> Iterator[tuple[Any, np.ndarray]]:
    """Weights that read a layer's own channels, with masks of what they read."""
    if isinstance(layer, ATTENTION):
        kernel = layer._output_dense.kernel
        heads, features = kept.of_weight(kernel)[:2]
        rows = np.outer(heads, features)
        yield kernel, rows.reshape(*rows.shape, *[1] * (len(kernel.shape) - 2))
    elif isinstance(layer, layers.Bidirectional):
        yield from _read_inside(layer.forward_layer, kept)
        yield from _read_inside(layer.backward_layer, kept)
    elif isinstance(layer, RECURRENT):
        for i, cell in enumerate(getattr(layer.cell, "cells", [layer.cell])):
            if not hasattr(cell, "recurrent_kernel"):  # of the user's own: it stays whole
                continue
            yield cell.recurrent_kernel, kept.of_weight(cell.recurrent_kernel)[-2][:, None]
            if i:
                yield cell.kernel, kept.of_weight(cell.kernel)[0][:, None]


def _normalised(layer: Any, x: Any, mask: np.ndarray) -> Any:
    """What a normalisation makes of the kept channels alone."""
    x = np.asarray(x)
    numbers = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    weighted = tuple(a % x.ndim for a in numbers)
    axes = tuple(range(1, x.ndim)) if isinstance(layer, layers.GroupNormalization) else weighted
    weights = np.broadcast_to(mask, x.shape)
    beside = [n if i in weighted else 1 for i, n in enumerate(x.shape)]

    def mean(v: np.ndarray) -> np.ndarray:
        return (v * weights).sum(axis=axes, keepdims=True) / np.maximum(weights.sum(axis=axes, keepdims=True), 1)

    def shaped(weight: Any, default: float) -> Any:
        return default if weight is None else np.asarray(weight).reshape(beside)

    if isinstance(layer, layers.UnitNormalization):
        y = x / np.sqrt(np.maximum((x**2 * weights).sum(axis=axes, keepdims=True), 1e-12))
    elif isinstance(layer, layers.RMSNormalization):
        y = x / np.sqrt(mean(x**2) + layer.epsilon) * shaped(layer.scale, 1)
    else:
        centred = x - mean(x)
        y = centred / np.sqrt(mean(centred**2) + layer.epsilon) * shaped(layer.gamma, 1) + shaped(layer.beta, 0)
    return keras.ops.convert_to_tensor(y.astype(x.dtype))


def count_macs_of_only_call(layer: Any) -> int:
    """Multiply-accumulates of a layer of `KINDS` that is called once."""
    node = layer._inbound_nodes[0]
    return count_macs(layer, [tuple(t.shape[1:]) for t in node.input_tensors], tuple(node.outputs[0].shape[1:]))


def count_macs(layer: Any, shapes: list[tuple[int, ...]], made: tuple[int, ...]) -> int:
    """Multiply-accumulates of one call of a layer of `KINDS`, from the shapes of its weights and tensors.

    Args:
        shapes: of the tensors that it reads, in order, without the batch.
        made: of its first output.
    """
    if isinstance(layer, ATTENTION):
        return _attention_macs(layer, *shapes[:3])
    if isinstance(layer, PRODUCTS):
        query, value = shapes[0], shapes[1]
        scored = layer.score_mode == "dot" and (type(layer) is layers.Attention or layer.use_scale)
        return query[0] * value[0] * (value[1] + (query[1] if scored else 0))
    if isinstance(layer, layers.Bidirectional):
        return sum(_recurrent_macs(inner, shapes[0], made) for inner in (layer.forward_layer, layer.backward_layer))
    if isinstance(layer, RECURRENT):
        return _recurrent_macs(layer, shapes[0], made)
    if isinstance(layer, layers.TimeDistributed):
        return made[0] * _kernel_macs(layer.layer, made[1:])
    if isinstance(layer, layers.SpectralNormalization):
        return _kernel_macs(layer.layer, made)
    if isinstance(layer, layers.EinsumDense):
        source, target = layer.equation.replace("...", "").split("->")
        letters = zip(layer.kernel.shape, source.split(",")[1], strict=True)
        contracted = [n for n, letter in letters if letter not in target]
        return math.prod(made) * math.prod(contracted)
    return 0


def _attention_macs(layer: Any, query: tuple[int, ...], value: tuple[int, ...], *key: tuple[int, ...]) -> int:
    source = key[0] if key and len(key[0]) == len(value) else value
    asked, read = math.prod(query[:-1]), math.prod(source[:-1])
    across = getattr(layer, "_attention_axes", (1,))
    pairs = asked * math.prod(source[a - 1] for a in across)
    size = lambda dense: math.prod(dense.kernel.shape)  # noqa: E731
    total = asked * (size(layer._query_dense) + size(layer._output_dense))
    total += read * (size(layer._key_dense) + size(layer._value_dense))
    if hasattr(layer, "_gate_dense"):
        total += asked * size(layer._gate_dense)
    features = math.prod(layer._query_dense.kernel.shape[1:]) + math.prod(layer._output_dense.kernel.shape[:2])
    return total + pairs * features


def _recurrent_macs(layer: Any, shape: tuple[int, ...], made: tuple[int, ...]) -> int:
    positions = 1
    if isinstance(layer, CONVOLVING):
        image = made[1:] if layer.return_sequences else made
        positions = math.prod(image[1:] if layer.data_format == "channels_first" else image[:-1])
    cells = getattr(layer.cell, "cells", [layer.cell])
    sizes = [math.prod(weight.shape) for cell in cells for weight in cell.weights if weight.name.endswith("kernel")]
    return shape[0] * positions * sum(sizes)


def _kernel_macs(layer: Any, made: tuple[int, ...]) -> int:
    return math.prod(made[:-1]) * math.prod(layer.kernel.shape) if hasattr(layer, "kernel") else 0
