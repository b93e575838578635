"""Summarises a comparison in sentences, and warns of what limits its results."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report.measures import SHIFT_S
from reds_core.bench.report.results import (
    Comparison,
    Kind,
    SolverResults,
    gap_text,
    memory_limit_text,
    time_limit_text,
)
from reds_core.bench.report.run_details import unfinished
from reds_core.bench.report.tables import gaps_left, losses_of
from reds_core.comparison.rank_words import missing_ranks_sentence, ranks_sentence
from reds_core.comparison.ranks import ranked
from reds_core.report import units
from reds_core.report.table import duration, factor_text
from reds_core.report.units import many

_LISTED = 6


def headline(comparison: Comparison) -> str:
    """One sentence on the number of problems that each solver proved."""
    if not comparison.records:
        return "No solve was recorded."
    total = len(comparison.problems)
    opening = f"{many(len(comparison.solvers), 'solver')} on {many(total, 'problem')}"
    if not comparison.provers:
        return f"{opening}: nothing was proved."
    labels: dict[str, list[str]] = {}
    for solver in comparison.provers:
        labels.setdefault(_how_many(solver, total), []).append(solver.label)
    verb, parts = " proved", []
    for proved, names in labels.items():
        parts.append(f"{joined(names)}{verb} {proved}")
        verb = ""
    return f"{opening}: {joined(parts, '; ')}."


def _how_many(solver: SolverResults, total: int) -> str:
    asked = len(solver.runs)
    if asked < total:
        return f"{solver.proofs} of the {asked} it was run on"
    if solver.proofs < total:
        return str(solver.proofs)
    return {1: "it", 2: "both"}.get(total, "all")


def joined(parts: Sequence[str], separator: str = "") -> str:
    """Join as "a, b and c", or with a separator if one is given."""
    shown = [*parts[:_LISTED], f"{len(parts) - _LISTED} more"] if len(parts) > _LISTED + 1 else list(parts)
    if separator or len(shown) < 2:
        return separator.join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def findings(comparison: Comparison) -> tuple[str, ...]:
    """The results in a few sentences, the most important first; sentences without content are left out."""
    found = (
        _speed(comparison),
        _ranks(comparison),
        _gaps(comparison),
        _losses(comparison),
        _infeasible(comparison),
        _unanswered(comparison),
    )
    return tuple(sentence for sentence in found if sentence)


def _speed(comparison: Comparison) -> str:
    provers, common = comparison.provers, comparison.common
    if len(provers) < 2:
        return ""
    if not common:
        return "No problem was given to all of the solvers that proved something, so that their times have no mean."
    first, *others = ((solver.label, solver.shifted_mean_over_s(common)) for solver in provers)
    parts = [f"{label} {duration(mean)}{_against(mean, first[1])}" for label, mean in others]
    over = "the one problem" if len(common) == 1 else many(len(common), "problem")
    mean = "Time" if len(common) == 1 else "Mean time"
    return (
        f"{mean} to a proof on {over}: {first[0]} {duration(first[1])}, {joined(parts)}. Means are geometric with a "
        f"shift of {1000 * SHIFT_S:g}{units.THIN}ms, and a problem without a proof counts as the time limit."
    )


def _against(mean: float, first: float) -> str:
    """How a mean compares with the first solver's, in brackets; empty if one of them is not above 0."""
    if min(mean, first) <= 0:
        return ""
    ratio = mean / first
    return f" ({times_text(ratio)} as long)" if ratio >= 1 else f" ({times_text(1 / ratio)} as fast)"


def times_text(ratio: float) -> str:
    """A factor as words: 1.23 times."""
    return f"{factor_text(ratio).rstrip('×')} times"


def _ranks(comparison: Comparison) -> str:
    ranks = ranked(comparison.blocks)
    return "" if ranks is None else ranks_sentence(ranks, "problem")


def why_unranked(comparison: Comparison) -> str:
    """A sentence that says why there are no mean ranks; empty if there are some, or if nothing was proved."""
    if not comparison.provers or ranked(comparison.blocks) is not None:
        return ""
    return missing_ranks_sentence(
        comparison.blocks, "problem", "solver", f"take equally long, or less than {units.seconds(SHIFT_S)},"
    )


def _gaps(comparison: Comparison) -> str:
    parts = []
    for solver in comparison.solvers:
        gaps = gaps_left(solver)
        if gaps is not None:
            worst = f", at most {units.small_percent(gaps.worst)}" if gaps.count > 1 else ""
            parts.append(f"{solver.label} {units.small_percent(gaps.median)} ({gaps.count} left open{worst})")
    return f"The gap left where there was no proof (median): {joined(parts)}." if parts else ""


