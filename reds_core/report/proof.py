"""Descriptions of how close each choice is to the optimum, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reds_core.knapsack.solution import Limit, Status, relative_gap
from reds_core.plan import SubnetworkRecord
from reds_core.report import units
from reds_core.search_records import FamilyRecord


@dataclass(frozen=True)
class Proof:
    """What is known about the quality of a choice.

    Attributes:
        badge: the result of `badge`.
        is_optimal: whether nothing better exists within the budget and between the neighbours in the family.
        sentence: the same for readers who are not experts.
        nesting: the maximum cost of nesting with the other subnetworks, as a sentence; empty if there are none.
        gap: (bound - value) / |value|, or None.
        price: (bound without the other subnetworks - value) / |value|, or None.
    """

    badge: str
    is_optimal: bool
    sentence: str
    nesting: str
    gap: float | None
    price: float | None


def prove(record: SubnetworkRecord, has_smaller: bool, has_larger: bool, such: str = "") -> Proof:
    """Return the proof of one subnetwork.

    It does not depend on the order in which a strategy chose the subnetworks: a choice that is the best around the
    smaller ones, or within the larger ones, is also the best between both.

    Args:
        record: the record of the subnetwork.
        has_smaller, has_larger: whether the family has smaller or larger subnetworks.
        such: what the settings ask of all widths, such as " in multiples of 8"; see `width_rules`.
    """
    price = relative_gap(record.value, record.bound_independent) if has_smaller or has_larger else None
    return Proof(
        badge=badge(record),
        is_optimal=_is_optimal(record),
        sentence=_sentence(record, _alternatives(record, has_smaller, has_larger, such)),
        nesting=_nesting(record, price) if has_smaller or has_larger else "",
        gap=_gap(record),
        price=price,
    )


def badge(record: SubnetworkRecord) -> str:
    """Return the proof in two or three words, such as optimal, gap 0.31 %, or no bound; a dash without a search."""
    gap = _gap(record)
    if _is_optimal(record):
        return "optimal"
    if gap is not None:
        return f"gap {units.small_percent(gap)}"
    if record.value is None:
        return units.DASH
    return "no bound" if record.bound is None else "bounded"


def _is_optimal(record: SubnetworkRecord) -> bool:
    return record.status == Status.OPTIMAL.value or (record.value is not None and record.value == record.bound)


def _gap(record: SubnetworkRecord) -> float | None:
    return record.gap if units.exists(record.gap) else relative_gap(record.value, record.bound)


def width_rules(options: Mapping[str, Any]) -> str:
    """Return what the options of a plan ask of all widths, to be added to "widths"; empty if they ask nothing."""
    rules = options.get("widths")
    if not isinstance(rules, Mapping):
        return ""
    align, least, kept = rules.get("align"), rules.get("min_width"), rules.get("keep")
    parts = [f"in multiples of {units.count(align)}"] * (isinstance(align, int) and align > 1)
    parts += [f"of at least {units.count(least)} channels"] * (isinstance(least, int) and least > 1)
    names = tuple(units.printable(str(name)) for name in kept) if isinstance(kept, list | tuple) else ()
    parts += [f"with {units.listed(names)} whole"] * bool(names)
    return f" {', '.join(parts)}" if parts else ""


def _alternatives(record: SubnetworkRecord, has_smaller: bool, has_larger: bool, such: str) -> str:
    """Return the choices that a proof refers to."""
    every = f"choice of widths{such} within the budget"
    free = record.bound_independent
    if free is not None and record.bound is not None and free <= record.bound:
        return every
    nested = ["contains the smaller subnetworks"] * has_smaller + ["lies within the larger ones"] * has_larger
    return f"{every} that {' and '.join(nested)}" if nested else every


def _sentence(record: SubnetworkRecord, alternatives: str) -> str:
    gap = _gap(record)
    if _is_optimal(record):
        return f"Proven optimal: no other {alternatives} keeps more importance."
    if gap is not None:
        multiples = f", with widths in multiples of {record.align}" if record.align and record.align > 1 else ""
        limit = units.small_percent(gap)
        asked = " The search stopped there, at the gap asked for." if record.limit == Limit.GAP.value else ""
        return f"Within {limit} of the best possible{multiples}: no {alternatives} can be better by more.{asked}"
    if record.value is None:
        return "No search was recorded for this subnetwork."
    if record.bound is None:
        solver = "its solver" if record.solver is None else f"solver {record.solver}"
        return f"No proof: {solver} gives no bound, so how much better another {alternatives} could be is unknown."
    return f"No {alternatives} can reach a value above {units.count(record.bound)}; a gap is not defined at value 0."


def _nesting(record: SubnetworkRecord, price: float | None) -> str:
    if record.value is None:
        return ""
    if price is None:
        return (
            "How much the family costs this network is unknown: no bound is known for a network of this budget alone."
        )
    if price <= 0:
        return "Sharing its weights with the other members costs nothing: a network of its own could not keep more."
    most = units.small_percent(price)
    return (
        f"Sharing its weights with the other members costs at most {most} of its value, compared with a network alone."
    )


def family_sentence(record: FamilyRecord | None, multiple: int = 1, such: str = "", names: Sequence[str] = ()) -> str:
    """Return how a family was chosen and how close it is to the best one; empty without a record.

    Args:
        record: the record.
        multiple: the number of which the widths of some subnetworks are multiples, to which its bound is limited.
        such: what the settings ask of all widths; see `width_rules`.
        names: the subnetworks that were chosen together, if there are others as well.
    """
    if record is None or len(names) == 1:
        return ""
    orders = {"bottom-up": "from the smallest up", "top-down": "from the largest down", "joint": "all at once"}
    outwards = f"from {record.order.removeprefix('around ')} outwards"
    who = f"Subnetworks {', '.join(names[:-1])} and {names[-1]}" if names else "The subnetworks"
    chosen = f"{who} were chosen {orders.get(record.order, outwards)}"
    stopped = f" The search for a better one stopped at {STOPS[record.limit]}." if record.limit in STOPS else ""
    such = f" with widths in multiples of {multiple}" if multiple > 1 else f" with widths{such}" if such else ""
    if record.bound is None:
        return f"{chosen}. How much better another family could be is unknown.{stopped}"
    if record.bound == record.value:
        return f"{chosen}: it is proven that no family within these budgets{such} has a larger sum of values."
    if record.gap is None:
        return f"{chosen}. No family{such} can have a sum of values above {units.count(record.bound)}.{stopped}"
    limit = units.small_percent(record.gap)
    return f"{chosen}: their sum of values is within {limit} of that of the best possible family{such}.{stopped}"


STOPS = {"gap": "the gap asked for", "time": "the time limit", "memory": "the memory limit", "nodes": "the node limit"}
"""What ended a search early, by the limit in the plan."""


def proof_summary(proofs: tuple[Proof, ...]) -> str:
    """Return one clause about all choices of a run, without a full stop."""
    if not proofs:
        return "nothing was chosen"
    proven, total = sum(p.is_optimal for p in proofs), len(proofs)
    everything = {1: "its choice is", 2: "both choices are"}.get(total, f"all {total} choices are")
    if proven == total:
        return f"{everything} proven optimal"
    if proven:
        return f"{proven} of {total} choices {'is' if proven == 1 else 'are'} proven optimal"
    if all(p.badge == "no bound" for p in proofs):
        return "no choice comes with a proof, since the solver gives no bound"
    gaps = [p.gap for p in proofs if p.gap is not None]
    if len(gaps) == total:
        return f"{everything} proven to be within {units.small_percent(max(gaps))} of the best possible"
    return "no choice is proven optimal"
