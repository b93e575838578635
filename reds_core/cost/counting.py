"""Counting of costs. Each cost is a form: a function of the widths of the channel groups."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError
from reds_core.network.axis import Axis, LinearForm
from reds_core.network.description import Network, Tensor, WeightKind

BITS_PER_BYTE = 8
DEFAULT_ELEMENT_SIZE_BYTES = 1
ELEMENT_SIZES_BYTES = (1, 4)
"""The sizes of an int8 and a float32 element in bytes."""
ARENA_ALIGNMENT_BYTES = 16
"""The alignment of tensors in the arena of a runtime."""


@dataclass(frozen=True)
class SumForm:
    """A polynomial of degree 2: constant + sum of coefficient x width + sum of coefficient x width x width.

    Attributes:
        constant: the constant term.
        linear: coefficients by group.
        products: coefficients by pair of groups (a, b); (a, a) is a square.
        packed: sizes in bits, each of which is rounded up to whole bytes and added: weights of less than a byte, or
            of no whole number of bytes, for each element.
    """

    constant: int = 0
    linear: Mapping[str, int] = field(default_factory=dict)
    products: Mapping[tuple[str, str], int] = field(default_factory=dict)
    packed: tuple[SumForm, ...] = ()

    def at(self, widths: Mapping[str, int]) -> int:
        """The usage of the resource if group g has `widths[g]` channels."""
        total = self.constant + sum(c * int(widths[g]) for g, c in self.linear.items())
        total += sum(c * int(widths[a]) * int(widths[b]) for (a, b), c in self.products.items())
        return total + sum(-(-bits.at(widths) // BITS_PER_BYTE) for bits in self.packed)

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it depends on, apart from packed sizes."""
        return frozenset((*self.linear, *(group for pair in self.products for group in pair)))


