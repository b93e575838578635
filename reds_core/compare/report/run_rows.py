"""A table with a row for each run and budget, with links to the reports of the runs."""

from __future__ import annotations

from collections.abc import Container
from urllib.parse import quote

from reds_core.compare.record import ResultRecord
from reds_core.compare.report import texts
from reds_core.compare.report.results import RecipeResults, RunComparison, accuracy, accuracy_of
from reds_core.compare.runner import RUNS_FOLDER
from reds_core.report import units
from reds_core.report.facts import Metric
from reds_core.report.run_report import REPORT_FILE
from reds_core.report.table import NOTHING, Cell, Row, Table, one_block, seconds


def report_of(name: str) -> str:
    """The path of the report of a run, relative to the folder of the comparison."""
    return f"{RUNS_FOLDER}/{name}/{REPORT_FILE}"


def runs_table(comparison: RunComparison, linked: Container[str]) -> Table:
    """The accuracies and times of each run at each budget.

    Args:
        comparison: the results.
        linked: the names of the runs to whose reports it links.
    """
    rows = [
        _row(recipe, record, record.name in linked)
        for recipe in comparison.recipes
        for record in recipe.records
        if record.subnetwork is not None
    ]
    columns = ("Pruner", "Seed", "Budget", "After", "int8", "Used", "Whole run", "Report")
    return Table("Every run at each budget", "Recipe", columns, one_block(rows), is_sortable=True)


def _row(recipe: RecipeResults, record: ResultRecord, is_linked: bool) -> Row:
    made, metric = record.subnetwork, recipe.metric
    assert made is not None
    budget = next((b for b in recipe.budgets if b.name == made.name), None)
    share = None if budget is None else made.share.get(budget.resource)
    return Row(
        Cell(recipe.name),
        (
            Cell(recipe.label(record.run)),
            Cell(str(record.run.seed), record.run.seed),
            Cell(made.name if budget is None else budget.title),
            _figure(accuracy(record), metric),
            _figure(accuracy_of(recipe.kinds.int8)(record), metric),
            NOTHING if share is None else Cell(units.percent(share), share),
            seconds(record.wall_s),
            Cell(REPORT_FILE, link=quote(report_of(record.name))) if is_linked else NOTHING,
        ),
    )


def _figure(number: float | None, metric: Metric) -> Cell:
    if number is None or not units.exists(number):
        return NOTHING
    return Cell(f"{texts.number(number, metric)}{texts.unit(metric)}", number)
