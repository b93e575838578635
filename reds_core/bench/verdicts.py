"""What all records of a comparison say together: the best known values, and which claims cannot be true.

A single answer is checked where it is given: its value and its budgets are recomputed. Whether a claim of optimality,
of infeasibility or a bound is true shows only beside the answers of others: every verified value refutes each claim
that nothing so good exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.knapsack.solution import Status


@dataclass(frozen=True)
class KnownFacts:
    """What is known of one problem.

    Attributes:
        value: the best value that any solver reached, or that is known from elsewhere; None where there is none.
        bound: the least limit that is not refuted; None where there is none.
        source: who reached `value` first: the label of a contender, or "the optimum known from elsewhere".
        is_infeasible: whether a solver showed that no choice meets the budgets, and nobody found one.
    """

    value: int | None
    bound: int | None
    source: str
    is_infeasible: bool

    @property
    def is_optimal(self) -> bool:
        """Whether no choice can be better than `value`."""
        return self.value is not None and self.value == self.bound


@dataclass(frozen=True)
class Verdicts:
    """What the records of a comparison say together.

    Attributes:
        problems: by the problem's sha256.
        false_claims: by the index of a record: why its claim cannot be true, as a sentence.
        false_statements: by the problem's sha256: why an optimum or bound known from elsewhere cannot be true.
    """

    problems: Mapping[str, KnownFacts]
    false_claims: Mapping[int, str]
    false_statements: Mapping[str, str]


ELSEWHERE = "the optimum known from elsewhere"


def judge(records: Sequence[SolveRecord]) -> Verdicts:
    """Hold the claims of all records against each other and against what is known of their problems.

    The values in records are taken as verified, since the host recomputed them; claims are not.
    """
    by_problem: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        by_problem.setdefault(record.problem.sha256, []).append(index)
    problems: dict[str, KnownFacts] = {}
    false_claims: dict[int, str] = {}
    false_statements: dict[str, str] = {}
    for sha256, indices in by_problem.items():
        own = [records[i] for i in indices]
        reached, source = _best_reached(own)
        stated = {r.problem.optimum for r in own} - {None}
        limits = stated | ({r.problem.lp_bound for r in own} - {None})
        refuted = {v for v in limits if v is not None and reached is not None and v < reached}
        if refuted:
            false_statements[sha256] = (
                f"the optimum or LP bound known from elsewhere, {min(refuted)}, lies below {reached}, "
                f"which {source} reached"
            )
        value = max((v for v in stated - refuted if v is not None), default=reached)
        if value is not None and value != reached:
            source = ELSEWHERE
        claims = {i: _false_claim(records[i], value, source) for i in indices}
        false_claims |= {i: reason for i, reason in claims.items() if reason is not None}
        sound = [records[i] for i in indices if claims[i] is None and records[i].outcome is SolveOutcome.ANSWERED]
        bounds = [r.bound for r in sound if r.bound is not None] + [v for v in limits - refuted if v is not None]
        is_infeasible = any(is_infeasibility_claim(r) for r in sound)
        problems[sha256] = KnownFacts(value, min(bounds, default=None), source, is_infeasible)
    return Verdicts(problems, false_claims, false_statements)


def is_infeasibility_claim(record: SolveRecord) -> bool:
    """Whether the record says that no choice meets the budgets."""
    return record.outcome is SolveOutcome.ANSWERED and record.status is Status.INFEASIBLE


def _best_reached(records: Iterable[SolveRecord]) -> tuple[int | None, str]:
    """The best verified value and the label of whom reached it first."""
    best, source = None, ""
    for record in records:
        if (
            record.outcome is SolveOutcome.ANSWERED
            and record.value is not None
            and (best is None or record.value > best)
        ):
            best, source = record.value, record.contender.label
    return best, source


def _false_claim(record: SolveRecord, best: int | None, source: str) -> str | None:
    """Why the claim of a record cannot be true where a choice of value `best` exists; None where it can."""
    if record.outcome is not SolveOutcome.ANSWERED or best is None:
        return None
    known = f"{ELSEWHERE} is {best}" if source == ELSEWHERE else f"{source} reached {best}"
    if record.status is Status.INFEASIBLE:
        return f"claims that no choice meets the budgets, but {known}"
    if record.status is Status.OPTIMAL and record.value is not None and record.value < best:
        return f"claims that {record.value} is optimal, but {known}"
    if record.bound is not None and record.bound < best:
        return f"claims that no value passes {record.bound}, but {known}"
    return None
