"""What a device keeps of the weights of a network: integers, biases, and the scales of the integers.

Files of quantised networks hold them differently from the layers of a model. A batch norm becomes part of the kernel
and the bias of the layer that feeds it, and convolutions always have biases. What is counted here is what converters
for devices write for convolutions of every kind, fully connected layers and batch norms. Other layers count as their
weights are, with biases of 4 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reds_core.cost.counting import BITS_PER_BYTE, DEFAULT_ELEMENT_SIZE_BYTES, CostTerm, first_calls
from reds_core.network.axis import Axis
from reds_core.network.description import Layer, Network, Weight, WeightKind

_WORD_BYTES = 4
"""The size of a bias (int32 or float32) and of a scale (float32)."""
_QUANTISED_BITS = 8
"""Kernels of at most so many bits are integers, with a scale for each output channel."""
_NORMS = {WeightKind.SCALE, WeightKind.OFFSET, WeightKind.STATISTIC}


def weight_bytes_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield what a device keeps of each weight: packed elements, biases of 4 bytes, and a scale a channel of kernels.

    A kernel of more than 8 bits has no scales. Weights that no call uses are not kept.

    Args:
        network: The description of the network.
        element_size_bytes: The size of elements of weights that have no bits of their own.
    """
    folded = _folded_norms(network)
    first = first_calls(network)
    fed_norms = set(folded.values())
    for call, layer in enumerate(network.layers):
        own = [network.weights[w] for w in layer.weights if first[w] == call]
        if _is_batch_norm(network, layer):
            if call not in folded and own:  # a multiplication and an addition by constants
                yield CostTerm(call, 2 * _bits(own[0], element_size_bytes), own[0].axes, in_bits=True)
            continue
        operations = _operations(network, layer)
        for weight in own:
            bits = _bits(weight, element_size_bytes)
            if weight.kind is WeightKind.BIAS:
                if not operations:
                    yield CostTerm(call, _WORD_BYTES, weight.axes)
                continue
            yield CostTerm(call, bits, weight.axes, in_bits=True)
            if weight.kind is WeightKind.KERNEL and bits <= _QUANTISED_BITS:
                yield CostTerm(call, _WORD_BYTES, tuple(weight.axes[axis] for axis in weight.scales_along))
        has_bias = call in fed_norms or any(network.weights[w].kind is WeightKind.BIAS for w in layer.weights)
        for index, operation in enumerate(operations):
            if operation.always_biased or (has_bias and index == len(operations) - 1):
                yield CostTerm(call, _WORD_BYTES, (operation.outputs,))


@dataclass(frozen=True)
class _Operation:
    """A convolution or a fully connected operation.

    Attributes:
        outputs: The axis of its output channels.
        always_biased: Whether it has a bias even if its layer has none.
    """

    outputs: Axis
    always_biased: bool


def _bits(weight: Weight, element_size_bytes: int) -> int:
    return element_size_bytes * BITS_PER_BYTE if weight.bits is None else weight.bits


def _is_batch_norm(network: Network, layer: Layer) -> bool:
    """Whether a call normalises by statistics that are weights, which is linear."""
    kinds = {network.weights[w].kind for w in layer.weights}
    return WeightKind.STATISTIC in kinds and kinds <= _NORMS


def _operations(network: Network, layer: Layer) -> tuple[_Operation, ...]:
    """The operations of a convolution or a fully connected layer, in order. Empty for any other layer."""
    kernels = [network.weights[w] for w in layer.weights if network.weights[w].kind is WeightKind.KERNEL]
    others = {network.weights[w].kind for w in layer.weights} - {WeightKind.KERNEL, WeightKind.BIAS}
    if others or len(layer.macs) != len(kernels) or len(kernels) not in (1, 2):
        return ()
    found = []
    for kernel, term in zip(kernels, layer.macs, strict=True):
        depthwise = len(term.factors) == 1
        last = len(kernel.axes) - 1
        outputs = term.factors[-1]
        if not depthwise and kernel.output_axis is None:
            return ()
        if len(kernels) == 2 and depthwise != (kernel is kernels[0]):
            return ()
        transposed = not depthwise and kernel.output_axis != last
        found.append(_Operation(outputs, always_biased=len(kernel.axes) > 2 and not transposed))
    return tuple(found)


def _folded_norms(network: Network) -> dict[int, int]:
    """For each batch norm that becomes part of the layer that feeds it and nothing else: its call and that layer's."""
    maker = {t: call for call, layer in enumerate(network.layers) for t in layer.outputs}
    readers: dict[int, list[int]] = {}
    calls: dict[str, int] = {}
    for call, layer in enumerate(network.layers):
        calls[layer.name] = calls.get(layer.name, 0) + 1
        for t in layer.inputs:
            readers.setdefault(t, []).append(call)
    folded = {}
    for call, layer in enumerate(network.layers):
        if not _is_batch_norm(network, layer):
            continue
        source = layer.inputs[0]
        feeds = maker.get(source)
        if feeds is None or readers[source] != [call] or source in network.outputs:
            continue
        if _operations(network, network.layers[feeds]) and calls[network.layers[feeds].name] == 1:
            folded[call] = feeds
    return folded
