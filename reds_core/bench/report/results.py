"""The results of a solver comparison, by solver and problem, with the repeats of a solve aggregated."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from reds_core.bench.record import Contender, ProblemFacts, SolveOutcome, SolveRecord
from reds_core.bench.report.measures import SHIFT_S, relative_loss, shifted_geometric_mean
from reds_core.bench.verdicts import KnownFacts, Verdicts, judge
from reds_core.knapsack.solution import Limit, Status, relative_gap
from reds_core.report import units


class Kind(IntEnum):
    """The result of a solve, from best to worst."""

    OPTIMAL = 0
    INFEASIBLE = 1
    IN_GAP = 2
    ANSWERED = 3
    NOTHING = 4
    REFUSED = 5
    FAILED = 6
    FALSE_CLAIM = 7


def kind_of(record: SolveRecord, false_claim: str | None) -> Kind:
    """Classify one solve."""
    if record.outcome is not SolveOutcome.ANSWERED:
        return Kind.REFUSED if record.outcome is SolveOutcome.REFUSED else Kind.FAILED
    if false_claim is not None:
        return Kind.FALSE_CLAIM
    if record.status is Status.INFEASIBLE:
        return Kind.INFEASIBLE
    if record.value is None:
        return Kind.NOTHING
    is_optimal = record.status is Status.OPTIMAL or record.value == record.bound
    if is_optimal:
        return Kind.OPTIMAL
    return Kind.IN_GAP if record.limit is Limit.GAP else Kind.ANSWERED


class Clock(Enum):
    """What the times of a comparison measure."""

    PROCESSOR = "processor time of the solve, with all its threads and processes"
    WALL = "wall time of the solve"


def clock_of(records: Sequence[SolveRecord]) -> Clock:
    """The clock of a comparison: processor time if every solve was to use one thread and has its processor time.

    It is disturbed less by whatever else the machine does. With several threads, wall time is what users wait for.
    """
    answered = [r for r in records if r.outcome is SolveOutcome.ANSWERED]
    is_measured = all(r.cpu_s is not None and r.threads == 1 for r in answered)
    return Clock.PROCESSOR if answered and is_measured else Clock.WALL


@dataclass(frozen=True)
class Solve:
    """One record with its classification.

    Attributes:
        record: the record.
        kind: the result.
        false_claim: why its claim is false, or None.
        clock: what its time measures.
    """

    record: SolveRecord
    kind: Kind
    false_claim: str | None
    clock: Clock

    @property
    def time_s(self) -> float:
        """Seconds of the solve call by the clock of the comparison."""
        spent_s = self.record.cpu_s if self.clock is Clock.PROCESSOR else None
        return self.record.wall_s if spent_s is None else spent_s

    @property
    def value(self) -> int | None:
        """The value of the answer; None without one."""
        return self.record.value if self.record.outcome is SolveOutcome.ANSWERED else None

    @property
    def proof_s(self) -> float:
        """Seconds to a proof of optimality or infeasibility; infinite without one."""
        return self.time_s if self.kind <= Kind.INFEASIBLE else math.inf


@dataclass(frozen=True)
class SolverRun:
    """The solves of one problem by one solver, of which there is at least one.

    Attributes:
        problem: name of the problem in reports.
        known: what all records together tell about the problem.
        solves: the repeats.
    """

    problem: str
    known: KnownFacts
    solves: tuple[Solve, ...]

    @property
    def kind(self) -> Kind:
        """The result of the median solve, or FALSE_CLAIM if any solve made a false claim."""
        kinds = [s.kind for s in self.solves]
        return Kind.FALSE_CLAIM if Kind.FALSE_CLAIM in kinds else statistics.median_high(kinds)

    @property
    def proof_s(self) -> float:
        """Median seconds to a proof; infinite if at least half of the solves ended without one."""
        if self.kind is Kind.FALSE_CLAIM:
            return math.inf
        return statistics.median(s.proof_s for s in self.solves)

    @property
    def times_s(self) -> tuple[float, ...]:
        """Seconds of each solve."""
        return tuple(s.time_s for s in self.solves)

    @property
    def backend_s(self) -> float | None:
        """Median seconds in the library, as the solver reports them; None if no solve reports any."""
        spent = [s.record.backend_s for s in self._answered if s.record.backend_s is not None]
        return statistics.median(spent) if spent else None

    @property
    def proof_or_limit_s(self) -> float:
        """Median seconds to a proof. Without one, it counts as the time limit.

        This is the penalised average runtime with the factor 1 (PAR1).
        """
        if math.isfinite(self.proof_s):
            return self.proof_s
        return statistics.median(s.record.time_limit_s for s in self.solves)

    @property
    def value(self) -> int | None:
        """The (lower) median of the values reached, below which are solves without one; None if it is one of these."""
        median = statistics.median_low(-math.inf if s.value is None else s.value for s in self.solves)
        return None if median == -math.inf else int(median)

    def time_within_s(self, loss: float) -> float:
        """Median seconds to a value within this relative loss of the best known one; infinite if not reached."""
        known = self.known.value
        assert known is not None
        return statistics.median(
            s.time_s if s.value is not None and relative_loss(known, s.value) <= loss else math.inf for s in self.solves
        )

    @property
    def bound(self) -> int | None:
        """The (upper) median of the bounds that are not refuted."""
        bounds = [s.record.bound for s in self._answered if s.false_claim is None and s.record.bound is not None]
        return statistics.median_high(bounds) if bounds else None

    @property
    def gap(self) -> float | None:
        """(bound - value) / |value| of the median bound and the median value."""
        return relative_gap(self.value, self.bound)

    @property
    def loss(self) -> float | None:
        """Relative loss against the best known value; None without a value."""
        if self.value is None or self.known.value is None:
            return None
        return relative_loss(self.known.value, self.value)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The largest peak memory of the solves."""
        return max((m for s in self.solves if (m := s.record.peak_memory_bytes) is not None), default=None)

    @property
    def _answered(self) -> tuple[Solve, ...]:
        return tuple(s for s in self.solves if s.record.outcome is SolveOutcome.ANSWERED)


