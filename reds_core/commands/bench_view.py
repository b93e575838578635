"""The tables that `reds bench` shows on stdout at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console

from reds_core.bench.history import BenchRun
from reds_core.bench.reader import judged_records, read_records
from reds_core.bench.record import SolveRecord
from reds_core.bench.record_file import limits_of
from reds_core.bench.report.results import Kind, kind_of
from reds_core.bench.task import SolveLimits
from reds_core.commands.tables import print_table

IN_GAP = "in gap"
_NAMES = {
    Kind.INFEASIBLE: "proved",
    Kind.OPTIMAL: "proved",
    Kind.IN_GAP: IN_GAP,
    Kind.ANSWERED: "found",
    Kind.NOTHING: "nothing",
    Kind.REFUSED: "refused",
    Kind.FAILED: "failed",
}
"""The columns of the table, which count the solves by their result."""


def print_bench(run: BenchRun, folder: Path) -> None:
    """Print the results of each solver, the solvers that were left out and why, and where the files are."""
    records = [r for r in judged_records(read_records(folder)) if _belongs_to(run, r)]
    kinds = [kind for kind in dict.fromkeys(_NAMES.values()) if kind != IN_GAP or run.gap]
    print_table(
        ["solver", "solves", *kinds],
        [_row(label, [r for r in records if r.contender.label == label], kinds) for label in run.contenders],
    )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for each in run.left_out:
        console.print(f"left out: {each.name} is {each.status}: {each.detail}")
    console.print(f"Records and report are in {folder}")


def _belongs_to(run: BenchRun, record: SolveRecord) -> bool:
    """Whether the record is of a solve that this run asked for, even if an earlier run made it."""
    asked = SolveLimits(run.time_limit_s, run.memory_limit_bytes, run.threads, run.seed, run.gap)
    versions = dict(zip(run.contenders, run.contender_versions, strict=True))
    return (
        asked == limits_of(record)
        and record.problem.sha256 in run.problem_hashes
        and record.repeat < run.repeat
        and versions.get(record.contender.label) == record.contender.version
    )


def _row(label: str, records: list[SolveRecord], kinds: list[str]) -> list[str]:
    counts = Counter(_kind(record) for record in records)
    return [label, str(len(records)), *(str(counts[kind]) for kind in kinds)]


def _kind(record: SolveRecord) -> str:
    return _NAMES[kind_of(record, None)]
