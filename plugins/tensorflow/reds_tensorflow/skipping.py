"""Copies of models without residual branches whose group keeps no channels.

With zeros in place of all channels of the group, a branch adds a constant, the same for every example. The constant is
computed with the layers of the original model. It becomes part of the bias, or of the offset of the batch norm, of the
layer that the sum reads, if nothing else reads that. Otherwise a Rescaling layer in place of the sum adds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers as L

from reds_core.network import Kept, residual_branches, without_branches
from reds_tensorflow.names import graph_of
from reds_tensorflow.rebuilding import Rebuild
from reds_tensorflow.tracing import Trace

_WITH_BIAS = (
    *(L.Conv1D, L.Conv2D, L.Conv3D, L.Dense, L.DepthwiseConv1D, L.DepthwiseConv2D),
    *(L.SeparableConv1D, L.SeparableConv2D, L.Conv1DTranspose, L.Conv2DTranspose, L.Conv3DTranspose),
)
"""Layers whose bias is added to each channel of their output, before their activation."""


class RebuildSkipping(Rebuild):
    """Builds a resized copy of a model without some of its residual branches."""

    def __init__(self, traced: Trace, widths: Mapping[str, int], skipped: Sequence[str], kept: Kept) -> None:
        """Prepare the copy.

        Args:
            traced: the model.
            widths: the width of each group.
            skipped: the groups that keep no channels, each inside a residual branch.
            kept: indices of the channels to keep, by group.
        """
        # layers of the branches are copied like all others, which needs a width, but are not called
        super().__init__(traced, {group: width or 1 for group, width in widths.items()})
        network = traced.network
        gone = [branch for group, branch in residual_branches(network).found.items() if group in skipped]
        self._inner = {call for branch in gone for call in branch.inner}
        self._constant = {call for branch in gone for call in branch.constant}
        self._sums = {branch.sum: branch for branch in gone}
        self._left = without_branches(network, skipped)
        self._network, self._kept = network, kept
        self._next = 0  # the index of the next call in `network.layers`
        self._calls_of: dict[int, int] = {}
        self._source: Any = None
        self._pairs: dict[int, tuple[Any, Any]] = {}  # for each call that is made: the layer and its copy
        self._values: dict[int, tuple[Any, Any]] = {}  # by id of a tensor that stands for it, which is kept alive
        self._folded: list[tuple[Any, npt.NDArray[Any]]] = []

    def copied(self, operation: Any) -> Any:
        started = self._next
        was_copied = id(operation) in self._calls_of
        found = super().copied(operation)
        if was_copied:  # a nested model is followed once for each call of it
            self._next += self._calls_of[id(operation)]
        else:
            self._calls_of[id(operation)] = self._next - started
        self._source = operation  # which is called next
        return found

    def called(self, copied: Any, *args: Any, **kwargs: Any) -> Any:
        source = self._source
        if graph_of(source) is not None:
            return copied(*args, **kwargs)
        call = self._next
        self._next += 1
        if call in self._inner:
            shape = (1, *self._network.layers[call].output_shape)
            return self._standing_for(np.zeros(shape, getattr(source, "compute_dtype", "float32")))
        if call in self._constant:
            read, named = keras.tree.map_structure(lambda a: self._values.get(id(a), (a, a))[1], (args, kwargs))
            return self._standing_for(source(*read, **named))
        self._pairs[call] = (source, copied)
        if call in self._sums:
            return self._sum(call, source, keras.tree.flatten((args, kwargs)))
        return copied(*args, **kwargs)

    def copy_weights(self, slices: Mapping[int, Any]) -> None:
        called = {id(each) for source, _ in self._pairs.values() for each in _with_inner(source)}
        self.layers = [(layer, resized) for layer, resized in self.layers if id(layer) in called]
        super().copy_weights(slices)
        for layer, constant in self._folded:
            offset = layer.beta if isinstance(layer, L.BatchNormalization) else layer.bias
            offset.assign_add(constant)

    def _standing_for(self, value: Any) -> Any:
        tensor = keras.KerasTensor(value.shape, dtype=keras.backend.standardize_dtype(value.dtype))
        self._values[id(tensor)] = (tensor, value)
        return tensor

    def _sum(self, call: int, source: Any, tensors: Sequence[Any]) -> Any:
        """Return the tensor that takes the place of a sum with a branch."""
        (other,) = (tensor for tensor in tensors if id(tensor) not in self._values)
        (branch,) = (tensor for tensor in tensors if id(tensor) in self._values)
        constant = self._constant_of(call, np.asarray(self._values[id(branch)][1])[0])
        if not constant.any():
            return other
        layer = self._folds_into(call) if constant.ndim == 1 else None
        if layer is not None:
            self._folded.append((layer, constant))
            return other
        # an array, since Keras would round a list to single precision
        return L.Rescaling(1.0, offset=constant.astype(other.dtype), name=source.name, dtype=other.dtype)(other)

    def _constant_of(self, call: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what a branch adds to the channels that are kept, as an array (channels,) if it is so everywhere."""
        tensor = self._network.tensors[self._sums[call].output]
        positions = tensor.axis.positions(self._kept, self._network.channels)
        values = np.take(values, positions, axis=tensor.dimension).astype(np.float64)
        channels = tensor.dimension % values.ndim
        by_channel = np.moveaxis(values, channels, -1).reshape(-1, len(positions))
        if not np.array_equal(by_channel, np.broadcast_to(by_channel[:1], by_channel.shape)):
            return values
        if channels == values.ndim - 1 or self._folds_into(call) is not None:
            return np.asarray(by_channel[0])
        shaped: npt.NDArray[Any] = by_channel[0].reshape([-1 if a == channels else 1 for a in range(values.ndim)])
        return shaped

    def _folds_into(self, call: int) -> Any:
        """Return the copy of the layer whose bias or offset can take in the constant of a sum, or None."""
        return self._taking_in(self._sums[call].other, call)

    def _taking_in(self, tensor: int, reader: int) -> Any:
        """Return the copy of the layer that computes a tensor, directly or by a sum, if only one call reads it."""
        network, calls = self._left.network, self._left.calls
        readers = [call for call, layer in zip(calls, network.layers, strict=True) if tensor in layer.inputs]
        maker = next((c for c, layer in zip(calls, network.layers, strict=True) if tensor in layer.outputs), None)
        if readers != [reader] or tensor in network.outputs or maker is None:
            return None
        layer = network.layers[calls.index(maker)]
        if layer.is_sum or maker in self._sums:
            return next((found for t in layer.inputs if (found := self._taking_in(t, maker)) is not None), None)
        source, copied = self._pairs[maker]
        is_alone = sum(each.name == layer.name for each in self._network.layers) == 1
        takes = (type(source) is L.BatchNormalization and source.center) or (
            type(source) in _WITH_BIAS and source.use_bias and not layer.is_activated
        )
        return copied if is_alone and takes else None


def _with_inner(source: Any) -> list[Any]:
    return list(source._flatten_layers()) if isinstance(source, keras.Layer) else []
