"""Reads the records.jsonl of a solver comparison, as records or as a pandas table."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.bench.verdicts import judge
from reds_core.knapsack.levels import LevelSettings
from reds_core.system.record_lines import RecordKind

if TYPE_CHECKING:
    import pandas

SOLVES = RecordKind(SolveRecord, "a solve", "reds bench")


def read_records(path: str | PathLike[str]) -> tuple[SolveRecord, ...]:
    """Read the records of a comparison in the order in which the solves ended.

    An incomplete last line, as a killed process leaves it, is ignored.

    Args:
        path: a records.jsonl, or the folder that contains one.

    Raises:
        InputError: if the file is missing, or a line is not a valid record.
    """
    return SOLVES.read(path)


def without_figures(record: SolveRecord, outcome: SolveOutcome, reason: str) -> SolveRecord:
    """Replace the outcome of a record and remove its solution."""
    return replace(
        record,
        outcome=outcome,
        reason=reason,
        status=None,
        limit=None,
        value=None,
        bound=None,
        gap=None,
        widths=None,
        settings=LevelSettings(),
    )


def judged_records(records: tuple[SolveRecord, ...]) -> tuple[SolveRecord, ...]:
    """Turn the records whose claims are refuted by other records into BROKE_CONTRACT, with the reason."""
    false = judge(records).false_claims
    return tuple(
        without_figures(r, SolveOutcome.BROKE_CONTRACT, false[i]) if i in false else r for i, r in enumerate(records)
    )


def records_frame(path: str | PathLike[str], judged: bool = True) -> pandas.DataFrame:
    """Read the records as a table with one row for each solve. Columns with missing values have nullable types.

    problem, sha256, groups, options, pairs, resources (names, joined by a comma), optimum, lp_bound
        describe the problem;
    contender, solver, solver_options (as KEY=VALUE, joined by a comma), presolve, distribution, version
        describe the solver;
    repeat, time_limit_s, memory_limit_bytes, threads, seed, jobs, started_at (UTC), gap_asked
        are the settings of the solve;
    outcome, reason, status, limit, value, bound, gap, wall_s, cpu_s, backend_s, peak_memory_bytes, widths (by
        group), detail (joined by "; ") are its result;
    load, system, cpu, cores, memory_bytes, python, versions (by name)
        describe the machine and the libraries.

    Args:
        path: a records.jsonl, or the folder that contains one.
        judged: whether to show answers that other records refute as outcome "broke_contract" without a solution.

    Raises:
        InputError: as `read_records`.
    """
    import pandas

    records = read_records(path)
    rows = [_row(r) for r in (judged_records(records) if judged else records)]
    # as objects first, since pandas would convert integers next to None to doubles
    frame = pandas.DataFrame(rows, columns=list(_TYPES), dtype=object)
    return frame.astype(_TYPES)


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("problem", "sha256"), "string"),
    **dict.fromkeys(("groups", "options", "pairs"), "int64"),
    "resources": "string",
    **dict.fromkeys(("optimum", "lp_bound"), "Int64"),
    **dict.fromkeys(("contender", "solver", "solver_options"), "string"),
    "presolve": "boolean",
    **dict.fromkeys(("distribution", "version"), "string"),
    "repeat": "int64",
    "time_limit_s": "float64",
    **dict.fromkeys(("memory_limit_bytes", "threads", "seed"), "Int64"),
    "jobs": "int64",
    "started_at": "datetime64[us, UTC]",
    "gap_asked": "Float64",
    **dict.fromkeys(("outcome", "reason", "status", "limit"), "string"),
    **dict.fromkeys(("value", "bound"), "Int64"),
    "gap": "Float64",
    "wall_s": "float64",
    **dict.fromkeys(("cpu_s", "backend_s"), "Float64"),
    "peak_memory_bytes": "Int64",
    "widths": "object",
    "detail": "string",
    "load": "Float64",
    **dict.fromkeys(("system", "cpu"), "string"),
    **dict.fromkeys(("cores", "memory_bytes"), "int64"),
    "python": "string",
    "versions": "object",
}
"""Columns of the table and their types. Values and bounds are integers that doubles cannot represent exactly."""


def _row(record: SolveRecord) -> dict[str, Any]:
    problem, contender, machine = record.problem, record.contender, record.machine
    return {
        "problem": problem.name,
        "sha256": problem.sha256,
        "groups": problem.groups,
        "options": problem.options,
        "pairs": problem.pairs,
        "resources": ",".join(problem.resources),
        "optimum": problem.optimum,
        "lp_bound": problem.lp_bound,
        "contender": contender.label,
        "solver": contender.solver,
        "solver_options": ",".join(f"{key}={text}" for key, text in contender.options.items()),
        "presolve": contender.presolve,
        "distribution": contender.distribution,
        "version": contender.version,
        "repeat": record.repeat,
        "time_limit_s": record.time_limit_s,
        "memory_limit_bytes": record.memory_limit_bytes,
        "threads": record.threads,
        "seed": record.seed,
        "jobs": record.jobs,
        "started_at": record.started_at,
        "gap_asked": record.gap_asked,
        "outcome": record.outcome.value,
        "reason": record.reason,
        "status": None if record.status is None else record.status.value,
        "limit": None if record.limit is None else record.limit.value,
        "value": record.value,
        "bound": record.bound,
        "gap": record.gap,
        "wall_s": record.wall_s,
        "cpu_s": record.cpu_s,
        "backend_s": record.backend_s,
        "peak_memory_bytes": record.peak_memory_bytes,
        "widths": record.widths,
        "detail": "; ".join(record.detail),
        "load": record.load,
        "system": machine.system,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "python": machine.python,
        "versions": record.versions,
    }
