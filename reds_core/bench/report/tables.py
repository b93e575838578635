"""The tables of a comparison: the results of each solver, overall and by problem."""

from __future__ import annotations

import math
import statistics
from collections.abc import Container, Sequence

from reds_core.bench.record import SolveOutcome
from reds_core.bench.report.measures import Ratios, Typical, spread, time_ratios
from reds_core.bench.report.presolve import PresolvePair
from reds_core.bench.report.results import Comparison, Kind, SolverResults, SolverRun
from reds_core.comparison import rank_words
from reds_core.comparison.ranks import ranked
from reds_core.knapsack.solution import Limit
from reds_core.report import units
from reds_core.report.table import (
    NOTHING,
    Cell,
    Row,
    Table,
    duration,
    factor,
    factor_text,
    figure,
    one_block,
    seconds,
    share,
    whole,
)

MARKS = {
    Kind.OPTIMAL: "●",
    Kind.INFEASIBLE: "∅",
    Kind.IN_GAP: "◐",
    Kind.ANSWERED: "○",
    Kind.NOTHING: "·",
    Kind.REFUSED: "–",
    Kind.FAILED: "×",
    Kind.FALSE_CLAIM: "!",
}
MARK_MEANINGS = {
    Kind.OPTIMAL: "proved optimal",
    Kind.INFEASIBLE: "proved infeasible",
    Kind.IN_GAP: "proved within the gap asked for",
    Kind.ANSWERED: "a choice without proof",
    Kind.NOTHING: "no choice found",
    Kind.REFUSED: "refused",
    Kind.FAILED: "failed",
    Kind.FALSE_CLAIM: "false claim",
}
_TONES = {Kind.OPTIMAL: "proved", Kind.INFEASIBLE: "proved", Kind.FAILED: "failed", Kind.FALSE_CLAIM: "failed"}


def loss_text(loss: float) -> str:
    """A relative loss as text: −0.31 %."""
    if not math.isfinite(loss):
        return "below 0"
    text = units.small_percent(loss)
    return f"{text} lost" if text.startswith("<") else f"−{text}"


# --- solvers -------------------------------------------------------------------------------------------------------


def overview_table(comparison: Comparison) -> Table:
    """The results of each solver, the best first.

    The mean time to a proof is a shifted geometric mean over all problems; see `SolverRun.proof_or_limit_s`. The time
    in the libraries is shown if any solver reports it.
    """
    backends_s = {s.label: _median([r.backend_s for r in s.runs.values()]) for s in comparison.solvers}
    library = ("In its library, median",) if any(spent is not None for spent in backends_s.values()) else ()
    columns = (
        "Problems", "Proved", "Without proof", "No choice", "Refused", "Failed", "Time, median", *library,
        "To a proof, shifted mean", "Value lost, median", "Value lost, worst",
    )  # fmt: skip
    rows = []
    for solver in comparison.solvers:
        times = [statistics.median(r.times_s) for r in solver.runs.values() if r.kind < Kind.REFUSED]
        lost = losses_of(solver)
        rows.append(
            Row(
                Cell(solver.label),
                (
                    whole(len(solver.runs)),
                    whole(solver.proofs),
                    whole(solver.count(Kind.IN_GAP, Kind.ANSWERED)),
                    whole(solver.count(Kind.NOTHING)),
                    whole(solver.count(Kind.REFUSED)),
                    whole(solver.count(Kind.FAILED, Kind.FALSE_CLAIM)),
                    seconds(_median(times)),
                    *(seconds(backends_s[solver.label]) for _ in library),
                    seconds(solver.shifted_mean_s),
                    share(lost.median if lost else None),
                    share(lost.worst if lost else None),
                ),
            )
        )
    return Table("All solvers, the best first", "Solver", columns, one_block(rows), is_sortable=True)


def _median(numbers: Sequence[float | None]) -> float | None:
    """The median of the numbers that are known, or None if none is."""
    known = [number for number in numbers if number is not None]
    return statistics.median(known) if known else None


def losses_of(solver: SolverResults, among: Container[str] | None = None) -> Typical | None:
    """Median and maximum of the loss against the best known values, over problems (among these) with a value."""
    return spread(
        {n: loss for n, loss in solver.losses.items() if math.isfinite(loss) and (among is None or n in among)}
    )


