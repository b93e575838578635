"""Counting of costs. Each cost is a form: a function of the widths of the channel groups."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError
from reds_core.network.axis import Axis, LinearForm
from reds_core.network.description import Network, Weight, WeightKind

BITS_PER_BYTE = 8
DEFAULT_ELEMENT_SIZE_BYTES = 1
ELEMENT_SIZES_BYTES = (1, 4)
"""The sizes of an int8 and a float32 element in bytes."""


@dataclass(frozen=True)
class SumForm:
    """A polynomial of degree 2: constant + sum of coefficient x width + sum of coefficient x width x width.

    Attributes:
        constant: the constant term.
        linear: coefficients by group.
        products: coefficients by pair of groups (a, b); (a, a) is a square.
        packed: sizes that are rounded up to whole bytes one by one and added, such as those of weights whose elements
            do not have a whole number of bytes.
        executed: what is used only if a group has any channels, by the name of the group. Otherwise the residual branch
            that the group is inside is not executed.
    """

    constant: int = 0
    linear: Mapping[str, int] = field(default_factory=dict)
    products: Mapping[tuple[str, str], int] = field(default_factory=dict)
    packed: tuple[PackedSize, ...] = ()
    executed: Mapping[str, SumForm] = field(default_factory=dict)

    def at(self, widths: Mapping[str, int]) -> int:
        """The usage of the resource if group g has `widths[g]` channels."""
        total = self.constant + sum(c * int(widths[g]) for g, c in self.linear.items())
        total += sum(c * int(widths[a]) * int(widths[b]) for (a, b), c in self.products.items())
        total += sum(size.at(widths) for size in self.packed)
        return total + sum(form.at(widths) for group, form in self.executed.items() if widths[group])

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it depends on, apart from packed sizes and from what is used only if a group has channels."""
        return frozenset((*self.linear, *(group for pair in self.products for group in pair)))

    @property
    def all_groups(self) -> frozenset[str]:
        """The groups that it depends on in any way."""
        parts = (*(size.amount for size in self.packed), *self.executed.values())
        return self.groups.union(self.executed, *(part.all_groups for part in parts))


