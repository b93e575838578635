"""Reads the records.jsonl of a comparison of runs, as records or as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from reds_core.compare.record import RESULTS, ResultRecord, RunKey
from reds_core.cost.resources import RESOURCES
from reds_core.registry import Registry

if TYPE_CHECKING:
    import pandas


def read_results(path: str | PathLike[str]) -> tuple[ResultRecord, ...]:
    """Read the results in the order in which the runs were first recorded; only the latest result of a run counts.

    Args:
        path: a records.jsonl, or the folder that contains one.

    Raises:
        InputError: if the file is missing, or a line is not a valid record.
    """
    return latest(RESULTS.read(path))


def latest(records: Sequence[ResultRecord]) -> tuple[ResultRecord, ...]:
    """Drop the records that later ones of the same run replace: a result replaces a failure and that of its budget.

    A failure never replaces results: what failed then is an audit.
    """
    found: dict[RunKey, dict[str | None, ResultRecord]] = {}
    for record in records:
        own = found.setdefault(record.run, {})
        if record.subnetwork is None:
            if not own.keys() - {None}:
                own[None] = record
        else:
            own.pop(None, None)
            own[record.subnetwork.name] = record
    return tuple(record for own in found.values() for record in own.values())


def results_frame(path: str | PathLike[str]) -> pandas.DataFrame:
    """Read the results as a table with a row for each run and budget, and one for a failed run. Missing values are NA.

    recipe, pruner, scorer, solver, seed, name
        identify the run;
    outcome, reason
        say how it ended;
    budget (its name), macs and every other resource (base units), share_macs and so on (of the full network), value,
    bound, gap, status, answered_by (the solver), widths (by group), settings (levels by
    layer; None without transforms)
        describe the subnetwork;
    accuracy_before, accuracy_after, accuracy_int8 and one more for each other kind of exported file, full_before,
    full_after, metric
        are measured on test data: before fine-tuning, of each exported file, and of the full network;
    worst_class, worst_class_change, hurt_classes, flips, ece_change
        are what audits found: the class that loses the most recall and by how much, the number of classes that lose
        more than the average by more than chance, the number of test examples that get another class, and by how much
        the expected calibration error rises; NA without audits;
    search_s, finetune_s, wall_s, epochs, steps
        are totals of the whole run;
    started_at (UTC), jobs, system, cpu, cores, memory_bytes, python, versions (by name), model_sha256, data_sha256
        describe the process, the number of runs at the same time, the machine and the inputs.

    Raises:
        InputError: as `read_results`.
    """
    import pandas

    kinds = Registry().file_kinds()
    columns = {kind.name: f"accuracy_{kind.column}" for each in kinds for kind in each.exported}
    types = _types(columns.values())
    rows = [_row(record, types, columns) for record in read_results(path)]
    return pandas.DataFrame(rows, columns=list(types), dtype=object).astype(types)


def _types(exported: Iterable[str]) -> dict[str, Any]:
    """The columns of the table and their types; `exported`: those with the accuracies of exported files."""
    return {
        **dict.fromkeys(("recipe", "pruner", "scorer", "solver"), "string"),
        "seed": "int64",
        **dict.fromkeys(("name", "outcome", "reason", "budget"), "string"),
        **dict.fromkeys(RESOURCES, "Int64"),
        **dict.fromkeys((f"share_{resource}" for resource in RESOURCES), "Float64"),
        **dict.fromkeys(("value", "bound"), "Int64"),
        "gap": "Float64",
        **dict.fromkeys(("status", "answered_by"), "string"),
        **dict.fromkeys(("widths", "settings"), "object"),
        **dict.fromkeys(("accuracy_before", "accuracy_after", *exported), "Float64"),
        **dict.fromkeys(("full_before", "full_after"), "Float64"),
        "metric": "string",
        "worst_class": "string",
        "worst_class_change": "Float64",
        **dict.fromkeys(("hurt_classes", "flips"), "Int64"),
        "ece_change": "Float64",
        **dict.fromkeys(("search_s", "finetune_s", "wall_s"), "Float64"),
        "epochs": "int64",
        "steps": "Int64",
        "started_at": "datetime64[us, UTC]",
        "jobs": "int64",
        **dict.fromkeys(("system", "cpu"), "string"),
        **dict.fromkeys(("cores", "memory_bytes"), "int64"),
        "python": "string",
        "versions": "object",
        **dict.fromkeys(("model_sha256", "data_sha256"), "string"),
    }


def _row(record: ResultRecord, types: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """A row of the table; `columns`: by kind of exported file the column of its accuracy."""
    machine, made = record.machine, record.subnetwork
    row: dict[str, Any] = dict.fromkeys(types)
    row |= {
        **vars(record.run),
        "name": record.name,
        "outcome": record.outcome.value,
        "reason": record.reason,
        "full_before": record.full.before,
        "full_after": record.full.after,
        "metric": record.metric,
        "search_s": record.search_s,
        "finetune_s": record.finetune_s,
        "wall_s": record.wall_s,
        "epochs": record.epochs,
        "steps": record.steps,
        "started_at": record.started_at,
        "jobs": record.jobs,
        **vars(machine),
        "versions": dict(record.versions),
        "model_sha256": record.model_sha256,
        "data_sha256": record.data_sha256,
    }
    if record.audit is not None:
        row |= vars(record.audit)
    if made is not None:
        row |= {
            "budget": made.name,
            **{resource: amount for resource, amount in made.usage.items() if resource in types},
            **{f"share_{r}": share for r, share in made.share.items() if f"share_{r}" in types},
            "value": made.value,
            "bound": made.bound,
            "gap": made.gap,
            "status": made.status,
            "answered_by": made.solver,
            "widths": dict(made.widths),
            "settings": made.settings,
            "accuracy_before": made.accuracy.before,
            "accuracy_after": made.accuracy.after,
            **{columns[kind]: figure for kind, figure in made.accuracy.exported.items() if kind in columns},
        }
    return row