@dataclass(frozen=True)
class SolverResults:
    """The results of a contender with one set of settings.

    Attributes:
        label: label of the contender, with the settings that tell it apart from others of the same label.
        contender: the solver with its options.
        runs: solves by problem name.
    """

    label: str
    contender: Contender
    runs: Mapping[str, SolverRun]

    def count(self, *kinds: Kind) -> int:
        """Number of problems whose result is one of `kinds`."""
        return sum(run.kind in kinds for run in self.runs.values())

    @property
    def proofs(self) -> int:
        """Number of problems proved."""
        return sum(math.isfinite(run.proof_s) for run in self.runs.values())

    @property
    def proof_times(self) -> dict[str, float]:
        """Seconds to a proof, by problem; infinite without one."""
        return {name: run.proof_s for name, run in self.runs.items()}

    def times_within(self, loss: float) -> dict[str, float]:
        """Seconds to a value within this relative loss, by problem with a known value; infinite if not reached."""
        return {name: run.time_within_s(loss) for name, run in self.runs.items() if run.known.value is not None}

    @property
    def shifted_mean_s(self) -> float | None:
        """Shifted geometric mean of the seconds to a proof; see `SolverRun.proof_or_limit_s` for unproved problems.

        None if nothing was proved.
        """
        return self.shifted_mean_over_s(self.runs) if self.proofs else None

    def shifted_mean_over_s(self, problems: Iterable[str]) -> float:
        """`shifted_mean_s` over one or more of the problems that it was run on."""
        return shifted_geometric_mean([self.runs[name].proof_or_limit_s for name in problems], SHIFT_S)

    @property
    def losses(self) -> dict[str, float]:
        """Relative loss by problem with a known value; infinite without a value."""
        return {
            name: math.inf if run.loss is None else run.loss
            for name, run in self.runs.items()
            if run.known.value is not None
        }


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    Attributes:
        records: the records as read.
        verdicts: the conclusions from all records.
        problems: problems by name; if several share a name, their hash is appended to it.
        known: what is known about each problem, by name.
        solvers: results by solver, the best first: by proofs, then by the shifted mean of times, then by value lost.
        clock: what times measure.
    """

    records: tuple[SolveRecord, ...]
    verdicts: Verdicts
    problems: Mapping[str, ProblemFacts]
    known: Mapping[str, KnownFacts]
    solvers: tuple[SolverResults, ...]
    clock: Clock

    @property
    def provers(self) -> tuple[SolverResults, ...]:
        """Solvers with at least one proof."""
        return tuple(e for e in self.solvers if e.proofs)

    @property
    def common(self) -> tuple[str, ...]:
        """The problems that every solver with a proof was run on."""
        return tuple(name for name in self.problems if all(name in solver.runs for solver in self.provers))

    @property
    def blocks(self) -> tuple[dict[str, float], ...]:
        """The times to a proof of the solvers with a proof on each common problem, to be ranked.

        Times below SHIFT_S count as equal, so that tiny problems decide nothing.
        """
        return tuple({e.label: max(e.runs[name].proof_s, SHIFT_S) for e in self.provers} for name in self.common)

    def values(self, of: Callable[[SolveRecord], object]) -> tuple[str, ...]:
        """The distinct texts of `of(record)` over all records, in order of appearance."""
        return tuple(dict.fromkeys(str(v) for r in self.records if (v := of(r)) is not None))


def compare(records: Sequence[SolveRecord]) -> Comparison:
    """Aggregate the records of a comparison; a solve that was recorded twice counts as repeated."""
    verdicts = judge(records)
    names = _problem_names(records)
    labels = _solver_labels(records)
    clock = clock_of(records)
    problems: dict[str, ProblemFacts] = {}
    gathered: dict[str, tuple[Contender, dict[str, list[Solve]]]] = {}
    for index, (record, label) in enumerate(zip(records, labels, strict=True)):
        name, claim = names[record.problem.sha256], verdicts.false_claims.get(index)
        problems.setdefault(name, record.problem)
        _, runs = gathered.setdefault(label, (record.contender, {}))
        runs.setdefault(name, []).append(Solve(record, kind_of(record, claim), claim, clock))
    known = {name: verdicts.problems[facts.sha256] for name, facts in problems.items()}
    solvers = []
    for label, (contender, runs) in gathered.items():
        taken = {name: SolverRun(name, known[name], tuple(runs[name])) for name in problems if name in runs}
        solvers.append(SolverResults(label, contender, taken))
    return Comparison(tuple(records), verdicts, problems, known, tuple(sorted(solvers, key=_merit)), clock)


def _merit(solver: SolverResults) -> tuple[float, ...]:
    """Key that sorts the best solver first."""
    losses = [loss for loss in solver.losses.values() if math.isfinite(loss)]
    return (
        -solver.proofs,
        solver.shifted_mean_s or 0.0,
        -len(losses),
        statistics.median(losses) if losses else math.inf,
    )


def _problem_names(records: Sequence[SolveRecord]) -> dict[str, str]:
    """The name of each problem in reports, by hash."""
    called = {r.problem.sha256: r.problem.name for r in records}
    times = Counter(called.values())
    return {sha256: name if times[name] == 1 else f"{name} ({sha256[:8]})" for sha256, name in called.items()}


def time_limit_text(record: SolveRecord) -> str:
    """The time limit of a solve, as text."""
    return f"{record.time_limit_s:g}{units.THIN}s"


def memory_limit_text(record: SolveRecord) -> str:
    """The memory limit of a solve, as text."""
    return "none" if record.memory_limit_bytes is None else units.byte_size(record.memory_limit_bytes)


def gap_text(record: SolveRecord) -> str:
    """The gap at which a solver was allowed to stop, as text."""
    return "none" if not record.gap_asked else f"{100 * record.gap_asked:g}{units.THIN}%"


_SETTINGS: Mapping[str, Callable[[SolveRecord], object]] = {
    "version {}": lambda r: f"{r.contender.distribution} {r.contender.version}",
    "{}": lambda r: ", ".join(f"{k}={v}" for k, v in sorted(r.contender.options.items())),
    "limit {}": time_limit_text,
    "memory {}": memory_limit_text,
    "gap {}": gap_text,
    "threads {}": lambda r: "not set" if r.threads is None else r.threads,
}
"""Settings whose records must not be aggregated, by the text that is appended to the contender's label."""


def _solver_labels(records: Sequence[SolveRecord]) -> list[str]:
    """The label of each record's contender, with the settings in which the records of that contender differ."""
    seen: dict[str, dict[str, set[object]]] = {}
    for record in records:
        own = seen.setdefault(record.contender.label, {text: set() for text in _SETTINGS})
        for text, of in _SETTINGS.items():
            own[text].add(of(record))
    labels = []
    for record in records:
        varied = [t for t, values in seen[record.contender.label].items() if len(values) > 1]
        labels.append(", ".join([record.contender.label, *(t.format(_SETTINGS[t](record)) for t in varied)]))
    return labels
