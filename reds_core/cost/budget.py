"""Parsing of budgets, and the capacities that they mean for a network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

from reds_core.cost.resources import RESOURCES, resource_named
from reds_core.errors import InputError
from reds_core.scales import PERCENT, read_typed


@dataclass(frozen=True)
class Amount:
    """One entry of a budget.

    Attributes:
        text: the entry as the user typed it, without spaces.
        number: a fraction of the full network, or an amount in base units.
        is_fraction: whether `number` is a fraction.
        has_unit: whether the entry was typed with a unit.
    """

    text: str
    number: Decimal
    is_fraction: bool
    has_unit: bool = False

    def capacity(self, full: int) -> int:
        """The most that a subnetwork may use if the full network uses `full`: floor(fraction x full), or the amount."""
        # Rational numbers are exact; Decimal rounds products to 28 digits.
        return math.floor(Fraction(self.number) * full) if self.is_fraction else int(self.number)

    @property
    def plain(self) -> float:
        """The number as it is stored in plans."""
        return float(self.number) if self.is_fraction or self.number % 1 else int(self.number)

    @property
    def name(self) -> str:
        """The name of a subnetwork with this entry: the fraction in percent, or the text as typed."""
        return f"{(self.number * 100).normalize():f}" if self.is_fraction else self.text


@dataclass(frozen=True)
class SubnetworkBudget:
    """The budget of one subnetwork.

    Attributes:
        name: the name of the subnetwork.
        amounts: the limit of each resource that has one.
    """

    name: str
    amounts: Mapping[str, Amount]

    def capacities(self, full: Mapping[str, int]) -> dict[str, int]:
        """The most of each limited resource that the subnetwork may use if the full network uses `full`."""
        return {r: a.capacity(full[r]) for r, a in self.amounts.items()}


def parse_amount(resource: str, text: str, what: str | None = None) -> Amount:
    """Parse one budget entry.

    A percentage, and a number of at most 1 without a unit, is a share of the full network; anything else is an amount.
    Units are read in any case.

    Args:
        resource: the name of the resource, as `resource_named` returns it.
        text: the entry.
        what: what the entry is, for messages; None for a budget.

    Raises:
        InputError: if the entry is malformed or not above 0, or if its unit does not fit the resource.
    """

    scale = RESOURCES[resource].scale

    def refuse(why: str) -> InputError:
        units = ", ".join(unit for unit in scale.typed if unit)
        return InputError(
            f"{f'budget {resource}=' if what is None else f'{what} '}{text} {why}",
            f"write a share such as 0.5 or 50%, or an amount in {units}",
        )

    typed = read_typed(text)
    if typed is None:
        raise refuse("is malformed")
    if typed.number <= 0:
        raise refuse("is not above 0")
    if typed.unit == PERCENT:
        if typed.number > 100:
            raise refuse("is above 100 % of the full network")
        return Amount(typed.text, typed.number / 100, is_fraction=True, has_unit=True)
    if not typed.unit and typed.number <= 1:
        return Amount(typed.text, typed.number, is_fraction=True)
    size = scale.unit_size(typed.unit)
    if size is None:
        raise refuse(f"has a unit '{typed.text[-len(typed.unit) :]}', which is not one of {resource}")
    amount = typed.number * size
    if amount > 2**62:
        raise refuse("is above 2^62")
    return Amount(typed.text, amount, is_fraction=False, has_unit=bool(typed.unit))


def parse_budgets(texts: Iterable[str]) -> tuple[SubnetworkBudget, ...]:
    """Parse budgets from `R=V[,V...]` texts.

    Lists of equal length are read in parallel. A single value applies to all subnetworks. Names of resources are read
    in any case.

    Raises:
        InputError: if a text is malformed, a resource is unknown or named twice, or the lists differ in length.
    """
    columns: dict[str, list[Amount]] = {}
    for text in texts:
        resource, equals, entries = text.partition("=")
        if not equals or not resource.strip() or not entries.strip():
            raise InputError(f"budget '{text}' is malformed", "write RESOURCE=VALUE[,VALUE...], such as macs=0.5,0.25")
        resource = resource_named(resource)
        if resource in columns:
            raise InputError(f"resource '{resource}' has two budgets", "list its values in one: macs=0.75,0.5")
        columns[resource] = [parse_amount(resource, entry) for entry in entries.split(",")]
    return _in_parallel(columns)


def budget_texts(amounts: Mapping[str, float | str | Iterable[float | str]]) -> tuple[str, ...]:
    """Convert Python values such as {"macs": [0.5, 0.25], "peak_ram": "64KiB"} to `R=V[,V...]` texts.

    Raises:
        InputError: if a value is neither a number nor a text, nor a sequence of them.
    """
    texts = []
    for resource, entries in amounts.items():
        listed = amounts_in(entries)
        if not all(isinstance(entry, str | Real) for entry in listed) or any(isinstance(e, bool) for e in listed):
            raise InputError(
                f"budget of '{resource}' is {entries!r}, which is not an amount",
                "give numbers, or texts such as '64KiB'",
            )
        texts.append(f"{resource}={','.join(str(entry) for entry in listed)}")
    return tuple(texts)


def amounts_in(given: Any) -> list[Any]:
    """The amounts in what a caller gives for one resource, which may be a single amount.

    A text, bytes, a mapping and an array without dimensions are single values.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        return [given]
    return [given[()]] if getattr(given, "ndim", 1) == 0 else list(given)  # type: ignore[index]


