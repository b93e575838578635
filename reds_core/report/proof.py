"""How optimal each choice is, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.plan import SubnetworkRecord
from reds_core.report import units
from reds_core.solution import Status, relative_gap


@dataclass(frozen=True)
class Proof:
    """What is known of how good a choice is.

    Attributes:
        badge: in two or three words: optimal, gap 0.31 %, no bound; a dash where there was no search.
        is_optimal: whether nothing better exists within the budget and the floors.
        sentence: the same for people who are no experts.
        nesting: what keeping the smaller subnetworks' channels costs at most, as a sentence.
        gap: (bound - value) / |value|, or None.
        price: (bound without floors - value) / |value|, or None.
    """

    badge: str
    is_optimal: bool
    sentence: str
    nesting: str
    gap: float | None
    price: float | None


def prove(record: SubnetworkRecord, has_smaller: bool) -> Proof:
    """The proof of one subnetwork. has_smaller: whether it had to contain a smaller one."""
    gap = record.gap if units.exists(record.gap) else relative_gap(record.value, record.bound)
    is_optimal = record.status == Status.OPTIMAL.value or (record.value is not None and record.value == record.bound)
    free_bound = record.bound_independent if has_smaller else record.value
    price = relative_gap(record.value, free_bound)
    return Proof(
        badge=_badge(record, is_optimal, gap),
        is_optimal=is_optimal,
        sentence=_sentence(record, has_smaller, is_optimal, gap),
        nesting=_nesting(record, has_smaller, price),
        gap=gap,
        price=price,
    )


def _badge(record: SubnetworkRecord, is_optimal: bool, gap: float | None) -> str:
    if is_optimal:
        return "optimal"
    if gap is not None:
        return f"gap {units.small_percent(gap)}"
    if record.value is None:
        return units.DASH
    return "no bound" if record.bound is None else "bounded"


def _sentence(record: SubnetworkRecord, has_smaller: bool, is_optimal: bool, gap: float | None) -> str:
    alternatives = "choice of widths within the budget"
    if has_smaller:
        alternatives += " that contains the smaller subnetwork"
    solver = "its solver" if record.solver is None else f"solver {record.solver}"
    if is_optimal:
        return f"Proven optimal: no other {alternatives} keeps more importance."
    if gap is not None:
        return f"Within {units.small_percent(gap)} of the best possible: no {alternatives} can be better by more."
    if record.value is None:
        return "No search was recorded for this subnetwork."
    if record.bound is None:
        return f"No proof: {solver} gives no bound, so how much better another {alternatives} could be is unknown."
    return f"No {alternatives} can reach a value above {units.count(record.bound)}; a gap is not defined at value 0."


def _nesting(record: SubnetworkRecord, has_smaller: bool, price: float | None) -> str:
    if record.value is None:
        return ""
    if not has_smaller:
        return "It is the smallest, so it had no other subnetwork to contain: nesting costs nothing."
    if price is None:
        return "What nesting costs is unknown: there is no bound for a choice free of it."
    if price <= 0:
        return "Nesting costs nothing: a choice free of it could not be better."
    return f"Nesting costs at most {units.small_percent(price)}: a choice free of it could not be better by more."


def proof_summary(proofs: tuple[Proof, ...]) -> str:
    """One clause on all choices of a run, without a full stop."""
    if not proofs:
        return "nothing was chosen"
    proven, total = sum(p.is_optimal for p in proofs), len(proofs)
    if proven == total:
        everything = {1: "its choice is", 2: "both choices are"}.get(total, f"all {total} choices are")
        return f"{everything} proven optimal"
    if proven:
        return f"{proven} of {total} choices {'is' if proven == 1 else 'are'} proven optimal"
    if all(p.badge == "no bound" for p in proofs):
        return "no choice comes with a proof, since the solver gives no bound"
    gaps = sum(p.gap is not None for p in proofs)
    return "no choice is proven optimal" + (", but how close each is stands below" if gaps == total else "")
