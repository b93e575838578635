"""The description of a chain of layers that takes the place of one layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reds_core.network import Axis, Fixed, Layer, MacsTerm, Tensor, Weight, WeightKind
from reds_core.transforms import LayerPart
from reds_low_rank.schemes import Factor

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where the channels of the tensors of a layer are.

    Attributes:
        channels: The index of the channel dimension, 0 or -1.
        before: The sizes of the input along the other dimensions.
        after: The sizes of the output along them.
    """

    channels: int
    before: Sizes
    after: Sizes

    @property
    def dimension(self) -> int:
        """The index of the channel dimension, counted from the end."""
        return -1 if self.channels == -1 else -1 - len(self.after)

    def shape(self, sizes: Sizes, channels: int) -> Sizes:
        """Return the shape of a tensor with these sizes and channels."""
        return (*sizes, channels) if self.channels == -1 else (channels, *sizes)


def layouts(call: Layer, tensors: Sequence[Tensor], kernel: Weight) -> tuple[Layout, ...]:
    """Return where the channels of a call can be, given the numbers of channels of its kernel.

    It is none if the layer is not a dense layer or a convolution without groups, and more than one if the shapes do not
    tell.
    """
    read, made = call.input_shape, call.output_shape
    if kernel.output_axis != len(kernel.axes) - 1 or [term.factors for term in call.macs] != [kernel.axes[-2:]]:
        return ()
    if len(kernel.shape) < 2 or not read or len(read) != len(made) or None in (*read, *made):
        return ()
    if len(kernel.shape) > 2 and len(kernel.shape) != len(read) + 1:
        return ()
    known = {tensor.dimension for tensor in (tensors[call.inputs[0]], tensors[call.outputs[0]]) if tensor.axis.groups()}
    found = []
    for channels in (-1,) if len(kernel.shape) == 2 or len(read) == 1 else (-1, 0):
        if (read[channels], made[channels]) == kernel.shape[-2:]:
            layout = Layout(channels, _others(read, channels), _others(made, channels))
            if len(kernel.shape) == 2 or not known or layout.dimension in known:
                found.append(layout)
    return tuple(found) if len({(layout.before, layout.after) for layout in found}) > 1 else tuple(found[:1])


def chained(part: LayerPart, factors: Sequence[Factor]) -> LayerPart:
    """Return a part with a chain of layers in place of each call of its layer.

    The layers of the chain are named after the layer. The last has its bias and activation. Along each spatial axis,
    the first layer whose kernel is as long as that of the layer has its stride and dilation.

    Args:
        part: The calls of a dense layer or of a convolution.
        factors: The kernels, first to last.
    """
    site = part.layers[0].name
    names = [f"{site}/rank_{number}" for number in range(1, len(factors) + 1)]
    (at,) = (index for index, weight in enumerate(part.weights) if weight.kind is WeightKind.KERNEL)
    kernel = part.weights[at]
    kernels = [_kernel(kernel, name, factor) for name, factor in zip(names, factors, strict=True)]
    weights = [*(_moved(weight, names[-1]) for weight in part.weights), *kernels[:-1]]
    weights[at] = kernels[-1]
    places = [*range(len(part.weights), len(weights)), at]
    layers: list[Layer] = []
    tensors = list(part.tensors)
    for call in part.layers:
        (layout,) = layouts(call, part.tensors, kernel)
        read, shape = call.inputs[0], call.input_shape
        taken = [False] * len(kernel.shape[:-2])
        for name, factor, place in zip(names, factors, places, strict=True):
            taken = [
                done or own == whole for done, own, whole in zip(taken, factor.spatial, kernel.shape, strict=False)
            ]
            sizes = _sizes(layout, taken)
            macs = (MacsTerm(math.prod(sizes) * math.prod(factor.spatial), _axes(kernel, factor)),)
            layer = replace(call, name=name, macs=macs, inputs=(read,), input_shape=shape)
            if factor.makes is not None:
                tensors.append(Tensor(math.prod(sizes), Fixed(factor.makes), len(tensors), layout.dimension))
                read, shape = len(tensors) - 1, layout.shape(sizes, factor.makes)
                layer = replace(layer, weights=(place,), outputs=(read,), output_shape=shape, is_activated=False)
            layers.append(layer)
    return LayerPart(tuple(layers), tuple(tensors), tuple(weights))


def _sizes(layout: Layout, taken: Sequence[bool]) -> Sizes:
    if not taken:  # a dense layer leaves all other dimensions alone
        return layout.after
    return tuple(
        after if done else before for before, after, done in zip(layout.before, layout.after, taken, strict=True)
    )


def _kernel(of: Weight, layer: str, factor: Factor) -> Weight:
    """Return the kernel of one layer of a chain."""
    inputs, outputs = of.shape[-2:]
    reads, makes = (
        (inputs if factor.reads is None else factor.reads),
        (outputs if factor.makes is None else factor.makes),
    )
    axes = (*map(Fixed, factor.spatial), *_axes(of, factor))
    return replace(_moved(of, layer), axes=axes, shape=(*factor.spatial, reads, makes))


def _moved(weight: Weight, layer: str) -> Weight:
    """Return a weight as that of another layer."""
    return replace(weight, name=f"{layer}{weight.name.removeprefix(weight.layer)}", layer=layer)


def _axes(of: Weight, factor: Factor) -> tuple[Axis, Axis]:
    reads, makes = of.axes[-2:]
    return (
        reads if factor.reads is None else Fixed(factor.reads),
        makes if factor.makes is None else Fixed(factor.makes),
    )


def _others(shape: Sequence[int | None], channels: int) -> Sizes:
    kept = shape[:-1] if channels == -1 else shape[1:]
    return tuple(size or 0 for size in kept)