def budgets_from(amounts: Mapping[str, float | str | Sequence[float | str]]) -> tuple[SubnetworkBudget, ...]:
    """Convert Python values to budgets.

    Raises:
        InputError: under the conditions of `budget_texts` and `parse_budgets`.
    """
    return parse_budgets(budget_texts(amounts))


def _in_parallel(columns: Mapping[str, Sequence[Amount]]) -> tuple[SubnetworkBudget, ...]:
    if not columns or not all(columns.values()):
        raise InputError("no budget is given", "give one such as macs=0.5")
    lengths = {len(c) for c in columns.values() if len(c) > 1}
    if len(lengths) > 1:
        raise InputError(
            "budgets have lists of different lengths",
            "give each resource one value, or the same number of values as the others",
        )
    count = max(len(c) for c in columns.values())
    rows = [{r: c[i] if len(c) > 1 else c[0] for r, c in columns.items()} for i in range(count)]
    first = next(iter(columns))
    if len(columns[first]) < count:  # a single value cannot distinguish subnetworks; take the first list
        first = next(r for r, c in columns.items() if len(c) > 1)
    budgets = tuple(SubnetworkBudget(row[first].name, row) for row in rows)
    names = [b.name.lower() for b in budgets]  # some file systems do not tell the files of 64KiB and 64kib apart
    for budget in budgets:
        if names.count(budget.name.lower()) > 1:
            raise InputError(f"two budgets are named '{budget.name}'", "give each subnetwork a budget of its own")
    return budgets


def smallest_first(budgets: Sequence[SubnetworkBudget], full: Mapping[str, int]) -> tuple[SubnetworkBudget, ...]:
    """Sort the budgets from the smallest to the largest.

    Raises:
        InputError: if two budgets are ordered differently by two resources.
    """
    ordered = sorted(budgets, key=lambda b: tuple(b.capacities(full).values()))
    for small, large in itertools.pairwise(ordered):
        for (resource, low), high in zip(small.capacities(full).items(), large.capacities(full).values(), strict=True):
            if low > high:
                raise InputError(
                    f"budgets '{small.name}' and '{large.name}' are not ordered alike: "
                    f"the smaller allows more {resource}",
                    "order the lists of all resources alike",
                )
    return tuple(ordered)