def _losses(comparison: Comparison) -> str:
    optimal = {name for name, known in comparison.known.items() if known.is_optimal}
    lossy: list[tuple[float, str]] = []
    exact = []
    for solver in comparison.solvers:
        lost = losses_of(solver, optimal)
        if lost is None or solver.proofs == len(solver.runs):
            continue
        asked = len(optimal & solver.runs.keys())
        on = f" (on {lost.count} of {asked})" if lost.count < asked else ""
        if lost.worst == 0:
            exact.append(solver.label + on)
        else:
            worst = f"worst {units.small_percent(lost.worst)}"
            lossy.append((lost.median, f"{solver.label}{on} {units.small_percent(lost.median)} ({worst})"))
    # the largest loss first, since a long list is cut at its end
    parts = [text for _, text in sorted(lossy, key=lambda item: -item[0])]
    lossless = f"{joined(exact)} lost nothing" if exact else ""
    if not parts:
        return f"Against the proven optimum {lossless}." if exact else ""
    return f"Value lost against the proven optimum (median): {'; '.join(filter(None, [joined(parts), lossless]))}."


def _infeasible(comparison: Comparison) -> str:
    count = sum(known.is_infeasible for known in comparison.known.values())
    return f"{many(count, 'problem')} {'has' if count == 1 else 'have'} no choice within the budgets." if count else ""


def _unanswered(comparison: Comparison) -> str:
    solves = [s for e in comparison.solvers for run in e.runs.values() for s in run.solves]
    counts = {kind: sum(s.kind is kind for s in solves) for kind in (Kind.FAILED, Kind.REFUSED, Kind.FALSE_CLAIM)}
    words = {Kind.FAILED: "failed", Kind.REFUSED: "were refused", Kind.FALSE_CLAIM: "made a claim that cannot be true"}
    parts = [
        f"{units.count(n)} {'was refused' if n == 1 and kind is Kind.REFUSED else words[kind]}"
        for kind, n in counts.items()
        if n
    ]
    return f"Of {many(len(solves), 'solve')} {joined(parts)}." if parts else ""


def warnings(comparison: Comparison, runs: Sequence[BenchRun]) -> tuple[str, ...]:
    """Sentences on why the results may be incomplete or not comparable."""
    records = comparison.records
    found = [sentence] if (sentence := unfinished(runs)) else []
    most = max((r.jobs for r in records), default=1)
    if most > 1:
        found.append(
            f"Up to {most} solves ran at the same time and may have shared cores, which makes their times longer to "
            "different degrees."
        )
    machines = {(r.machine.cpu, r.machine.cores, r.machine.memory_bytes, r.machine.system) for r in records}
    if len(machines) > 1:
        found.append(f"The solves ran on {len(machines)} different machines, whose times are not comparable.")
    limits = comparison.values(time_limit_text)
    if len(limits) > 1:
        found.append(f"Solves had different time limits: {', '.join(limits)}.")
    memories = comparison.values(memory_limit_text)
    if len(memories) > 1:
        found.append(f"Solves had different memory limits: {', '.join(memories)}.")
    gaps = comparison.values(gap_text)
    if len(gaps) > 1:
        found.append(f"Solvers were allowed to stop at different gaps: {', '.join(gaps)}.")
    threads = comparison.values(lambda r: "not set" if r.threads is None else r.threads)
    if len(threads) > 1:
        found.append(f"Solves had different numbers of threads: {', '.join(threads)}.")
    seeds = comparison.values(lambda r: "not set" if r.seed is None else r.seed)
    if len(seeds) > 1:
        found.append(f"Solves had different seeds ({', '.join(seeds)}); they are treated as repeats.")
    found += _mixed_versions(comparison)
    partial = [e for e in comparison.solvers if len(e.runs) < len(comparison.problems)]
    if partial:
        parts = [f"{e.label} ({len(e.runs)})" for e in partial]
        found.append(
            f"Not every solver has been run on all {many(len(comparison.problems), 'problem')}: {joined(parts)}. "
            "Shares refer to the problems that each solver was run on."
        )
    uneven = {len(run.solves) for e in comparison.solvers for run in e.runs.values()}
    if len(uneven) > 1:
        found.append(f"Runs have different numbers of repeats, from {min(uneven)} to {max(uneven)}.")
    for name, known in comparison.problems.items():
        statement = comparison.verdicts.false_statements.get(known.sha256)
        if statement:
            found.append(f"{name}: {statement}; it is not used.")
    return tuple(found)


def _mixed_versions(comparison: Comparison) -> list[str]:
    versions: dict[str, set[str]] = {}
    for record in comparison.records:
        for library, version in {"Python": record.machine.python, **record.versions}.items():
            versions.setdefault(library, set()).add(version)
    mixed = [f"{library} {', '.join(sorted(found))}" for library, found in sorted(versions.items()) if len(found) > 1]
    return [f"Solves ran with different versions of libraries: {'; '.join(mixed)}."] if mixed else []


def unproved(comparison: Comparison) -> tuple[str, ...]:
    """Solvers that took part and proved nothing."""
    return tuple(e.label for e in comparison.solvers if not e.proofs)


def open_problems(comparison: Comparison) -> int:
    """Number of problems that no solver proved."""
    proved = {n for e in comparison.solvers for n, time in e.proof_times.items() if math.isfinite(time)}
    return len(comparison.problems) - len(proved)
