"""Summarises a comparison of runs in sentences, and warns of what limits its results."""

from __future__ import annotations

from collections import Counter

from reds_core.compare.report import texts
from reds_core.compare.report.ranking import ranks_finding
from reds_core.compare.report.results import BudgetResults, RecipeResults, RunComparison, accuracy
from reds_core.report import units
from reds_core.report.facts import Metric
from reds_core.report.units import many

_LISTED = 6


def headline(comparison: RunComparison) -> str:
    """One sentence on the number of runs, recipes and seeds."""
    if not comparison.records:
        return "No run was recorded."
    failed, missing = len({r.run for r in comparison.failures}), comparison.missing
    recipes = many(len(comparison.recipes), "recipe")
    runs, seeds = comparison.run_count, len({r.run.seed for r in comparison.records})
    ending = f"{many(failed, 'run')} failed" if failed else "none failed so far" if missing else "all finished"
    return f"{many(runs, 'run')} of {recipes} with {many(seeds, 'seed')}, {ending}."


def comparison_findings(comparison: RunComparison) -> tuple[str, ...]:
    """A sentence for each recipe and budget on the best contender and its lead, and one on ranks over all of them."""
    winners = (winner(recipe, budget) for recipe in comparison.recipes for budget in recipe.budgets)
    return tuple(sentence for sentence in (*winners, ranks_finding(comparison)) if sentence)


def winner(recipe: RecipeResults, budget: BudgetResults) -> str | None:
    """A sentence on the best mean accuracy at a budget against the second best; None if nothing can be ranked."""
    if not budget.best:
        return None
    best, place = budget.best[0], f"{recipe.name}, {budget.title}"
    found = best.spread(accuracy)
    assert found is not None
    if len(budget.best) > 1:
        labels = units.listed(tuple(entry.label for entry in budget.best), _LISTED)
        mean = f"{texts.mean(found, recipe.metric)} ({many(found.n, 'seed')})"
        return f"{place}: {labels} share the highest mean, {mean}."
    ranked = [entry for entry in budget.entries if entry.figures(accuracy)]
    opening = f"{place}: {best.label} has {texts.mean(found, recipe.metric)} ({many(found.n, 'seed')})"
    if len(ranked) == 1:
        return f"{opening}."
    return f"{opening}, {_against(recipe.metric, budget, best.label, ranked[1].label)}."


def _against(metric: Metric, budget: BudgetResults, best: str, second: str) -> str:
    entries = {entry.label: entry for entry in budget.entries}
    found = entries[best].above(entries[second])
    if found is None:
        return f"followed by {second}, with which it has no seed in common"
    error = "" if found.error is None else f" ± {texts.number(found.error, metric)}"
    below = f"{texts.number(-found.mean, metric)}{error} points below {second}"
    points = below if found.mean < 0 else f"{texts.signed(found.mean, metric)}{error} points above {second}"
    return f"{points} (paired over {many(found.n, 'seed')}): {texts.verdict(found, metric)}"


def comparison_warnings(comparison: RunComparison) -> tuple[str, ...]:
    """Sentences on why the results may not be comparable."""
    found = []
    if comparison.missing:
        missing = many(comparison.missing, "run")
        found.append(f"{missing} of the comparison {'is' if comparison.missing == 1 else 'are'} not done yet.")
    for recipe in comparison.recipes:
        found += _uneven(recipe)
        if len({r.data_sha256 for r in recipe.records if r.data_sha256}) > 1:
            found.append(f"{recipe.name}: its runs did not all use the same data.")
        # models that each run trains have hashes of their own
        files = Counter({r.run: r.model_sha256 for r in recipe.records if r.model_sha256}.values())
        if len(files) > 1 and max(files.values()) > 1:
            found.append(f"{recipe.name}: its runs did not all start from the same model file.")
        elif _other_models(recipe):
            found.append(f"{recipe.name}: runs of one seed did not start from the same network.")
    unaudited = {r.name: r.audit_failure for r in comparison.records if r.audit_failure}
    if unaudited:
        name, reason = next(iter(unaudited.items()))
        found.append(f"{many(len(unaudited), 'run')} could not be audited, such as {name}: {reason}.")
    most = max((r.jobs for r in comparison.records), default=1)
    if most > 1:
        found.append(
            f"Up to {most} runs were performed at the same time and may have shared cores, which makes their times "
            "longer to different degrees."
        )
    machines = {r.machine for r in comparison.records}
    if len(machines) > 1:
        found.append(f"The runs were made on {len(machines)} machines: their times are not comparable.")
    resumed = {r.run for r in comparison.records if r.subnetwork is not None and r.wall_s is None}
    if resumed:
        found.append(
            f"{many(len(resumed), 'run')} resumed after an interruption: the time of the whole run is unknown."
        )
    return tuple(found)


def _other_models(recipe: RecipeResults) -> bool:
    """Whether input models of the same seed differ in accuracy; hashes of saved models depend on the time of saving."""
    seen: dict[int, set[float]] = {}
    for record in recipe.records:
        if record.full.before is not None:
            seen.setdefault(record.run.seed, set()).add(record.full.before)
    return any(len(figures) > 1 for figures in seen.values())


def _uneven(recipe: RecipeResults) -> list[str]:
    seeds = {label: {r.run.seed for r in runs} for label, runs in recipe.runs.items()}
    every = set().union(*seeds.values()) if seeds else set()
    lacking = [f"{label} ({len(own)} of {len(every)})" for label, own in seeds.items() if own != every]
    if not lacking:
        return []
    return [f"{recipe.name}: not every contender has every seed: {units.listed(tuple(lacking), _LISTED)}."]
