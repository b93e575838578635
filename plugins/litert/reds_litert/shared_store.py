"""One store of integer weights for all members of a family: the kernels of the full network's file.

The kernels of a member are slices of those of the full network. Only batch norms differ, whose statistics each network
has of its own, and a converter multiplies each output channel of a kernel by their factor. A member can therefore keep
the integers of the full network and multiply the scale of each output channel by the ratio of the two factors, which is
read off the float32 files of both. Scales of activations stay those of the member's own int8 file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError
from reds_core.transforms import CODE_BITS, TRUNCATED_BITS, TRUNCATION_GRID, are_truncated, truncated_codes
from reds_litert.biases import replace_bias
from reds_litert.graph import FileGraph, FileOperator, FileTensor
from reds_litert.kernel_operators import WITH_KERNELS, bias_place, channel_axis, input_place
from reds_litert.kernel_packing import read_packed_graph
from reds_litert.schema import (
    INT4,
    WEIGHTS,
    drop_unused_content,
    give_content,
    give_scales,
    pack4,
    packed,
    unpacked,
)
from reds_litert.slices import KernelSlice, kernel_slices

FIT = 1e-6
"""The greatest difference between a row of a member and a multiple of the row of the full network, as a share of the
largest weight of the row. A conversion rounds each weight a few times in single precision, to 6e-8 of itself."""
HALF_STEP = 8.51
"""The same for truncated codes, in steps of the codes: half of 16, and the rounding of the codes."""
STEP = 0.51
"""The greatest difference between weights and their integers, in steps: rounding, and a little for single precision."""
LARGEST_SUM = np.iinfo(np.int32).max
"""The greatest sum of products and bias that kernels can hold if activations have 8 bits."""
LARGEST_WIDE_SUM = 2**47 - 1
"""The same if activations have 16 bits: kernels multiply sums of 48 bits."""
LARGEST_INPUT, LARGEST_WIDE_INPUT = 255, 2**15
"""The greatest difference between an input of 8 or 16 bits and its zero point."""
PART_ELEMENTS = 2**20
"""How many weights are compared at a time, since kernels can be large."""


class Reason(Enum):
    """Why an operator keeps a kernel of its own, as the rest of a sentence about its layer."""

    NOT_FOLLOWED = "has channels that cannot be followed through the graphs"
    BITS = "has weights of other bits than in the full network"
    PACKING = "has a codebook or a mask that the full network does not have"
    WEIGHTS = "has other weights than the full network times a factor for each output channel"
    RANGE = "has biases that would be out of range"


@dataclass(frozen=True)
class Conversions:
    """The contents of the files of one network.

    Attributes:
        int8: The int8 file.
        float32: The float32 file.
    """

    int8: bytes
    float32: bytes


@dataclass(frozen=True)
class SharedFile:
    """The int8 file of a member whose kernels are slices of those of the full network.

    Attributes:
        content: The content of the file.
        kernels: The number of its kernels that are constants.
        own: Why some of them are not slices, by the name of the tensor that holds the kernel.
    """

    content: bytes
    kernels: int
    own: Mapping[str, Reason]


def shared_file(member: Conversions, full: Conversions) -> SharedFile:
    """Return the int8 file of a member with the integers of the full network.

    Operators keep kernels of their own for a `Reason`. Files with several graphs, as of loops, share nothing.

    Args:
        member: The files of the member.
        full: The files of the full network.

    Raises:
        InputError: If a file cannot be read.
    """
    try:
        graphs = [read_packed_graph(content) for content in (full.int8, full.float32, member.int8, member.float32)]
    except UnsupportedError:  # loops
        return SharedFile(member.int8, 0, {})
    full_int8, full_float, member_int8, member_float = graphs
    model = unpacked(member.int8)
    graph = model.subgraphs[0]
    slices = kernel_slices(full_int8, member_int8)
    exact, full_exact = _counterparts(member_int8, member_float), _counterparts(full_int8, full_float)
    fitted: dict[int, list[tuple[int, _Fit | Reason]]] = {}
    for at, operator in enumerate(member_int8.operators):
        if operator.kind in WITH_KERNELS and member_int8.tensors[operator.inputs[WEIGHTS]].data is not None:
            part, fit = slices.get(at), cast("_Fit | Reason", Reason.NOT_FOLLOWED)
            if part is not None and at in exact and part.operator in full_exact:
                of_full = _Kernels(full_int8, part.operator, full_float, full_exact[part.operator])
                fit = _fit(_Kernels(member_int8, at, member_float, exact[at]), of_full, part)
            fitted.setdefault(operator.inputs[WEIGHTS], []).append((at, fit))
    own: dict[str, Reason] = {}
    for index, fits in fitted.items():
        found = [(at, fit) for at, fit in fits if isinstance(fit, _Fit)]
        reasons = [fit for _, fit in fits if isinstance(fit, Reason)]
        if not reasons and not all(fit.equals(found[0][1]) for _, fit in found):
            reasons = [Reason.WEIGHTS]
        if reasons:
            own[member_int8.tensors[index].name] = reasons[0]
            continue
        for at, kept in found:
            _replace(model, graph, at, member_int8.operators[at], kept)
    drop_unused_content(model)
    return SharedFile(packed(model) if len(own) < len(fitted) else member.int8, len(fitted), own)


def _counterparts(graph: FileGraph, other: FileGraph) -> Mapping[int, int]:
    """The operators with kernels in two conversions of one network, by their order; none if they are not alike."""
    places = [
        [
            (at, operator.kind, each.tensors[operator.inputs[WEIGHTS]].shape)
            for at, operator in enumerate(each.operators)
            if operator.kind in WITH_KERNELS
        ]
        for each in (graph, other)
    ]
    if [place[1:] for place in places[0]] != [place[1:] for place in places[1]]:
        return {}
    return {a[0]: b[0] for a, b in zip(*places, strict=True)}


@dataclass(frozen=True, eq=False)
class _Kernels:
    """An operator in both conversions of a network.

    Attributes:
        graph: The graph of the int8 file.
        at: The index of the operator in it.
        exact_graph: The graph of the float32 file.
        exact_at: The index of the operator in that.
    """

    graph: FileGraph
    at: int
    exact_graph: FileGraph
    exact_at: int

    @property
    def operator(self) -> FileOperator:
        """The operator of the int8 file."""
        return self.graph.operators[self.at]

    @property
    def kernel(self) -> FileTensor:
        """The integers."""
        return self.graph.tensors[self.operator.inputs[WEIGHTS]]

    @property
    def exact_kernel(self) -> npt.NDArray[Any] | None:
        """The weights before they were rounded to integers; None if they are computed."""
        operator = self.exact_graph.operators[self.exact_at]
        return self.exact_graph.tensors[operator.inputs[WEIGHTS]].data

    @property
    def input_scale(self) -> float:
        """The scale of the input."""
        return self.graph.tensors[self.operator.inputs[input_place(self.operator.kind)]].scale

    @cached_property
    def exact_bias(self) -> FloatArray | None:
        """The bias before it was rounded, zeros if the float32 file has none; None if it is computed."""
        place, operator = bias_place(self.operator.kind), self.exact_graph.operators[self.exact_at]
        if len(operator.inputs) <= place or operator.inputs[place] < 0:
            return np.zeros(self.kernel.shape[channel_axis(self.operator.kind)])
        data = self.exact_graph.tensors[operator.inputs[place]].data
        return None if data is None else data.astype(np.float64)

    @property
    def bias(self) -> FileTensor | None:
        """The bias in integers; None if the operator has none."""
        place = bias_place(self.operator.kind)
        has_bias = len(self.operator.inputs) > place and self.operator.inputs[place] >= 0
        return self.graph.tensors[self.operator.inputs[place]] if has_bias else None


@dataclass(frozen=True, eq=False)
class _Fit:
    """A kernel of the full network cut for a member.

    Attributes:
        integers: The kernel of the member.
        scales: The scale of each output channel, float32 (output channels,).
        bias: The integers of the bias, int32 or int64 (output channels,); None without a bias.
        bias_scales: The scale of each of them, float32 (output channels,).
    """

    integers: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    bias: npt.NDArray[Any] | None
    bias_scales: npt.NDArray[np.float32]

    def equals(self, other: _Fit) -> bool:
        """Whether the kernels are the same, so that two operators can read one."""
        return np.array_equal(self.integers, other.integers) and np.array_equal(self.scales, other.scales)


def _fit(member: _Kernels, full: _Kernels, part: KernelSlice) -> _Fit | Reason:
    """Cut the kernel of the full network for a member, or return why the member needs a kernel of its own."""
    kind, own, stored = member.operator.kind, member.kernel, full.kernel
    exact, full_exact = member.exact_kernel, full.exact_kernel
    are_integers = all(each.dtype == np.int8 and not each.zero_points.any() for each in (own, stored))
    if stored.data is None or exact is None or full_exact is None or not stored.scales.size:
        return Reason.NOT_FOLLOWED
    if (own.clusters, own.density_percent) != (stored.clusters, stored.density_percent):
        return Reason.PACKING
    assert own.data is not None
    is_above = (own.bits, stored.bits) == (TRUNCATED_BITS, CODE_BITS) and are_truncated(own.data)
    if not are_integers or (own.bits != stored.bits and not is_above):
        return Reason.BITS
    axis = channel_axis(kind)
    integers = part.cut(kind, stored.data)
    steps = np.broadcast_to(stored.scales, stored.shape[axis])[part.outputs].astype(np.float64)
    stored_rows, rows, full_rows = (_rows(each, axis) for each in (integers, exact, part.cut(kind, full_exact)))
    if is_above:
        integers = truncated_codes(integers).astype(np.int8)
        factors = _factors_of_truncated(rows, full_rows, _rows(integers, axis), steps)
    else:
        factors = _factors(rows, full_rows)
    if factors is None or not _are_rounded(full_rows, stored_rows, steps):
        return Reason.WEIGHTS
    if member.exact_bias is None or not member.input_scale > 0:
        return Reason.NOT_FOLLOWED
    # weights that are all rounded to 0 have any scale, so that their bias can be in range
    is_zero = ~stored_rows.any(axis=1)
    least = np.where(is_zero, np.abs(member.exact_bias) / (LARGEST_SUM / 2) / member.input_scale, 0)
    scales = np.maximum(steps * factors, least).astype(np.float32)
    if own.scales.size == 1:
        if not (scales == scales[0]).all():
            return Reason.WEIGHTS
        scales = scales[:1]
    bias_scales = np.float32(member.input_scale) * scales
    if not (bias_scales >= np.finfo(np.float32).tiny).all():
        return Reason.RANGE
    if member.bias is None:
        return _Fit(integers, scales, None, bias_scales)
    if member.bias.data is None or member.bias.dtype not in (np.int32, np.int64):
        return Reason.NOT_FOLLOWED
    is_wide = member.bias.dtype == np.int64
    largest_input, largest_sum = (LARGEST_WIDE_INPUT, LARGEST_WIDE_SUM) if is_wide else (LARGEST_INPUT, LARGEST_SUM)
    bias = np.rint(member.exact_bias / bias_scales.astype(np.float64))
    sums = np.abs(bias) + largest_input * np.abs(stored_rows, dtype=np.int64).sum(axis=1)
    if sums.max(initial=0) > largest_sum:
        return Reason.RANGE
    return _Fit(integers, scales, bias.astype(member.bias.dtype), bias_scales)


def _factors(rows: npt.NDArray[Any], full_rows: npt.NDArray[Any]) -> FloatArray | None:
    """The factor between each row of the member and of the full network, by least squares.

    Rows of zeros in both have a factor of 1. None if a row is not a positive multiple within rounding.

    Args:
        rows: The weights of the member, (output channels, weights of each).
        full_rows: Those of the full network, cut to the same shape.
    """
    found = []
    for part in _parts(rows):
        own, whole = rows[part].astype(np.float64), full_rows[part].astype(np.float64)
        squares = (whole * whole).sum(axis=1)
        factors = np.where(squares > 0, (own * whole).sum(axis=1) / np.where(squares > 0, squares, 1), 1.0)
        differences = np.abs(own - factors[:, None] * whole).max(axis=1, initial=0)
        if not ((differences <= FIT * np.abs(own).max(axis=1, initial=0)) & (factors > 0)).all():
            return None
        found.append(factors)
    return np.concatenate(found)


def _factors_of_truncated(
    rows: npt.NDArray[Any], full_rows: npt.NDArray[Any], codes: npt.NDArray[np.int8], steps: FloatArray
) -> FloatArray | None:
    """The factor between each row of truncated weights and of the full network. None if a row is not truncated from it.

    Weights in the middle between two truncated codes may have either of them, depending on the last bit of a rounding
    or on the sign of a factor that is multiplied with them. Most of them have that of the full network.

    Args:
        rows: The weights of the member, (output channels, weights of each).
        full_rows: Those of the full network, cut to the same shape.
        codes: The truncated codes of the full network, which are never 0.
        steps: The scale of these in each row.
    """
    found = []
    for part in _parts(rows):
        whole = codes[part] * steps[part, None]
        own = rows[part].astype(np.float64)
        factors = np.median(own / whole, axis=1)
        if not (factors > 0).all():
            return None
        places = own / (factors * steps[part])[:, None]
        on_grid = np.abs(places - truncated_codes(places)) <= TRUNCATION_GRID
        is_near = np.abs(places - full_rows[part] / steps[part, None]) <= HALF_STEP
        if not (on_grid & is_near).all():
            return None
        found.append(factors)
    return np.concatenate(found)


def _are_rounded(rows: npt.NDArray[Any], integers: npt.NDArray[np.int8], steps: FloatArray) -> bool:
    """Whether integers times the step of each row are weights that were rounded."""
    return all(
        bool((np.abs(integers[part] * steps[part, None] - rows[part]) <= STEP * steps[part, None]).all())
        for part in _parts(rows)
    )


def _parts(rows: npt.NDArray[Any]) -> Iterator[slice]:
    """Slices of rows that are small enough to be copied in double precision."""
    length = max(1, PART_ELEMENTS // max(1, rows.shape[1]))
    return (slice(start, start + length) for start in range(0, len(rows), length))


def _rows(kernel: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)


def _replace(model: Any, graph: Any, at: int, operator: FileOperator, fit: _Fit) -> None:
    tensor = graph.tensors[operator.inputs[WEIGHTS]]
    integers = fit.integers.reshape(-1)
    give_content(model, tensor, pack4(integers) if tensor.type == INT4 else integers.view(np.uint8))
    give_scales(tensor, fit.scales, channel_axis(operator.kind))
    if fit.bias is not None:
        replace_bias(model, graph, graph.operators[at], fit.bias, fit.bias_scales)
