"""The tables of a comparison of runs: accuracy at each budget, time, failures and settings."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from reds_core.compare.record import ResultRecord, RunKey
from reds_core.compare.report import texts
from reds_core.compare.report.results import (
    BudgetResults,
    Entry,
    RecipeResults,
    RunComparison,
    accuracy,
    accuracy_before,
    accuracy_of,
    change,
    value,
)
from reds_core.compare.statistics import Spread, spread
from reds_core.report import units
from reds_core.report.facts import Metric
from reds_core.report.table import NOTHING, Block, Cell, Row, Table, one_block, prose_table, seconds, whole


def accuracy_table(recipe: RecipeResults) -> Table:
    """Mean accuracy ± standard deviation at each budget, the best contender first."""
    unit = ", points" if recipe.metric.is_share else ""
    columns = ("After", f"Against the best{unit}", f"Change{unit}", "Before", "int8", "Used", "Value")
    blocks = []
    for budget in recipe.budgets:
        rows = tuple(_accuracy_row(recipe, budget, entry) for entry in budget.entries)
        blocks.append(Block(budget.title, rows))
    caption = f"{recipe.name}: {recipe.metric.name} at each budget, mean ± standard deviation over seeds"
    return Table(caption, "Pruner", columns, tuple(blocks), is_sortable=True)


def _accuracy_row(recipe: RecipeResults, budget: BudgetResults, entry: Entry) -> Row:
    metric, is_best = recipe.metric, entry in budget.best
    share = budget.share(entry)
    worth = entry.spread(value)
    against = texts.difference_cell(entry.above(budget.best[0]), metric) if budget.best else NOTHING
    return Row(
        Cell(entry.label),
        (
            texts.mean_cell(entry.spread(accuracy), metric, with_count=True, tone="proved" if is_best else ""),
            Cell("best") if is_best else against,
            texts.change_cell(entry.spread(change), metric),
            texts.mean_cell(entry.spread(accuracy_before), metric),
            texts.mean_cell(entry.spread(accuracy_of(recipe.kinds.int8)), metric),
            NOTHING if share is None else Cell(units.percent(share.mean), share.mean),
            NOTHING if worth is None else Cell(units.count(worth.mean), worth.mean),
        ),
    )


def audit_table(recipe: RecipeResults) -> Table | None:
    """Whom compression hurts at each budget, as means over audited runs; None if no run was audited."""
    if all(record.audit is None for record in recipe.records):
        return None
    blocks = []
    for budget in recipe.budgets:
        rows = [Row(Cell(entry.label), _audit_cells(entry)) for entry in budget.entries]
        blocks.append(Block(budget.title, tuple(rows)))
    columns = ("Worst class, points", "Worst classes", "Classes hurt", "Flips", "Rise of ECE")
    caption = f"{recipe.name}: whom compression hurts at each budget, mean ± standard deviation over seeds"
    return Table(caption, "Pruner", columns, tuple(blocks), is_sortable=True)


def _audit_cells(entry: Entry) -> tuple[Cell, ...]:
    audits = [record.audit for record in entry.by_seed.values() if record.audit is not None]
    names = dict.fromkeys(each.worst_class for each in audits if each.worst_class is not None)
    changes = [each.worst_class_change for each in audits if each.worst_class_change is not None]
    return (
        texts.change_cell(spread(changes), Metric("recall")),
        Cell(", ".join(names) or units.DASH),
        _spread_cell(spread([each.hurt_classes for each in audits]), "{:.1f}"),
        _spread_cell(spread([each.flips for each in audits]), "{:.0f}"),
        _spread_cell(spread([each.ece_change for each in audits]), "{:+.3f}"),
    )


def _spread_cell(found: Spread | None, form: str) -> Cell:
    if found is None:
        return NOTHING
    deviation = "" if found.deviation is None else " ± " + form.replace("+", "").format(found.deviation)
    return Cell(form.format(found.mean).replace("-", "−") + deviation, found.mean)


def time_table(recipe: RecipeResults) -> Table:
    """Mean times, epochs and steps of the finished runs."""
    columns = ("Runs", "Search", "Fine-tuning", "Whole run", "Epochs", "Steps")
    rows = [
        Row(
            Cell(label),
            (
                whole(len(runs)),
                seconds(_mean(runs, lambda r: r.search_s)),
                seconds(_mean(runs, lambda r: r.finetune_s)),
                seconds(_mean(runs, lambda r: r.wall_s)),
                Cell(", ".join(dict.fromkeys(str(r.epochs) for r in runs))),
                Cell(", ".join(dict.fromkeys(str(r.steps) for r in runs if r.steps is not None)) or units.DASH),
            ),
        )
        for label, runs in recipe.runs.items()
        if runs
    ]
    return Table(f"{recipe.name}: mean time of a run", "Pruner", columns, one_block(rows), is_sortable=True)


def _mean(runs: Sequence[ResultRecord], figure: Callable[[ResultRecord], float | None]) -> float | None:
    found = [number for number in map(figure, runs) if number is not None and units.exists(number)]
    return statistics.fmean(found) if found else None


def failures_table(comparison: RunComparison) -> Table:
    """Failed runs with the reasons."""
    rows = [
        Row(
            Cell(recipe.name),
            (
                Cell(recipe.label(r.run)),
                Cell(str(r.run.seed)),
                Cell(r.outcome.value.replace("_", " "), tone="failed"),
                Cell(r.reason or units.DASH),
            ),
        )
        for recipe in comparison.recipes
        for r in recipe.failures
    ]
    return Table(
        "Runs that failed", "Recipe", ("Pruner", "Seed", "Outcome", "Reason"), one_block(rows), is_sortable=True
    )


def recipes_table(comparison: RunComparison) -> Table:
    """The pruners, scorers, solvers and seeds of each recipe."""
    rows = []
    for recipe in comparison.recipes:
        keys = [r.run for r in recipe.records]
        full = recipe.full_before
        cells = (
            Cell(_listed(keys, lambda k: k.pruner)),
            Cell(_listed(keys, lambda k: k.scorer)),
            Cell(_listed(keys, lambda k: k.solver)),
            Cell(_listed(sorted(keys, key=lambda k: k.seed), lambda k: str(k.seed))),
            NOTHING if full is None else Cell(texts.mean(full, recipe.metric), full.mean),
        )
        rows.append(Row(Cell(recipe.name), cells))
    return Table(
        "Recipes",
        "Recipe",
        ("Pruners", "Scorers", "Solvers", "Seeds", "Input model"),
        one_block(rows),
        is_sortable=True,
    )


def _listed(items: Sequence[RunKey], text: Callable[[RunKey], str]) -> str:
    return ", ".join(dict.fromkeys(map(text, items)))


def environment_table(comparison: RunComparison) -> Table:
    """The period, the machines and the library versions of the runs."""
    records = comparison.records
    times = sorted(r.started_at for r in records)
    machines = dict.fromkeys(
        f"{r.machine.cpu}, {units.count(r.machine.cores)} cores, {units.byte_size(r.machine.memory_bytes)}, "
        f"{r.machine.system}, Python {r.machine.python}"
        for r in records
    )
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for library, version in record.versions.items():
            versions.setdefault(library, {})[version] = None
    found = {
        "Start of first and last run": f"{times[0]} to {times[-1]}" if times else "",
        "Runs at the same time": ", ".join(units.count(n) for n in sorted({r.jobs for r in records})),
        "Machines": "; ".join(machines),
        "Versions": ", ".join(f"{name} {' and '.join(own)}" for name, own in sorted(versions.items())),
    }
    return prose_table("How it was run", "Fact", {name: text for name, text in found.items() if text})