def gaps_left(solver: SolverResults) -> Typical | None:
    """Median and maximum of the gaps that a solver left on problems without a proof."""
    gaps = {name: r.gap for name, r in solver.runs.items() if r.gap is not None and not math.isfinite(r.proof_s)}
    return spread(gaps)


def speed_table(comparison: Comparison) -> Table:
    """Time ratios of each solver to the best one, and the gaps on problems without a proof.

    The table has no rows if nothing was proved.
    """
    columns = (
        "Both proved",
        "Ratio of means",
        "95\u202f% interval",
        "smallest ratio",
        "largest ratio",
        "Left open",
        "Gap left, median",
        "Gap left, worst",
    )
    if not comparison.provers:
        return Table("Time to a proof", "Solver", columns, ())
    reference = comparison.provers[0]
    others = [e for e in comparison.solvers[1:] if e.proofs or gaps_left(e)]
    rows = []
    for other in others:
        ratios: Ratios | None = time_ratios(reference.proof_times, other.proof_times)
        gaps = gaps_left(other)
        cells = (
            whole(ratios.count if ratios else 0),
            factor(ratios.mean if ratios else None),
            _interval(ratios),
            factor(ratios.least if ratios else None, ratios.least_on if ratios else ""),
            factor(ratios.most if ratios else None, ratios.most_on if ratios else ""),
            whole(len(other.runs) - other.proofs),
            share(gaps.median if gaps else None),
            share(gaps.worst if gaps else None, gaps.worst_on if gaps else ""),
        )
        rows.append(Row(Cell(other.label), cells))
    caption = f"Time to a proof, compared with {reference.label}"
    return Table(caption, "Solver", columns, one_block(rows), is_sortable=True)


def _interval(ratios: Ratios | None) -> Cell:
    if ratios is None or ratios.interval is None:
        return NOTHING
    low, high = ratios.interval
    return Cell(f"{factor_text(low)} – {factor_text(high)}", low)


def ranks_table(comparison: Comparison) -> Table:
    """Mean ranks of the solvers over the problems; without rows if there are too few of either."""
    ranks = ranked(comparison.blocks)
    caption = "Mean ranks of the times to a proof"
    return rank_words.ranks_table(ranks, caption, "Solver") if ranks else Table(caption, "Solver", (), ())


def losses_table(comparison: Comparison) -> Table:
    """Value lost against proven optima, for every solver that found a value of such a problem."""
    optimal = {name for name, known in comparison.known.items() if known.is_optimal}
    columns = ("Optima known", "Value found", "At the optimum", "Median lost", "Worst lost")
    rows = []
    for solver in comparison.solvers:
        asked = {name: loss for name, loss in solver.losses.items() if name in optimal}
        lost = losses_of(solver, optimal)
        if lost is not None:
            hits = sum(loss == 0 for loss in asked.values())
            cells = (whole(len(asked)), whole(lost.count), whole(hits), share(lost.median))
            rows.append(Row(Cell(solver.label), (*cells, share(lost.worst, lost.worst_on if lost.worst > 0 else ""))))
    return Table("Value lost against the proven optimum", "Solver", columns, one_block(rows), is_sortable=True)


def memory_table(comparison: Comparison) -> Table:
    """Peak memory of each solver; solvers without measurements are left out."""
    rows = []
    for solver in comparison.solvers:
        peaks = {name: float(p) for name, run in solver.runs.items() if (p := run.peak_memory_bytes) is not None}
        most = spread(peaks)
        if most is not None:
            cells = (
                figure(most.median, units.byte_size(most.median)),
                figure(most.worst, units.byte_size(most.worst), most.worst_on),
            )
            rows.append(Row(Cell(solver.label), cells))
    caption = "Peak memory of a solve, Python and libraries included"
    return Table(caption, "Solver", ("Median", "Most"), one_block(rows), is_sortable=True)


def presolve_table(pairs: Sequence[PresolvePair]) -> Table:
    """Each solver with and without presolve."""
    columns = (
        "Proved with",
        "Proved without",
        "Both proved",
        "Ratio of means, without / with",
        "smallest ratio",
        "largest ratio",
    )
    rows = []
    for pair in pairs:
        ratios = pair.ratios
        cells = (
            whole(pair.on.proofs),
            whole(pair.off.proofs),
            whole(ratios.count if ratios else 0),
            factor(ratios.mean if ratios else None),
            factor(ratios.least if ratios else None, ratios.least_on if ratios else ""),
            factor(ratios.most if ratios else None, ratios.most_on if ratios else ""),
        )
        rows.append(Row(Cell(pair.label), cells))
    return Table("Presolve on and off", "Solver", columns, one_block(rows), is_sortable=True)