@dataclass(frozen=True)
class PackedSize:
    """A size in bytes that is rounded up: an amount, such as a number of bits, divided by how much of it is a byte.

    The divisor keeps amounts whole. Where 30 % of the elements of a kernel of 4 bits are stored, each element adds
    4 x 30, and 8 x 100 are a byte.

    Attributes:
        amount: the amount, without packed sizes of its own.
        per_byte: how much of it is one byte.
    """

    amount: SumForm
    per_byte: int = BITS_PER_BYTE

    def at(self, widths: Mapping[str, int]) -> int:
        """The size in bytes if group g has `widths[g]` channels."""
        return -(-self.amount.at(widths) // self.per_byte)


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


@dataclass(frozen=True, eq=False)
class GroupTables:
    """A sum of a constant and a table for each group, for what is used during a step without a formula.

    Attributes:
        constant: the constant term.
        groups: tables by group, int64 (channels,). What width w uses is at index w - 1.
    """

    constant: int
    groups: Mapping[str, IntArray]

    def at(self, widths: Mapping[str, int]) -> int:
        """Return the value if group g has `widths[g]` channels."""
        return self.constant + sum(int(table[widths[g] - 1]) for g, table in self.groups.items())

    def least(self, options: Mapping[str, IntArray]) -> int:
        """Return the least value over all choices of widths in `options`, by group."""
        return self.constant + sum(int(table[options[g] - 1].min()) for g, table in self.groups.items())


PeakTerm = LinearForm | RoundedSum | GroupTables
"""What is used during one step."""


@dataclass(frozen=True)
class ExecutedStep:
    """What is used during one step that takes place, or uses that much, only if some groups have any channels.

    Attributes:
        step: what is used.
        groups: the names of the groups.
    """

    step: PeakTerm
    groups: frozenset[str]


@dataclass(frozen=True)
class PeakForm:
    """The maximum of `steps`, and of those of `executed` whose groups have channels."""

    steps: tuple[PeakTerm, ...]
    executed: tuple[ExecutedStep, ...] = ()

    def at(self, widths: Mapping[str, int]) -> int:
        """The usage of the resource if group g has `widths[g]` channels."""
        steps = [*self.steps, *(each.step for each in self.executed if all(widths[g] for g in each.groups))]
        return max((s.at(widths) for s in steps), default=0)


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
        parts = (form, *(size.amount for size in form.packed), *form.executed.values())
        return {(a, b) for part in parts for a, b in part.products if a != b}
    return set(form.pairs) if isinstance(form, TableForm) else set()


def summed(forms: Iterable[SumForm]) -> SumForm:
    """Return the sum of forms."""
    constant = 0
    packed: list[PackedSize] = []
    executed: dict[str, list[SumForm]] = {}
    linear: dict[str, int] = {}
    products: dict[tuple[str, str], int] = {}
    for form in forms:
        constant += form.constant
        packed += form.packed
        for group, c in form.linear.items():
            linear[group] = linear.get(group, 0) + c
        for pair, c in form.products.items():
            products[pair] = products.get(pair, 0) + c
        for group, part in form.executed.items():
            executed.setdefault(group, []).append(part)
    return SumForm(constant, linear, products, tuple(packed), {g: summed(parts) for g, parts in executed.items()})


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
        coefficient: the coefficient, in base units of the resource divided by `per_unit`.
        factors: axes, of which at most two depend on widths.
        per_unit: by what the product is divided and rounded up, such as 8 for a size in bits that is counted in bytes.
    """

    layer: int
    coefficient: int
    factors: tuple[Axis, ...]
    per_unit: int = 1


def terms_form(network: Network, terms: Iterable[CostTerm]) -> SumForm:
    """Return the sum of cost terms as a form in the group widths."""
    whole, packed = [], []
    for term in terms:
        if term.per_unit == 1:
            whole.append((term.coefficient, term.factors))
            continue
        fixed = math.prod(axis.length().constant for axis in term.factors if not axis.groups())
        moving = tuple(axis for axis in term.factors if axis.groups())
        if term.coefficient * fixed % term.per_unit == 0:
            whole.append((term.coefficient * fixed // term.per_unit, moving))
        else:
            packed.append(PackedSize(product_sum(network, [(term.coefficient * fixed, moving)]), term.per_unit))
    return replace(product_sum(network, whole), packed=tuple(packed))


def first_calls(network: Network) -> Mapping[int, int]:
    """Return, for each weight that some call uses, the index of the first such call."""
    first: dict[int, int] = {}
    for call, layer in enumerate(network.layers):
        for weight in layer.weights:
            first.setdefault(weight, call)
    return first


def bits_of(weight: Weight, element_size_bytes: int) -> int:
    """Return the number of bits of each element of a weight."""
    return element_size_bytes * BITS_PER_BYTE if weight.bits is None else weight.bits


def size_term(call: int, weight: Weight, element_size_bytes: int) -> CostTerm:
    """Return the size in bytes of the elements of a weight that a device stores, as a term of a call of a layer."""
    bits = bits_of(weight, element_size_bytes)
    if weight.density_percent == 100:
        return CostTerm(call, bits, weight.axes, BITS_PER_BYTE)
    return CostTerm(call, bits * weight.density_percent, weight.axes, BITS_PER_BYTE * 100)


def macs_terms(network: Network) -> Iterator[CostTerm]:
    """Yield the multiply-accumulates of each call of a layer."""
    for call, layer in enumerate(network.layers):
        for term in layer.macs:
            yield CostTerm(call, term.coefficient, term.factors)


def params_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield the size of each weight. Weights that no call uses belong to the last one."""
    first = first_calls(network)
    for index, weight in enumerate(network.weights):
        yield size_term(first.get(index, len(network.layers) - 1), weight, element_size_bytes)


def bops_terms(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> Iterator[CostTerm]:
    """Yield the bit operations of each call: its multiply-accumulates x bits of its weights x bits of its inputs.

    Kernels of different precision in one layer count with the highest, and a product of two activations with their
    bits in place of those of weights. Codes of values count with the bits of the values, because a device looks them up
    before it multiplies. Multiply-accumulates with weights that are zero count like all others, because
    only some devices skip them.
    """
    default = element_size_bytes * BITS_PER_BYTE
    for call, layer in enumerate(network.layers):
        inputs = max((default if (b := network.tensors[t].bits) is None else b for t in layer.inputs), default=default)
        kernels = [w for w in (network.weights[i] for i in layer.weights) if w.kind is WeightKind.KERNEL]
        weights = max((w.value_bits or bits_of(w, element_size_bytes) for w in kernels), default=inputs)
        for term in layer.macs:
            yield CostTerm(call, term.coefficient * inputs * weights, term.factors)


def macs(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> SumForm:
    """Return the multiply-accumulates of one inference with a batch size of 1, whatever the element size."""
    return terms_form(network, macs_terms(network))


def params(network: Network, element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES) -> SumForm:
    """Return the size of all weights in bytes, including weights that are not trained.

    Elements have the bits of their weight, or the element size, and a weight of which only a part is stored counts with
    that part. Each weight is rounded up to whole bytes.
    """
    return terms_form(network, params_terms(network, element_size_bytes))


def check_element_size(element_size_bytes: int) -> None:
    """Refuse element sizes that no exported file has.

    Raises:
        InputError: if the size is neither 1 nor 4.
    """
    if element_size_bytes not in ELEMENT_SIZES_BYTES:
        raise InputError(f"element size {element_size_bytes} is neither 1 nor 4", "give 1 (int8) or 4 (float32)")
