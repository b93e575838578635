"""Tables of failures and refusals, and of the settings and the machines of a comparison."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reds_core.bench.history import BenchRun, Ending
from reds_core.bench.record import SolveRecord
from reds_core.bench.report.measures import SHIFT_S
from reds_core.bench.report.results import Comparison, Kind, gap_text, memory_limit_text, time_limit_text
from reds_core.bench.report.tables import outcome_text
from reds_core.report import units
from reds_core.report.table import Cell, Row, Table, one_block, prose_table, whole

_PROBLEMS_LISTED = 6
_PARTICULARS = re.compile(r"'[^']*'|\d[\d.,e+-]*")
"""Quoted names and numbers, which are ignored when reasons are grouped."""


# --- what went wrong ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Remark:
    """A reason or a remark about one solve."""

    solver: str
    kind: str
    reason: str
    problem: str


def _reasons_table(caption: str, column: str, found: Iterable[_Remark]) -> Table:
    """One row for each solver, kind and reason; reasons that differ only in names and numbers share a row."""
    alike: dict[tuple[str, str, str], list[_Remark]] = {}
    for remark in found:
        alike.setdefault((remark.solver, remark.kind, _PARTICULARS.sub("#", remark.reason)), []).append(remark)
    rows = []
    for (solver, kind, _), remarks in alike.items():
        others = len({r.reason for r in remarks}) - 1
        note = f"and {others} that differ only in names and numbers" if others else ""
        listed = Cell(units.listed(tuple(dict.fromkeys(r.problem for r in remarks)), _PROBLEMS_LISTED))
        rows.append(Row(Cell(solver), (Cell(kind), Cell(remarks[0].reason, note=note), whole(len(remarks)), listed)))
    return Table(caption, "Solver", (column, "Reason", "Solves", "Problems"), one_block(rows))


def failures_table(comparison: Comparison) -> Table:
    """Solves that failed although the solver supports the problem, by solver and reason."""
    return _reasons_table("Failures", "Outcome", _unanswered(comparison, Kind.FAILED))


def refusals_table(comparison: Comparison) -> Table:
    """Problems that solvers do not support, by solver and reason."""
    return _reasons_table("Refusals", "Outcome", _unanswered(comparison, Kind.REFUSED))


def _unanswered(comparison: Comparison, kind: Kind) -> list[_Remark]:
    return [
        _Remark(solver.label, outcome_text(solve.record.outcome), solve.record.reason or units.DASH, name)
        for solver in comparison.solvers
        for name, run in solver.runs.items()
        for solve in run.solves
        if solve.kind is kind
    ]


def false_claims_table(comparison: Comparison) -> Table:
    """Answers whose claims are refuted by other answers."""
    found = [
        _Remark(solver.label, "false claim", solve.false_claim or units.DASH, name)
        for solver in comparison.solvers
        for name, run in solver.runs.items()
        for solve in run.solves
        if solve.kind is Kind.FALSE_CLAIM
    ]
    return _reasons_table("Claims that cannot be true", "Kind", found)


def remarks_table(comparison: Comparison) -> Table:
    """The remarks that solvers attached to their answers: one row for each remark, with its count and its solvers."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for solver in comparison.solvers:
        for run in solver.runs.values():
            for remark in (remark for solve in run.solves for remark in solve.record.detail):
                alike.setdefault(_PARTICULARS.sub("#", remark), []).append((solver.label, remark))
    rows = []
    for remarks in alike.values():
        others = len({remark for _, remark in remarks}) - 1
        note = f"one of {others + 1} that differ only in names and numbers" if others else ""
        speakers = ", ".join(dict.fromkeys(label for label, _ in remarks))
        rows.append(Row(Cell(remarks[0][1]), (whole(len(remarks)), Cell(speakers, note=note))))
    return Table("Remarks of the solvers", "Remark", ("Solves", "Solvers"), one_block(rows))


# --- how it was run -------------------------------------------------------------------------------------------------