@dataclass(frozen=True)
class RoundedSum:
    """A sum of linear forms, each of which is rounded up to a multiple of a number.

    Attributes:
        parts: the forms, in a canonical order.
        multiple: the number.
    """

    parts: tuple[LinearForm, ...]
    multiple: int

    def at(self, widths: Mapping[str, int]) -> int:
        """Return the value if group g has `widths[g]` channels."""
        return sum(-(-part.at(widths) // self.multiple) * self.multiple for part in self.parts)


PeakTerm = LinearForm | RoundedSum
"""What is used during one step."""


@dataclass(frozen=True)
class PeakForm:
    """The maximum of `steps`."""

    steps: tuple[PeakTerm, ...]

    def at(self, widths: Mapping[str, int]) -> int:
        """The usage of the resource if group g has `widths[g]` channels."""
        return max((s.at(widths) for s in self.steps), default=0)


@dataclass(frozen=True)
class TableForm:
    """The sum of a constant, a table for each group and a table for each pair of groups, for costs without a formula.

    Attributes:
        constant: the constant term.
        groups: tables by group, int64 (channels,). The cost of width w is at index w - 1.
        pairs: tables by pair of groups, int64 (channels of a, channels of b), where a precedes b in the network.
    """

    constant: int
    groups: Mapping[str, IntArray]
    pairs: Mapping[tuple[str, str], IntArray]

    def at(self, widths: Mapping[str, int]) -> int:
        """The usage of the resource if group g has `widths[g]` channels."""
        total = self.constant + sum(int(table[widths[g] - 1]) for g, table in self.groups.items())
        return total + sum(int(table[widths[a] - 1, widths[b] - 1]) for (a, b), table in self.pairs.items())

    def least(self, options: Mapping[str, IntArray]) -> int:
        """Return a lower bound over all choices of widths in `options`, by group: the sum of each table's minimum."""
        total = self.constant + sum(int(table[options[g] - 1].min()) for g, table in self.groups.items())
        tables = (table[np.ix_(options[a] - 1, options[b] - 1)] for (a, b), table in self.pairs.items())
        return total + sum(int(table.min()) for table in tables)


ResourceForm = SumForm | PeakForm | TableForm


def joined_groups(form: ResourceForm) -> set[tuple[str, str]]:
    """Return the pairs of different groups whose widths occur in the same term of `form`."""
    if isinstance(form, SumForm):
        return {(a, b) for part in (form, *form.packed) for a, b in part.products if a != b}
    return set(form.pairs) if isinstance(form, TableForm) else set()


class _SumBuilder:
    """Accumulates products of axis lengths in a SumForm."""

    def __init__(self, network: Network) -> None:
        self._rank = {g.name: i for i, g in enumerate(network.groups)}
        self._constant = 0
        self._linear: dict[str, int] = {}
        self._products: dict[tuple[str, str], int] = {}

    def add(self, coefficient: int, factors: Iterable[Axis]) -> None:
        """Add coefficient x the product of the factors' lengths, of which at most two may depend on widths."""
        moving = []
        for axis in factors:
            form = axis.length()
            if form.coefficients:
                moving.append(form)
            else:
                coefficient *= form.constant
        if len(moving) > 2:
            raise AssertionError("a cost is a product of more than two pruned axes")
        one = LinearForm(1)
        first, second = [*moving, one, one][:2]
        self._constant += coefficient * first.constant * second.constant
        for form, other in ((first, second), (second, first)):
            for group, c in form.coefficients:
                amount = coefficient * c * other.constant
                if amount:
                    self._linear[group] = self._linear.get(group, 0) + amount
        for a, c in first.coefficients:
            for b, d in second.coefficients:
                amount = coefficient * c * d
                if amount:
                    key = (a, b) if self._rank[a] <= self._rank[b] else (b, a)
                    self._products[key] = self._products.get(key, 0) + amount

    def form(self) -> SumForm:
        return SumForm(self._constant, self._linear, self._products)


def product_sum(network: Network, products: Iterable[tuple[int, Sequence[Axis]]]) -> SumForm:
    """Return the sum of coefficient x the product of axis lengths over `products`, as a form in the group widths."""
    builder = _SumBuilder(network)
    for coefficient, factors in products:
        builder.add(coefficient, factors)
    return builder.form()


@dataclass(frozen=True)
class CostTerm:
    """What one call of a layer adds to a resource: coefficient x the product of the lengths of the factors.

    Attributes:
        layer: the index of the call into `Network.layers`, the first one that uses what is counted.
        coefficient: the coefficient, in base units of the resource, or in bits if `in_bits`.
        factors: axes, of which at most two depend on widths.
        in_bits: whether the product is a size in bits, which is rounded up to whole bytes.
    """

    layer: int
    coefficient: int
    factors: tuple[Axis, ...]
    in_bits: bool = False


def terms_form(network: Network, terms: Iterable[CostTerm]) -> SumForm:
    """Return the sum of cost terms as a form in the group widths."""
    whole, packed = [], []
    for term in terms:
        if not term.in_bits:
            whole.append((term.coefficient, term.factors))
            continue
        fixed = math.prod(axis.length().constant for axis in term.factors if not axis.groups())
        moving = tuple(axis for axis in term.factors if axis.groups())
        if term.coefficient * fixed % BITS_PER_BYTE == 0:
            whole.append((term.coefficient * fixed // BITS_PER_BYTE, moving))
        else:
            packed.append(product_sum(network, [(term.coefficient * fixed, moving)]))
    return replace(product_sum(network, whole), packed=tuple(packed))


def first_calls(network: Network) -> Mapping[int, int]:
    """Return, for each weight that some call uses, the index of the first such call."""
    first: dict[int, int] = {}
    for call, layer in enumerate(network.layers):
        for weight in layer.weights:
            first.setdefault(weight, call)
    return first


def macs_terms(network: Network) -> Iterator[CostTerm]:
    """Yield the multiply-accumulates of each call of a layer."""
    for call, layer in enumerate(network.layers):
        for term in layer.macs:
            yield CostTerm(call, term.coefficient, term.factors)


def params_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield the size of each weight. Weights that no call uses belong to the last one."""
    first = first_calls(network)
    for index, weight in enumerate(network.weights):
        bits = element_size_bytes * BITS_PER_BYTE if weight.bits is None else weight.bits
        yield CostTerm(first.get(index, len(network.layers) - 1), bits, weight.axes, in_bits=True)


def bops_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield the bit operations of each call: its multiply-accumulates x bits of its weights x bits of its inputs.

    Kernels of different precision in one layer count with the highest, and a product of two activations with their
    bits in place of those of weights.
    """
    default = element_size_bytes * BITS_PER_BYTE
    for call, layer in enumerate(network.layers):
        inputs = max((default if (b := network.tensors[t].bits) is None else b for t in layer.inputs), default=default)
        kernels = [w for w in (network.weights[i] for i in layer.weights) if w.kind is WeightKind.KERNEL]
        weights = max((default if w.bits is None else w.bits for w in kernels), default=inputs)
        for term in layer.macs:
            yield CostTerm(call, term.coefficient * inputs * weights, term.factors)


def macs(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> SumForm:
    """Return the multiply-accumulates of one inference with a batch size of 1, whatever the element size."""
    return terms_form(network, macs_terms(network))


def params(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> SumForm:
    """Return the size of all weights in bytes, including weights that are not trained.

    Elements have the bits of their weight, or the element size. Each weight is rounded up to whole bytes.
    """
    return terms_form(network, params_terms(network, element_size_bytes))


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
    for call, sizes in _live_sizes(network, element_size_bytes):
        yield call, _total(sizes)


def arena_steps(
    network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
) -> Iterator[tuple[int, RoundedSum]]:
    """Yield what `peak_ram_steps` yields, with each activation rounded up to 16 bytes."""
    for call, sizes in _live_sizes(network, element_size_bytes):
        parts = sorted(map(_canonical, sizes), key=lambda part: (part.coefficients, part.constant))
        yield call, RoundedSum(tuple(parts), ARENA_ALIGNMENT_BYTES)


def _live_sizes(network: Network, element_size_bytes: int) -> Iterator[tuple[int, list[LinearForm]]]:
    """Yield the index of each call of a layer, or inner step, with the sizes of what is live while it runs."""
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
        yield i, [size[storage] for storage in live]
        before = [size[storage] for storage in live if storage not in made]
        for buffers in layer.inside:
            yield i, [*before, *(b.axis.length().times(b.elements * element_size_bytes) for b in buffers)]


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


def check_element_size(element_size_bytes: int) -> None:
    """Refuse element sizes that no exported file has.

    Raises:
        InputError: if the size is neither 1 nor 4.
    """
    if element_size_bytes not in ELEMENT_SIZES_BYTES:
        raise InputError(f"element size {element_size_bytes} is neither 1 nor 4", "give 1 (int8) or 4 (float32)")
