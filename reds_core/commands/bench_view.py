"""The tables that `reds bench` shows on stdout at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console

from reds_core.bench.history import BenchRun
from reds_core.bench.reader import judged_records, read_records
from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.commands.tables import print_table
from reds_core.knapsack.solution import Status


def print_bench(run: BenchRun, folder: Path) -> None:
    """Print the results of each solver, the solvers that were left out and why, and where the files are."""
    records = [r for r in judged_records(read_records(folder)) if _belongs_to(run, r)]
    print_table(
        ["solver", "solves", "proved", "found", "nothing", "refused", "failed"],
        [_row(label, [r for r in records if r.contender.label == label]) for label in run.contenders],
    )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for each in run.left_out:
        console.print(f"left out: {each.name} is {each.status}: {each.detail}")
    console.print(f"Records and report are in {folder}")


def _belongs_to(run: BenchRun, record: SolveRecord) -> bool:
    """Whether the record is of a solve that this run asked for, even if an earlier run made it."""
    asked = (run.time_limit_s, run.memory_limit_bytes, run.threads, run.seed)
    used = (record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed)
    return asked == used and record.problem.name in run.problems and record.repeat < run.repeat


def _row(label: str, records: list[SolveRecord]) -> list[str]:
    counts = Counter(_kind(record) for record in records)
    return [
        label,
        str(len(records)),
        *(str(counts[kind]) for kind in ("proved", "found", "nothing", "refused", "failed")),
    ]


def _kind(record: SolveRecord) -> str:
    if record.outcome is not SolveOutcome.ANSWERED:
        return "refused" if record.outcome is SolveOutcome.REFUSED else "failed"
    if record.status in (Status.OPTIMAL, Status.INFEASIBLE):
        return "proved"
    return "found" if record.value is not None else "nothing"