def settings_table(comparison: Comparison) -> Table:
    """The settings of the solves."""
    values = comparison.values
    times = sorted(r.started_at for r in comparison.records)
    loads = [r.load for r in comparison.records if r.load is not None]
    texts: dict[str, Sequence[str]] = {
        "Times": (comparison.clock.value,) if times else (),
        "Shifted mean": (
            f"geometric, shift {1000 * SHIFT_S:g}{units.THIN}ms; "
            "a problem without a proof counts as the time limit (PAR1)",
        )
        if comparison.provers
        else (),
        "Time limit": values(time_limit_text),
        "Memory limit": values(memory_limit_text),
        "Gap at which solvers may stop": values(gap_text) if any(r.gap_asked for r in comparison.records) else (),
        "Threads": values(lambda r: "not set" if r.threads is None else r.threads),
        "Seeds": values(lambda r: "not set" if r.seed is None else r.seed),
        "Repeats": (str(1 + max((r.repeat for r in comparison.records), default=0)),) if times else (),
        "Solves at the same time": values(lambda r: r.jobs),
        "Load average before a solve": (f"{min(loads):.1f} to {max(loads):.1f}",) if loads else (),
        "First and last solve": (f"{times[0]} to {times[-1]}",) if times else (),
    }
    return prose_table("How each solve ran", "Setting", {k: ", ".join(v) for k, v in texts.items() if v})


def machines_table(comparison: Comparison) -> Table:
    """The machines, with the number of solves on each."""
    counts: dict[tuple[str, str, int, int, str], int] = {}
    for r in comparison.records:
        m = r.machine
        key = (m.cpu, m.system, m.cores, m.memory_bytes, m.python)
        counts[key] = counts.get(key, 0) + 1
    rows = [
        Row(Cell(cpu), (whole(cores), Cell(units.byte_size(memory), memory), Cell(system), Cell(python), whole(count)))
        for (cpu, system, cores, memory, python), count in counts.items()
    ]
    return Table("Machines", "Processor", ("Cores", "Memory", "System", "Python", "Solves"), one_block(rows))


def contenders_table(comparison: Comparison) -> Table:
    """The packages, options and libraries behind each solver."""
    rows = []
    for solver in comparison.solvers:
        records = [s.record for run in solver.runs.values() for s in run.solves]
        options = ", ".join(f"{k}={v}" for k, v in sorted(solver.contender.options.items()))
        package = f"{solver.contender.distribution} {solver.contender.version}"
        rows.append(Row(Cell(solver.label), (Cell(package), Cell(options or units.DASH), Cell(_versions(records)))))
    return Table("Solvers and libraries", "Solver", ("Package", "Options", "Libraries"), one_block(rows))


def _versions(records: Sequence[SolveRecord]) -> str:
    """The versions of all libraries in the records, including several versions of the same library."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for library, version in record.versions.items():
            found.setdefault(library, {})[version] = None
    return ", ".join(f"{library} {' and '.join(found[library])}" for library in sorted(found)) or units.DASH


# --- runs of the command --------------------------------------------------------------------------------------------


def left_out_table(comparison: Comparison, runs: Sequence[BenchRun]) -> Table:
    """Requested solvers that could not take part in any run, with what to install."""
    took_part = {e.contender.solver for e in comparison.solvers}
    texts = {left.name: left for run in runs for left in run.left_out if left.name not in took_part}
    rows = [Row(Cell(left.name), (Cell(left.status), Cell(left.detail or units.DASH))) for left in texts.values()]
    return Table("Solvers that could not take part", "Solver", ("Status", "What to do"), one_block(rows))


def runs_table(runs: Sequence[BenchRun]) -> Table:
    """The runs of the command, in order."""
    rows = []
    for run in runs:
        ending = "did not end" if run.ending is None else run.ending.value
        cells = (
            Cell(ending, note=run.ended_at or ""),
            whole(run.solves),
            whole(run.kept),
            whole(run.done),
            Cell(f"{units.count(run.jobs)}, {run.backend}"),
            Cell(", ".join(run.suites) or units.DASH),
        )
        rows.append(Row(Cell(run.started_at), cells))
    columns = ("Ending", "Solves", "Already recorded", "Done", "At the same time", "Suites")
    return Table("Runs of the command", "Started", columns, one_block(rows))


def unfinished(runs: Sequence[BenchRun]) -> str:
    """A sentence that says how much the last run of the command has done; empty if it finished."""
    if not runs or runs[-1].ending is Ending.FINISHED:
        return ""
    last = runs[-1]
    words = {Ending.INTERRUPTED: "was interrupted", Ending.FAILED: "failed", None: "did not end"}
    recorded = f"{units.count(last.kept + last.done)} of {units.count(last.solves)} solves"
    return f"The last run of the command {words[last.ending]}: {recorded} are recorded."
