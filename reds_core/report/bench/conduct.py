"""The tables of how a comparison went: what failed and why, and how it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reds_core.bench.record import SolveRecord
from reds_core.report import units
from reds_core.report.bench.results import Comparison, Kind
from reds_core.report.bench.tables import one_block, outcome_text, whole
from reds_core.report.page import Cell, Row, Table

_PROBLEMS_LISTED = 6


# --- what went wrong ------------------------------------------------------------------------------------------------


def _reasons_table(caption: str, column: str, found: Sequence[tuple[str, str, str, str]]) -> Table:
    """A row for each entrant, kind and reason. found: (entrant, kind, reason, problem) of each solve."""
    problems: dict[tuple[str, str, str], list[str]] = {}
    for entrant, kind, reason, problem in found:
        problems.setdefault((entrant, kind, reason), []).append(problem)
    rows = []
    for (entrant, kind, reason), names in problems.items():
        different = tuple(dict.fromkeys(names))
        listed = Cell(units.listed(different, _PROBLEMS_LISTED))
        rows.append(Row(entrant, (Cell(kind), Cell(reason or units.DASH), whole(len(names)), listed)))
    return Table(caption, "Solver", (column, "Reason", "Solves", "Problems"), one_block(rows))


def failures_table(comparison: Comparison) -> Table:
    """Solves that gave no answer although the problem was taken, by entrant and reason."""
    return _reasons_table("Failures", "Outcome", _unanswered(comparison, Kind.FAILED))


def refusals_table(comparison: Comparison) -> Table:
    """Problems that solvers do not take, by entrant and reason."""
    return _reasons_table("Refusals", "Outcome", _unanswered(comparison, Kind.REFUSED))


def _unanswered(comparison: Comparison, kind: Kind) -> list[tuple[str, str, str, str]]:
    return [
        (entrant.label, outcome_text(solve.record.outcome), solve.record.reason or "", name)
        for entrant in comparison.entrants
        for name, run in entrant.runs.items()
        for solve in run.solves
        if solve.kind is kind
    ]


def false_claims_table(comparison: Comparison) -> Table:
    """Answers whose claim cannot be true."""
    found = [
        (entrant.label, "false claim", solve.false_claim or "", name)
        for entrant in comparison.entrants
        for name, run in entrant.runs.items()
        for solve in run.solves
        if solve.kind is Kind.FALSE_CLAIM
    ]
    return _reasons_table("Claims that cannot be true", "Kind", found)


def remarks_table(comparison: Comparison) -> Table:
    """What solvers said beside their answers, by entrant and remark."""
    found = [
        (entrant.label, "remark", remark, name)
        for entrant in comparison.entrants
        for name, run in entrant.runs.items()
        for solve in run.solves
        for remark in solve.record.detail
    ]
    return _reasons_table("Remarks of the solvers", "Kind", found)


# --- how it was run -------------------------------------------------------------------------------------------------


def settings_table(comparison: Comparison) -> Table:
    """What every solve was told and allowed."""
    values = comparison.values
    times = sorted(r.started_at for r in comparison.records)
    texts: dict[str, Sequence[str]] = {
        "Time limit": values(lambda r: units.seconds(r.time_limit_s)),
        "Memory limit": values(
            lambda r: "none" if r.memory_limit_bytes is None else units.byte_size(r.memory_limit_bytes)
        ),
        "Threads": values(lambda r: "not told" if r.threads is None else r.threads),
        "Seeds": values(lambda r: "not told" if r.seed is None else r.seed),
        "Repeats": (str(1 + max((r.repeat for r in comparison.records), default=0)),) if times else (),
        "Solves side by side": values(lambda r: r.jobs),
        "First and last solve": (f"{times[0]} to {times[-1]}",) if times else (),
    }
    return prose_table("How each solve ran", "Setting", {k: ", ".join(v) for k, v in texts.items() if v})


def memory_text(record: SolveRecord) -> str:
    """How much memory a solve was allowed."""
    return "none" if record.memory_limit_bytes is None else units.byte_size(record.memory_limit_bytes)


def machines_table(comparison: Comparison) -> Table:
    """The machines, with how many solves ran on each."""
    counts: dict[tuple[str, str, int, int, str], int] = {}
    for r in comparison.records:
        m = r.machine
        key = (m.cpu, m.system, m.cores, m.memory_bytes, m.python)
        counts[key] = counts.get(key, 0) + 1
    rows = [
        Row(cpu, (whole(cores), Cell(units.byte_size(memory), memory), Cell(system), Cell(python), whole(count)))
        for (cpu, system, cores, memory, python), count in counts.items()
    ]
    return Table("Machines", "Processor", ("Cores", "Memory", "System", "Python", "Solves"), one_block(rows))


def contenders_table(comparison: Comparison) -> Table:
    """The packages, options and libraries behind each entrant."""
    rows = []
    for entrant in comparison.entrants:
        records = [s.record for run in entrant.runs.values() for s in run.solves]
        options = ", ".join(f"{k}={v}" for k, v in sorted(entrant.contender.options.items()))
        package = f"{entrant.contender.distribution} {entrant.contender.version}"
        rows.append(Row(entrant.label, (Cell(package), Cell(options or units.DASH), Cell(_versions(records)))))
    return Table("Solvers and libraries", "Solver", ("Package", "Options", "Libraries"), one_block(rows))


def _versions(records: Sequence[SolveRecord]) -> str:
    """The versions of all libraries behind records; several of one library are all named."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for library, version in record.versions.items():
            found.setdefault(library, {})[version] = None
    return ", ".join(f"{library} {' and '.join(found[library])}" for library in sorted(found)) or units.DASH


def prose_table(caption: str, corner: str, texts: Mapping[str, str]) -> Table:
    """A table of names and texts."""
    return Table(
        caption, corner, ("Setting",), one_block([Row(k, (Cell(v),)) for k, v in texts.items()]), is_prose=True
    )
