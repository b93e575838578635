"""Weights of fewer than 8 bits in .tflite files: an int8 file is rewritten, since the converter makes none.

The weights of the model are integers of 4 or 2 bits times one scale for each output channel, which the converter
multiplies by the factors of batch norms. The layer of each operator is found by its weights, since its name is lost in
the file. LiteRT packs weights of 4 bits; for devices that pack others as well, the file holds the integers in 8 bits
and records how many bits they need.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import UnsupportedError
from reds_core.network import Network, WeightKind
from reds_core.transforms import UniformQuantiser, codes_of_truncated, truncated_codes
from reds_litert.biases import bias_of, rescale_bias, scales_of
from reds_litert.kernel_packing import KernelPacking, Place, give_kernel_packings, kernel_packings_in
from reds_litert.schema import (
    INPUT,
    TYPES,
    WEIGHTS,
    code_index,
    drop_unused_content,
    elements,
    give_content,
    give_scales,
    kind_of,
    pack4,
    packed,
    unpacked,
)

BITS = 4
LARGEST_INT8 = 127
"""The converter divides the largest weight of a channel by this number."""
ALIKE = 0.995
"""The least cosine of each channel of a kernel with a channel of the weights in the file for both to be the same."""
EQUAL = 1e-6
"""Cosines that differ by less are equal."""
ROUNDING = 0.03
"""The greatest difference of weights from those in the int8 file, in steps of 4 bits. Half a step of 8 bits is
3.5 / 127 of a step of 4 bits, and less of a step of 2 bits; scales in single precision add a little."""
CODE_ROUNDING = 0.55
"""The same for codes of 8 bits, in steps of these: half a step of the file, which is no larger, and a little."""
COARSE_ROUNDING = 0.75
"""The greatest difference of weights of large scales from a multiple of their kernel, in steps of 8 bits. Rounding is
half a step; the multiple that is fitted to rounded weights is not exact."""

_KINDS = schema.BuiltinOperator
VERSIONS = {_KINDS.CONV_2D: 7, _KINDS.DEPTHWISE_CONV_2D: 7, _KINDS.FULLY_CONNECTED: 10}
"""The first version of each operator that has weights of 4 bits."""
INT16_FULLY_CONNECTED = 13
"""The first version of fully connected operators that has weights of 4 bits with activations of 16 bits."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """The kernel of a layer, in the order of elements in files.

    Attributes:
        site: The name of the layer.
        values: The weights, float64 (output channels, elements of each).
        integers: The same as integers of `bits` bits.
        bits: The number of bits.
        weight: The index of the kernel among the weights of the network; -1 if it is not known.
        is_truncated: Whether the integers are codes of 8 bits of which a device stores the upper `bits` bits.
    """

    site: str
    values: FloatArray
    integers: IntArray
    bits: int
    weight: int = -1
    is_truncated: bool = False

    @property
    def rounding(self) -> float:
        """The greatest difference of the integers from those in an int8 file, in steps."""
        return CODE_ROUNDING if self.is_truncated else ROUNDING


def kernels_of(
    network: Network,
    weights: Sequence[npt.NDArray[Any]],
    bits: Mapping[str, int] | None = None,
    truncated: Container[str] = (),
) -> tuple[Kernel, ...]:
    """Return the kernels of a model in the order of its calls.

    Args:
        network: The description of the model.
        weights: The weights of the model in the order of `network.weights`.
        bits: The number of bits of the integers of each layer; 4 for those that are left out.
        truncated: The layers whose weights are truncated codes.
    """
    found = []
    called = dict.fromkeys(index for layer in network.layers for index in layer.weights)
    for index in called:
        weight, array = network.weights[index], np.asarray(weights[index])
        if weight.kind is not WeightKind.KERNEL or not weight.scales_along or not array.size:
            continue
        axes = weight.scales_along
        channels = math.prod(array.shape[axis] for axis in axes)

        def in_rows(values: npt.NDArray[Any], axes: tuple[int, ...] = axes, channels: int = channels) -> Any:
            return np.moveaxis(values, axes, range(len(axes))).reshape(channels, -1)

        count = (bits or {}).get(weight.layer, BITS)
        values, is_truncated = in_rows(array.astype(np.float64)), weight.layer in truncated
        if is_truncated:
            integers = codes_of_truncated(values)
        else:
            integers = in_rows(UniformQuantiser(count).integers(array, axes))
        found.append(Kernel(weight.layer, values, integers, count, index, is_truncated))
    return tuple(found)


def with_int4(content: bytes, kernels: Sequence[Kernel], sites: Sequence[str], keep_int8: bool = False) -> bytes:
    """Return an int8 file with weights of fewer than 8 bits in some layers.

    Args:
        content: The int8 file, whose activations have 8 or 16 bits.
        kernels: The kernels of all layers of the model.
        sites: The names of the layers that get weights of the bits of their kernels.
        keep_int8: Whether the integers take 8 bits each in the file, which then computes the same, and records how many
            bits they need. Otherwise they are packed, and must have 4 bits.

    Raises:
        UnsupportedError: If the weights of such a layer are not found in the file, or differ from those of the model.
    """
    model = unpacked(content)
    found: set[str] = set()
    packings: dict[tuple[int, int], KernelPacking] = {}
    for kernel, place in _matched(model, kernels):
        if kernel.site in sites:
            _replace(model, kernel, place, keep_int8)
            found.add(kernel.site)
            packings[place.index] = KernelPacking(kernel.bits)
    _check_found(sites, found)
    if keep_int8:
        give_kernel_packings(model, kernel_packings_in(model) | packings)
    drop_unused_content(model)
    return packed(model)


def with_packings(content: bytes, kernels: Sequence[Kernel], packings: Mapping[str, KernelPacking]) -> bytes:
    """Return a file that records how a device packs the kernels of some layers, whose integers stay as they are.

    Args:
        content: The file, whose kernels have 8 bits each. What it records of other layers stays.
        kernels: The kernels of all layers of the model, of which the `values` are compared with the file.
        packings: How the kernel of each layer is packed, by the name of the layer.

    Raises:
        UnsupportedError: If the weights of such a layer are not found in the file.
    """
    model = unpacked(content)
    places = kernel_places(model, kernels, packings)
    give_kernel_packings(model, kernel_packings_in(model) | {place: packings[site] for place, site in places.items()})
    return packed(model)


def kernel_places(model: Any, kernels: Sequence[Kernel], sites: Container[str]) -> dict[Place, str]:
    """Return where a file has the kernels of some layers, with the name of the layer of each.

    Args:
        model: The content of the file as objects of the generated classes. Its kernels have 8 bits each.
        kernels: The kernels of all layers of the model, of which the `values` are compared with the file.
        sites: The names of the layers.

    Raises:
        UnsupportedError: If the weights of such a layer are not found in the file.
    """
    places = {place.index: kernel.site for kernel, place in _matched(model, kernels) if kernel.site in sites}
    _check_found((kernel.site for kernel in kernels if kernel.site in sites), places.values())
    return places


def weights_at(model: Any, kernels: Sequence[Kernel]) -> dict[Place, int]:
    """Return which weight of the network each kernel in a file is, as far as it is found.

    Args:
        model: The content of the file as objects of the generated classes. Its kernels have 8 bits each.
        kernels: The kernels of all layers of the model, from `kernels_of`.
    """
    return {place.index: kernel.weight for kernel, place in _matched(model, kernels)}


def channel_axes(model: Any) -> dict[Place, int]:
    """Return the axis of output channels of each kernel of 8 bits that has a single one."""
    return {place.index: place.axis for place in _places(model)}


def _check_found(sites: Iterable[str], found: Iterable[str]) -> None:
    """Check that the weights of some layers are found in a file.

    Raises:
        UnsupportedError: If they are not.
    """
    known = set(found)
    for site in sites:
        if site not in known:
            raise UnsupportedError(f"the weights of layer '{site}' are not found in the file", "leave it as it is")


@dataclass(frozen=True, eq=False)
class _Place:
    """Weights in a file.

    Attributes:
        index: The index of the subgraph, and that of the tensor in it.
        graph: The subgraph.
        tensor: The tensor of the weights.
        operators: The operators that read it.
        axis: Its axis of output channels.
        values: The weights that it represents, float64 (output channels, elements of each).
        steps: The scale of each channel, float64 (output channels,).
    """

    index: tuple[int, int]
    graph: Any
    tensor: Any
    operators: tuple[Any, ...]
    axis: int
    values: FloatArray
    steps: FloatArray

    @property
    def is_zero(self) -> bool:
        """Whether all its weights are zero."""
        return not self.values.any()

    @cached_property
    def is_coarse(self) -> npt.NDArray[np.bool_]:
        """Which channels have larger scales than their weights need, bool (output channels,)."""
        found: npt.NDArray[np.bool_] = np.abs(self.values).max(axis=1, initial=0) < (LARGEST_INT8 - 0.5) * self.steps
        return found


def _matched(model: Any, kernels: Sequence[Kernel]) -> Iterator[tuple[Kernel, _Place]]:
    """Yield the weights in the file with their kernels.

    Several kernels of one element a channel are alike. They are taken in order, those first that are not taken yet.
    Weights of large scales are like several kernels too, so their turn comes late. The last are weights that are all
    zero: they may be those of any kernel of their shape that is left, since factors of batch norms may be zero.
    """
    taken: set[int] = set()
    for place in sorted(_places(model), key=lambda place: (place.is_zero, bool(place.is_coarse.all()))):
        if place.is_zero:
            left = [index for index, kernel in enumerate(kernels) if index not in taken]
            fitting = [index for index in left if kernels[index].values.shape == place.values.shape]
            if fitting:
                index = min(fitting, key=lambda each: bool(kernels[each].values.any()))
                taken.add(index)
                yield kernels[index], place
            continue
        alike = [(_likeness(kernel.values, place), index) for index, kernel in enumerate(kernels)]
        best = max((likeness for likeness, _ in alike), default=0.0)
        if best < ALIKE:
            continue
        candidates = [index for likeness, index in alike if likeness >= best - EQUAL]
        index = next((index for index in candidates if index not in taken), candidates[0])
        taken.add(index)
        yield kernels[index], place


def _places(model: Any) -> Iterator[_Place]:
    """Yield the constant weights of convolutions and fully connected operators, in the order of the file."""
    for at, graph in enumerate(model.subgraphs):
        readers: dict[int, list[Any]] = {}
        for operator in graph.operators:
            if kind_of(model, operator) in VERSIONS:
                readers.setdefault(int(operator.inputs[WEIGHTS]), []).append(operator)
        for index, operators in readers.items():
            tensor = graph.tensors[index]
            if tensor.type != schema.TensorType.INT8:
                continue
            values = elements(model, tensor)
            if values is None:
                continue
            axis = 3 if kind_of(model, operators[0]) == _KINDS.DEPTHWISE_CONV_2D else 0
            rows = _rows(values, axis).astype(np.float64) * scales_of(tensor)[:, None]
            steps = np.broadcast_to(scales_of(tensor), len(rows))
            yield _Place((at, index), graph, tensor, tuple(operators), axis, rows, steps)


def _rows(values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _likeness(kernel: FloatArray, place: _Place) -> float:
    """Return the least cosine over the channels, signs aside, since factors of batch norms may be negative.

    Channels whose scales are larger than their weights need count as equal if rounding explains the difference.
    """
    weights = place.values
    if kernel.shape != weights.shape:
        return 0.0
    norms = np.linalg.norm(kernel, axis=1) * np.linalg.norm(weights, axis=1)
    alive = norms > 0
    if not alive.any():
        return 0.0
    products = (kernel * weights).sum(axis=1)
    cosines = np.abs(products[alive]) / norms[alive]
    factors = products / np.maximum((kernel * kernel).sum(axis=1), np.finfo(np.float64).tiny)
    differences = np.abs(weights - factors[:, None] * kernel).max(axis=1)
    is_rounded = place.is_coarse & (differences <= COARSE_ROUNDING * place.steps)
    return float(np.where(is_rounded[alive], 1.0, cosines).min())


def _replace(model: Any, kernel: Kernel, place: _Place, keep_int8: bool) -> None:
    """Give weights their integers of fewer bits, and the biases of their operators the scales that follow."""
    products = (kernel.integers * place.values).sum(axis=1)
    integers = np.where(products[:, None] < 0, -kernel.integers, kernel.integers) * (not place.is_zero)
    scales = _low_bit_scales(place, integers)
    differences = np.abs(place.values - integers * scales[:, None]).max(axis=1)
    if np.any(differences > np.where(place.is_coarse, COARSE_ROUNDING * place.steps, kernel.rounding * scales)):
        raise UnsupportedError(
            f"the weights of layer '{kernel.site}' in the file differ from those of {kernel.bits} bits",
            "leave it at 8 bits",
        )
    least = _least_scales(model, place)
    is_small = scales < least
    if is_small.any():
        coarse = np.rint(place.values / np.where(is_small, least, 1)[:, None]).astype(np.int64)
        coarse = truncated_codes(coarse) if kernel.is_truncated else coarse
        scales, integers = np.where(is_small, least, scales), np.where(is_small[:, None], coarse, integers)
    tensor, shape = place.tensor, [int(n) for n in place.tensor.shape]
    others = [n for axis, n in enumerate(shape) if axis != place.axis]
    stored = np.moveaxis(integers.reshape([shape[place.axis], *others]), 0, place.axis).astype(np.int8)
    content = np.ascontiguousarray(stored).reshape(-1)
    give_content(model, tensor, content.view(np.uint8) if keep_int8 else pack4(content))
    give_scales(tensor, scales, place.axis)
    for operator in place.operators:
        rescale_bias(model, place.graph, operator, scales)
        if not keep_int8:
            operator.opcodeIndex = code_index(model, kind_of(model, operator), _version(model, place.graph, operator))
    if not keep_int8:
        tensor.type = schema.TensorType.INT4


def _low_bit_scales(place: _Place, integers: IntArray) -> FloatArray:
    """Return the scale of each channel, rounded to single precision.

    The scale of a channel of 8 bits is its largest weight divided by 127, by which those of fewer bits are exact. It is
    another one if all channels have one scale in the file, or if the bias needs a larger scale. The scales of fewer
    bits are then those with the least squared difference. A channel of zeros keeps its scale, which may be 0.
    """
    old = np.broadcast_to(scales_of(place.tensor), len(integers))
    largest = np.abs(integers).max(axis=1)
    largest_int8 = np.rint(np.abs(place.values).max(axis=1) / np.where(old > 0, old, 1))
    squares = np.maximum((integers * integers).sum(axis=1), 1)
    exact = old * LARGEST_INT8 / np.maximum(largest, 1)
    nearest = (integers * place.values).sum(axis=1) / squares
    scales = np.where(largest == 0, old, np.where(largest_int8 == LARGEST_INT8, exact, nearest))
    return scales.astype(np.float32).astype(np.float64)


def _least_scales(model: Any, place: _Place) -> FloatArray:
    """Return the least scale of each channel with which the biases of all operators are in range.

    The scale of a bias is that of its weights times that of the input. An input that is nearly 0 for all examples, as
    after channels that no example activates, has so small a scale that the bias would be out of range. Converters then
    give the channel a larger scale, by which its weights have fewer different integers.
    """
    least = np.zeros(len(place.values))
    for operator in place.operators:
        bias = bias_of(model, place.graph, operator)
        if bias is not None:
            tensor, values = bias
            of_input = float(scales_of(place.graph.tensors[operator.inputs[INPUT]])[0])
            largest = np.iinfo(TYPES[tensor.type]).max / 2
            least = np.maximum(least, np.abs(values * scales_of(tensor)) / largest / of_input if of_input > 0 else 0)
    return least


def _version(model: Any, graph: Any, operator: Any) -> int:
    kind = kind_of(model, operator)
    is_wide = graph.tensors[operator.inputs[INPUT]].type == schema.TensorType.INT16
    return INT16_FULLY_CONNECTED if is_wide and kind == _KINDS.FULLY_CONNECTED else VERSIONS[kind]