# --- problems -------------------------------------------------------------------------------------------------------


def _problem_order(comparison: Comparison) -> list[str]:
    """Names of the problems, sorted by the number of proofs, the most first; otherwise in the order of the records."""
    proofs = dict.fromkeys(comparison.problems, 0)
    for solver in comparison.solvers:
        for name, time in solver.proof_times.items():
            proofs[name] += math.isfinite(time)
    return sorted(proofs, key=lambda name: -proofs[name])


def proofs_table(comparison: Comparison) -> Table:
    """Which solver proved which problem, one mark each."""
    rows = []
    for name in _problem_order(comparison):
        runs = [e.runs.get(name) for e in comparison.solvers]
        proved = sum(run is not None and math.isfinite(run.proof_s) for run in runs)
        rows.append(Row(Cell(name), (whole(proved), *map(_mark, runs))))
    columns = ("Proofs", *(e.label for e in comparison.solvers))
    return Table("Who proved what", "Problem", columns, one_block(rows), is_sortable=True)


def _mark(run: SolverRun | None) -> Cell:
    if run is None:
        return Cell("")
    proved = sum(math.isfinite(s.proof_s) for s in run.solves)
    note = f"{proved} of {len(run.solves)}" if 0 < proved < len(run.solves) else ""
    return Cell(MARKS[run.kind], note=note, tone=_TONES.get(run.kind, ""), meaning=MARK_MEANINGS[run.kind])


def results_table(comparison: Comparison) -> Table:
    """Time, result and loss of every solver on every problem."""
    rows = []
    for name, facts in comparison.problems.items():
        known = comparison.known[name]
        best = NOTHING if known.value is None else whole(known.value)
        if known.value is not None:
            best = Cell(best.text, best.value, "optimal" if known.is_optimal else "best known")
        elif known.is_infeasible:
            best = Cell("infeasible")
        runs = (_run(e.runs.get(name)) for e in comparison.solvers)
        rows.append(Row(Cell(name), (whole(facts.groups), whole(facts.options), best, *runs)))
    columns = ("Groups", "Options", "Value", *(e.label for e in comparison.solvers))
    return Table("Every problem and solver", "Problem", columns, one_block(rows), is_sortable=True)


def outcome_text(outcome: SolveOutcome) -> str:
    """An outcome in words."""
    return outcome.value.replace("_", " ")


def _run(run: SolverRun | None) -> Cell:
    if run is None:
        return Cell("")
    kind, tone = run.kind, _TONES.get(run.kind, "")
    if kind is Kind.REFUSED:
        return Cell("refused")
    times = run.times_s
    middle = statistics.median(times)
    notes = [f"{duration(min(times))} – {duration(max(times))}"] if len(times) > 1 else []
    if kind in (Kind.OPTIMAL, Kind.INFEASIBLE, Kind.NOTHING):
        notes.append({Kind.OPTIMAL: "optimal", Kind.INFEASIBLE: "infeasible", Kind.NOTHING: "no choice"}[kind])
    elif kind is Kind.FAILED:
        notes.append(outcome_text(next(s.record.outcome for s in run.solves if s.kind is Kind.FAILED)))
    elif kind is Kind.FALSE_CLAIM:
        notes.append("false claim")
    if kind is Kind.OPTIMAL and run.loss:
        notes.append(f"{loss_text(run.loss)} in the median")
    if kind in (Kind.IN_GAP, Kind.ANSWERED, Kind.FALSE_CLAIM) and run.loss is not None:
        notes.append("best known" if run.loss == 0 else loss_text(run.loss))
    if kind is Kind.IN_GAP:
        notes.append(f"gap {units.small_percent(run.gap)}, as asked for")
    if kind is Kind.ANSWERED:
        notes.append("no bound" if run.bound is None else f"gap {units.small_percent(run.gap)}")
    stops = (s.record.limit for s in run.solves)
    limits = dict.fromkeys(limit.value for limit in stops if limit not in (None, Limit.GAP))
    notes += [f"{limit} limit" if limit != "interrupted" else limit for limit in limits]
    return Cell(duration(middle), middle, ", ".join(notes), tone=tone)
