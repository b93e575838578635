"""What a device keeps of the weights of a network: integers, biases, and the scales of the integers.

Files of quantised networks hold them differently from the layers of a model. A batch norm becomes part of the kernel
and the bias of the layer that feeds it, and convolutions always have biases. What is counted here is what converters
for devices write for convolutions of every kind, fully connected layers and batch norms. Other layers count as their
weights are, with biases of 4 bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from reds_core.cost.counting import (
    BITS_PER_BYTE,
    DEFAULT_ELEMENT_SIZE_BYTES,
    CostTerm,
    bits_of,
    first_calls,
    size_term,
)
from reds_core.network.axis import Axis
from reds_core.network.description import Layer, Network, Weight, WeightKind

_WORD_BYTES = 4
"""The size of a bias (int32 or float32) and of a scale (float32)."""
_QUANTISED_BITS = 8
"""Kernels of at most this number of bits are integers, with a scale for each output channel."""
_NORMS = {WeightKind.SCALE, WeightKind.OFFSET, WeightKind.STATISTIC}


def weight_bytes_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield what a device keeps of each weight: packed elements, biases of 4 bytes, and a scale a channel of kernels.

    Of a weight with a density, only that share of the elements is kept. A kernel of more than 8 bits has no scales.
    Weights that no call uses are not kept.

    Args:
        network: The description of the network.
        element_size_bytes: The size of elements of weights that have no bits of their own.
    """
    fused = _Fusion(network)
    first = first_calls(network)
    for call, layer in enumerate(network.layers):
        own = [network.weights[w] for w in layer.weights if first[w] == call]
        if _is_batch_norm(network, layer):
            if own and call not in fused.norms:  # a multiplication and an addition by constants
                yield CostTerm(call, 2 * bits_of(own[0], element_size_bytes), own[0].axes, BITS_PER_BYTE)
            continue
        operations = fused.operations[call]
        for weight in own:
            if weight.kind is WeightKind.BIAS:
                if not operations:
                    yield CostTerm(call, _WORD_BYTES, weight.axes)
                continue
            yield size_term(call, weight, element_size_bytes)
            if weight.kind is WeightKind.KERNEL and bits_of(weight, element_size_bytes) <= _QUANTISED_BITS:
                yield CostTerm(call, _WORD_BYTES, tuple(weight.axes[axis] for axis in weight.scales_along))
        for index, operation in enumerate(operations):
            is_last = index == len(operations) - 1
            if operation.is_convolution or (is_last and call in fused.biased):
                yield CostTerm(call, _WORD_BYTES, (operation.outputs,))


@dataclass(frozen=True)
class _Operation:
    """A convolution, a transposed convolution or a fully connected operation.

    Attributes:
        outputs: The axis of its output channels.
        is_convolution: Whether it is a convolution, which has a bias even if its layer has none.
        is_connected: Whether it is fully connected.
    """

    outputs: Axis
    is_convolution: bool
    is_connected: bool


class _Fusion:
    """Which batch norms and biases become part of other operations.

    A fully connected operation with a bias takes in what comes directly before it and acts on each channel: a batch
    norm, and the bias of another fully connected operation. Any other batch norm becomes part of the operation that
    feeds it and nothing else.

    Attributes:
        operations: For each call, its operations; empty for layers of other kinds.
        norms: The calls of batch norms that become part of operations.
        biased: The calls whose last operation has a bias because of a weight or of a batch norm.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.operations = tuple(_operations(network, layer) for layer in network.layers)
        self.norms: set[int] = set()
        self.biased = {
            call
            for call, layer in enumerate(network.layers)
            if any(network.weights[w].kind is WeightKind.BIAS for w in layer.weights)
        }
        self._same: dict[int, int] = {}
        self._maker: dict[int, int] = {}
        self._readers: dict[int, list[int]] = {}
        self._calls = Counter(layer.name for layer in network.layers)
        for call, layer in enumerate(network.layers):
            if layer.is_identity:
                self._same[layer.outputs[0]] = self._plain(layer.inputs[0])
                continue
            self._maker.update(dict.fromkeys(layer.outputs, call))
            for tensor in layer.inputs:
                self._readers.setdefault(self._plain(tensor), []).append(call)
        self._outputs = {self._plain(tensor) for tensor in network.outputs}
        for call in reversed(range(len(network.layers))):
            if call in self.biased and self._is_connected(call):
                self._take_in(call)
        for call, layer in enumerate(network.layers):
            if call not in self.norms and _is_batch_norm(network, layer):
                source = self._source(call)
                while source in self.norms:  # batch norms in a row
                    source = self._source(source)
                if source is not None and self.operations[source] and self._is_linear(source):
                    self.norms.add(call)
                    self.biased.add(source)

    def _take_in(self, call: int) -> None:
        """Let a fully connected operation with a bias take in what comes before it."""
        source = self._source(call)
        if source is not None and _is_batch_norm(self._network, self._network.layers[source]):
            self.norms.add(source)
            source = self._source(source)
        if source is not None and self._is_connected(source) and self._is_linear(source):
            self.biased.discard(source)

    def _source(self, call: int) -> int | None:
        """The call that makes the first input of `call` and feeds nothing else."""
        tensor = self._plain(self._network.layers[call].inputs[0])
        is_shared = self._readers[tensor] != [call] or tensor in self._outputs
        return None if is_shared else self._maker.get(tensor)

    def _plain(self, tensor: int) -> int:
        return self._same.get(tensor, tensor)

    def _is_connected(self, call: int) -> bool:
        return any(operation.is_connected for operation in self.operations[call])

    def _is_linear(self, call: int) -> bool:
        """Whether what follows a call can become part of it: no function comes between, and no other call shares it."""
        layer = self._network.layers[call]
        return not layer.is_activated and self._calls[layer.name] == 1


def _is_batch_norm(network: Network, layer: Layer) -> bool:
    """Whether a call normalises by statistics that are weights, which is linear."""
    kinds = {network.weights[w].kind for w in layer.weights}
    return WeightKind.STATISTIC in kinds and kinds <= _NORMS


def _describes_storage(weight: Weight) -> bool:
    """Whether a transform added a weight to say how a kernel is stored, such as a mask of its zeros or a codebook."""
    return weight.kind is WeightKind.OTHER and weight.bits is not None


def _operations(network: Network, layer: Layer) -> tuple[_Operation, ...]:
    """The operations of a convolution or a fully connected layer, in order. Empty for any other layer."""
    weights = [weight for weight in (network.weights[w] for w in layer.weights) if not _describes_storage(weight)]
    kernels = [weight for weight in weights if weight.kind is WeightKind.KERNEL]
    if {w.kind for w in weights} - {WeightKind.KERNEL, WeightKind.BIAS} or len(layer.macs) != len(kernels):
        return ()
    depthwise = [len(term.factors) == 1 for term in layer.macs]
    if len(kernels) > 2 or (len(kernels) == 2 and depthwise != [True, False]):
        return ()
    found = []
    for kernel, term, each_alone in zip(kernels, layer.macs, depthwise, strict=True):
        is_transposed = not each_alone and kernel.output_axis != len(kernel.axes) - 1
        rank = len(kernel.axes)
        found.append(_Operation(term.factors[-1], rank > 2 and not is_transposed, rank == 2))
    return tuple(found)
