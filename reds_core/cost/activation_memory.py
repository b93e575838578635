"""The memory that activations take while a network runs, as functions of the widths of the channel groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reds_core.cost.counting import (
    BITS_PER_BYTE,
    DEFAULT_ELEMENT_SIZE_BYTES,
    GroupTables,
    PeakForm,
    PeakTerm,
    RoundedSum,
)
from reds_core.network.axis import LinearForm
from reds_core.network.description import Network, Tensor

ARENA_ALIGNMENT_BYTES = 16
"""The alignment of tensors in the arena of a runtime."""


@dataclass(frozen=True)
class LiveActivation:
    """An activation that is in memory while a layer runs.

    Attributes:
        storage: the index of its memory, as in `Tensor.storage`; None for a buffer inside the layer that runs.
        size: its size in bytes.
    """

    storage: int | None
    size: LinearForm


def peak_ram(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> PeakForm:
    """Return the size of live activations in bytes, as the maximum over the layers in execution order.

    While a layer runs, its inputs and outputs are live, and so is every earlier tensor, including the network's input,
    that a later layer reads or that is an output of the network. Tensors that share a storage count once, with the
    largest size. During an inner step of a layer, the buffers of the step are live instead of the layer's outputs.

    Elements have the bits of their tensor, or the element size. Each channel is rounded up to whole bytes.
    """
    return peak_form(step for _, step in peak_ram_steps(network, element_size_bytes))


def arena(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> PeakForm:
    """Return what a runtime that aligns each tensor to 16 bytes sets aside for activations, in bytes.

    It is counted as by `peak_ram`, with the size of each storage and of each inner buffer rounded up to 16 bytes.
    """
    return peak_form(step for _, step in arena_steps(network, element_size_bytes))


def peak_form(steps: Iterable[PeakTerm]) -> PeakForm:
    """Return the maximum of steps, without those that others cover."""
    return PeakForm(_undominated(dict.fromkeys(steps)))


def peak_ram_steps(
    network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
) -> Iterator[tuple[int, LinearForm]]:
    """Yield the index of each call of a layer with the size of the activations that are live while it runs, in bytes.

    A call whose layer has inner steps is yielded once for each.
    """
    for call, live in live_activations(network, element_size_bytes):
        yield call, _total(each.size for each in live)


def arena_steps(
    network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
) -> Iterator[tuple[int, RoundedSum]]:
    """Yield what `peak_ram_steps` yields, with each activation rounded up to 16 bytes."""
    for call, live in live_activations(network, element_size_bytes):
        parts = sorted((_canonical(each.size) for each in live), key=lambda part: (part.coefficients, part.constant))
        yield call, RoundedSum(tuple(parts), ARENA_ALIGNMENT_BYTES)


def live_activations(
    network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
) -> Iterator[tuple[int, list[LiveActivation]]]:
    """Yield the index of each call of a layer with the activations that are live while it runs.

    A call whose layer has inner steps is yielded again for each of them.
    """
    storage_of = [t.storage for t in network.tensors]
    last_use: dict[int, int] = {}
    first_use: dict[int, int] = {storage_of[t]: 0 for t in network.inputs}
    for i, layer in enumerate(network.layers):
        for t in (*layer.inputs, *layer.outputs):
            last_use[storage_of[t]] = i
        for t in layer.outputs:
            first_use.setdefault(storage_of[t], i)
    for t in network.outputs:
        last_use[storage_of[t]] = len(network.layers)
    size = _storage_sizes(network, element_size_bytes)
    for i, layer in enumerate(network.layers):
        live = [storage for storage, first in first_use.items() if first <= i <= last_use.get(storage, first)]
        made = {storage_of[t] for t in layer.outputs} - {storage_of[t] for t in (*layer.inputs, *network.inputs)}
        yield i, [LiveActivation(storage, size[storage]) for storage in live]
        before = [LiveActivation(storage, size[storage]) for storage in live if storage not in made]
        for buffers in layer.inside:
            sizes = [buffer.axis.length().times(buffer.elements * element_size_bytes) for buffer in buffers]
            yield i, [*before, *(LiveActivation(None, each) for each in sizes)]


def _total(forms: Iterable[LinearForm]) -> LinearForm:
    """Return the sum of forms in a canonical order, so that equal sums compare equal."""
    total = LinearForm(0)
    for form in forms:
        total = total.plus(form)
    return _canonical(total)


def _canonical(form: LinearForm) -> LinearForm:
    return LinearForm(form.constant, tuple(sorted((g, c) for g, c in form.coefficients if c)))


def _storage_sizes(network: Network, element_size_bytes: int) -> dict[int, LinearForm]:
    """Return the size of each storage in bytes: that of the largest tensor in it."""
    sizes: dict[int, LinearForm] = {}
    for tensor in network.tensors:
        form = tensor.axis.length().times(_channel_bytes(tensor, element_size_bytes))
        known = sizes.get(tensor.storage)
        if known is None or form.at(network.channels) > known.at(network.channels):
            sizes[tensor.storage] = form
    return sizes


def _channel_bytes(tensor: Tensor, element_size_bytes: int) -> int:
    """Return the size of each channel of a tensor in bytes."""
    if tensor.bits is None:
        return tensor.positions * element_size_bytes
    return -(-tensor.positions * tensor.bits // BITS_PER_BYTE)


def covers(big: PeakTerm, small: PeakTerm) -> bool:
    """Return whether `big` is found to be at least `small` at every width, given that all coefficients are positive."""
    if isinstance(big, GroupTables) or isinstance(small, GroupTables):
        return False
    if isinstance(big, RoundedSum) or isinstance(small, RoundedSum):
        return isinstance(big, RoundedSum) and isinstance(small, RoundedSum) and _covers_parts(big, small)
    coefficients = dict(big.coefficients)
    return big.constant >= small.constant and all(c <= coefficients.get(g, 0) for g, c in small.coefficients)


def _covers_parts(big: RoundedSum, small: RoundedSum) -> bool:
    """Return whether each part of `small` finds a part of `big` of its own that covers it."""
    left = list(big.parts)
    for part in small.parts:
        found = part if part in left else next((other for other in left if covers(other, part)), None)
        if found is None:
            return False
        left.remove(found)
    return big.multiple == small.multiple


def _undominated(steps: Iterable[PeakTerm]) -> tuple[PeakTerm, ...]:
    """Remove duplicate steps, and steps that another covers at every width."""
    candidates = list(steps)
    return tuple(s for s in candidates if not any(o is not s and covers(o, s) for o in candidates))
