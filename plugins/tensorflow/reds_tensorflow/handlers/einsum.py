"""EinsumDense: a dense layer defined by an einsum equation."""

from __future__ import annotations

import re

from reds_core.network import Axis, Dims, Fixed, WeightKind
from reds_tensorflow.calls import Call

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?$")


def einsum_dense(call: Call) -> tuple[Dims, ...]:
    """EinsumDense. The last of its new output dimensions holds channels; the others are not pruned."""
    layer, shape = call.layer, call.output_shape
    match = _EQUATION.match(layer.equation)
    assert match is not None, "Keras accepts no other form of equation"
    dots_before, source, _, kernel, _, target, _ = match.groups()
    # The batch is either a letter of its own, or the first dimension of the ellipsis.
    dims: list[Axis] = [Fixed(1), *call.dims]
    sizes = [1, *shape]
    spare = len(dims) - len(source)
    before, after = (dims[:spare], []) if dots_before else ([], dims[len(source) :])
    named = dict(zip(source, dims[spare:] if dots_before else dims, strict=False))
    made = [letter for letter in target if letter not in named]
    lengths = dict(zip(target, sizes[spare:] if dots_before else sizes, strict=False))
    named.update({letter: Fixed(lengths[letter]) for letter in made})
    if made:
        named[made[-1]] = call.fresh(lengths[made[-1]])
    outputs = [*before, *(named[letter] for letter in target), *after]
    axes = tuple(named[letter] for letter in kernel)
    scaled = tuple(kernel.index(letter) for letter in made)
    call.kernel(layer.kernel, axes, kernel.index(made[-1]) if made else None, scale_axes=scaled)
    call.count(1, *before, *named.values(), *after)
    if layer.bias is not None:
        _bias(call, outputs)
    given = len(layer.partial_output_shape)
    called = outputs[1:][-given:] if dots_before else outputs[1:][:given]
    call.resize_shape("output_shape", tuple(called))
    call.activation(layer.activation, tuple(outputs[1:]))
    return (tuple(outputs[1:]),)


def _bias(call: Call, outputs: list[Axis]) -> None:
    """List the bias, which is aligned with the last output dimensions and has length 1 where it is broadcast."""
    bias = call.layer.bias
    met = outputs[len(outputs) - len(bias.shape) :]
    axes = tuple(axis if call.size(axis) == n else Fixed(1) for axis, n in zip(met, bias.shape, strict=True))
    moving = next((i for i, axis in reversed(list(enumerate(axes))) if axis.groups()), None)
    call.weight(bias, WeightKind.BIAS, axes, moving)
