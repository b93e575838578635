"""Combines the records of a comparison: finds the best known values and the claims that they refute.

The value and the budgets of each answer were already recomputed by `verification`. Whether a claim of optimality or
infeasibility, or a bound, is true can only be tested against other answers: a verified value refutes every claim that
no such value exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.knapsack.solution import Status


@dataclass(frozen=True)
class KnownFacts:
    """What is known about one problem.

    Attributes:
        value: best value that a solver reached or that is known from elsewhere; None if there is none.
        bound: smallest upper bound that is not refuted; None if there is none.
        source: the label of the contender that first reached `value`, or `ELSEWHERE`.
        is_infeasible: whether a solver proved that no choice meets the budgets, and no solver found one.
    """

    value: int | None
    bound: int | None
    source: str
    is_infeasible: bool

    @property
    def is_optimal(self) -> bool:
        """Whether `value` is proven optimal."""
        return self.value is not None and self.value == self.bound


@dataclass(frozen=True)
class Verdicts:
    """The conclusions from all records of a comparison.

    Attributes:
        problems: what is known about each problem, by the problem's SHA-256.
        false_claims: why the claim of a record is false, by the index of the record.
        false_statements: why an optimum or bound known from elsewhere is false, by the problem's SHA-256.
    """

    problems: Mapping[str, KnownFacts]
    false_claims: Mapping[int, str]
    false_statements: Mapping[str, str]


ELSEWHERE = "the optimum known from elsewhere"


def judge(records: Sequence[SolveRecord]) -> Verdicts:
    """Test the claims of all records against each other and against the known facts of their problems.

    Values in records are trusted, since they were recomputed; claims are not.
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
    """Whether the record claims that no choice meets the budgets."""
    return record.outcome is SolveOutcome.ANSWERED and record.status is Status.INFEASIBLE


def _best_reached(records: Iterable[SolveRecord]) -> tuple[int | None, str]:
    """The best verified value, and the label of the contender that reached it first."""
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
    """Why the claim of a record is false given that a choice of value `best` exists; None if it can be true."""
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
