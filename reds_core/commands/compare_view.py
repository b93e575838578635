"""The tables that `reds compare` shows on stdout at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from reds_core.commands.tables import print_table
from reds_core.compare.reader import read_results
from reds_core.compare.report import texts
from reds_core.compare.report.findings import comparison_findings
from reds_core.compare.report.results import RecipeResults, accuracy, change, compare_runs
from reds_core.compare.runner import CompareRun
from reds_core.report import units


def print_comparison(run: CompareRun, folder: Path) -> None:
    """Print the accuracy of the runs, the findings, and where the files are."""
    asked = {plan.key for plan in run.runs}
    comparison = compare_runs([r for r in read_results(folder) if r.run in asked])
    print_table(
        ["recipe", "budget", "pruner", "seeds", "accuracy", "against the input model"],
        [row for recipe in comparison.recipes for row in _rows(recipe)],
    )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for sentence in comparison_findings(comparison):
        console.print(units.on_terminal(sentence))
    failed = len({r.run for r in comparison.failures})
    if failed:
        console.print(f"{failed} of {len(run.runs)} runs failed; --retry repeats them")
    console.print(f"Runs, records and report are in {folder}")


def _rows(recipe: RecipeResults) -> list[list[str]]:
    rows = []
    for budget in recipe.budgets:
        for entry in budget.entries:
            measured = texts.mean_cell(entry.spread(accuracy), recipe.metric).text
            lost = texts.change_cell(entry.spread(change), recipe.metric).text
            rows.append([recipe.name, budget.title, entry.label, str(len(entry.by_seed)), measured, lost])
    return rows
