"""Int8 files of a pruned network, cut from that of the full network without converting a model again.

Sizes, memory and the work of a device follow from shapes and little from values, so that a file whose kernels are
slices of those of the full network stands for that of any network of the same widths. Values matter to devices that
compress weights. Pruning keeps important channels, whose weights compress worst, and so do the slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError
from reds_core.network import Axis, Kept, Network, Weight, repeat
from reds_litert.file_axes import SHAPED, TensorAxes, followed_axes
from reds_litert.graph import FileGraph, graph_of
from reds_litert.int4 import kernels_of, weights_at
from reds_litert.schema import drop_unused_content, elements, give_content, packed, unpacked


class PrunableFile:
    """The int8 file of a full network, from which files of other widths are cut.

    Attributes:
        graph: The graph of the file.
        channels: The full width of each group.

    Args:
        content: The content of the file.
        network: The description of the model from which it was converted.
        weights: The weights of the model, in the order of `network.weights`.

    Raises:
        UnsupportedError: If it is not known how the shapes in the file depend on the widths of the groups.
    """

    def __init__(self, content: bytes, network: Network, weights: Sequence[npt.NDArray[Any]]) -> None:
        model = unpacked(content)
        if len(model.subgraphs) != 1:
            raise UnsupportedError(f"the file has {len(model.subgraphs)} graphs, as with loops", "unroll the loops")
        self._content, self.channels = content, dict(network.channels)
        self.graph: FileGraph = graph_of(model, model.subgraphs[0])
        found = weights_at(model, kernels_of(network, weights))
        outputs = {tensor: output_axis(network.weights[weight]) for (_, tensor), weight in found.items()}
        self._axes = followed_axes(self.graph, outputs, self.channels)
        self._check_groups(network)
        self._order = {group: np.argsort(-bits, kind="stable") for group, bits in self._contents(model).items()}

    def groups_of(self, tensor: int) -> tuple[str, ...]:
        """The names of the groups on whose widths the shape of a tensor depends, in the network's order."""
        found = {group for axis in self._axes.get(tensor, ()) for group in axis.groups()}
        return tuple(group for group in self.channels if group in found)

    def groups_at(self, operator: int) -> tuple[str, ...]:
        """The names of the groups on whose widths the shapes of what an operator reads and writes depend."""
        each = self.graph.operators[operator]
        found = {group for index in (*each.inputs, *each.outputs) for group in self.groups_of(index)}
        return tuple(group for group in self.channels if group in found)

    def at(self, widths: Mapping[str, int]) -> bytes:
        """Return the content of the file in which each group has the given number of its channels, the first ones.

        Tensors are named `tensor_name` of their index. Metadata, such as a memory plan, is left out.

        Args:
            widths: The width of each group. Groups that are not named keep all their channels.
        """
        kept: Kept = {
            group: self._order[group][:width] if width < self.channels[group] else np.arange(width, dtype=np.int64)
            for group, width in widths.items()
        }
        model = unpacked(self._content)
        graph, model.metadata = model.subgraphs[0], None
        for index, tensor in enumerate(graph.tensors):
            tensor.name = tensor_name(index).encode()
            axes = self._axes.get(index)
            if axes is not None:
                self._cut(model, tensor, axes, kept)
        for operator in graph.operators:
            self._state_shape(model, graph, operator)
        drop_unused_content(model)
        return packed(model)

    def _contents(self, model: Any) -> dict[str, FloatArray]:
        """How many bits the integers of each channel need, by group: of all kernels that make or read the channel."""
        found = {group: np.zeros(channels) for group, channels in self.channels.items()}
        for index, axes in self._axes.items():
            values = elements(model, model.subgraphs[0].tensors[index])
            if values is None or values.dtype != np.int8:
                continue
            bits = np.log2(1.0 + np.abs(values.astype(np.float64)))
            for place, axis in enumerate(axes):
                along = bits.sum(axis=tuple(other for other in range(bits.ndim) if other != place))
                for group in axis.groups():
                    owners = axis.owners(group, self.channels)
                    np.add.at(found[group], owners[owners >= 0], along[owners >= 0])
        return found

    def _cut(self, model: Any, tensor: Any, axes: TensorAxes, kept: Kept) -> None:
        """Leave a tensor the channels that are kept."""
        positions = [axis.positions(kept, self.channels) for axis in axes]
        values = elements(model, tensor)
        if values is not None:
            data = np.ascontiguousarray(values[np.ix_(*positions)])
            give_content(model, tensor, data.reshape(-1).view(np.uint8))
        tensor.shape = np.array([len(each) for each in positions], np.int32)
        tensor.shapeSignature = None
        details = tensor.quantization
        if details is not None and details.scale is not None and len(details.scale) > 1:
            own = positions[int(details.quantizedDimension)]
            details.scale = np.asarray(details.scale)[own]
            details.zeroPoint = np.asarray(details.zeroPoint)[own]
            details.min = details.max = None

    def _state_shape(self, model: Any, graph: Any, operator: Any) -> None:
        """Let an operator that states the shape of its output state the new one."""
        index = int(operator.outputs[0])
        kind = self.graph.operators[graph.operators.index(operator)].kind
        if index not in self._axes or kind not in SHAPED:
            return
        shape = np.asarray(graph.tensors[index].shape, np.int32)
        if hasattr(operator.builtinOptions, "newShape"):
            operator.builtinOptions.newShape = shape
        if kind == "RESHAPE" and len(operator.inputs) > 1:
            give_content(model, graph.tensors[int(operator.inputs[1])], shape.view(np.uint8))

    def _check_groups(self, network: Network) -> None:
        """Check that the file depends on the width of each group.

        Raises:
            UnsupportedError: If it does not, since the kernel of a layer is not found.
        """
        known = {group for index in self._axes for group in self.groups_of(index)}
        missing = next((group.name for group in network.groups if group.name not in known), None)
        if missing is not None:
            raise UnsupportedError(
                f"the weights of layer '{missing}' are not found in the int8 file", "give budgets of other resources"
            )


def tensor_name(index: int) -> str:
    """Return the name of a tensor in the files that `PrunableFile.at` returns."""
    return f"t{index}"


def output_axis(weight: Weight) -> Axis:
    """Return the axis of the output channels of a kernel in the order of the file."""
    first, *others = (weight.axes[place] for place in weight.scales_along)
    times = 1
    for other in others:
        times *= other.length().constant
    return repeat(first, times)
