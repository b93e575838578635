"""Ranks of the contenders over all recipes, budgets and seeds."""

from __future__ import annotations

from reds_core.compare.record import ResultRecord
from reds_core.compare.report.results import RunComparison, accuracy, labels_of
from reds_core.comparison import rank_words
from reds_core.comparison.rank_figure import ranks_picture
from reds_core.comparison.ranks import Ranks, ranked
from reds_core.report.facts import metric_of
from reds_core.report.plotting import Picture, trace_styles
from reds_core.report.table import Table

_NOUN = "block"


def blocks(comparison: RunComparison) -> tuple[dict[str, float], ...]:
    """One block for each recipe, budget and seed: the accuracy of each contender, negative, so that less is better.

    Recipes that measure another metric than accuracy are left out.
    """
    label_of = labels_of(comparison.records)
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for record in comparison.records:
        figure = accuracy(record)
        if record.subnetwork is not None and figure is not None and _is_ranked(record):
            block = found.setdefault((record.run.recipe, record.subnetwork.name, record.run.seed), {})
            block[label_of(record.run)] = -figure
    return tuple(found.values())


def _is_ranked(record: ResultRecord) -> bool:
    return metric_of({"metric": record.metric}).is_share


def ranks_of(comparison: RunComparison) -> Ranks | None:
    """The ranks of the contenders; None if there are too few of them or too few blocks."""
    return ranked(blocks(comparison))


def ranks_finding(comparison: RunComparison) -> str:
    """A sentence on the ranks; empty if there are none."""
    ranks = ranks_of(comparison)
    return "" if ranks is None else rank_words.ranks_sentence(ranks, _NOUN)


def why_unranked(comparison: RunComparison) -> str:
    """A sentence that says why there are no ranks; empty if there are some, or no accuracies."""
    found = blocks(comparison)
    return "" if not found or ranked(found) else rank_words.missing_ranks_sentence(found, _NOUN, "contender")


def ranks_table(comparison: RunComparison) -> Table:
    """Mean ranks of the contenders; without rows if there are none."""
    ranks = ranks_of(comparison)
    caption = "Mean ranks over all recipes, budgets and seeds"
    return rank_words.ranks_table(ranks, caption, "Contender") if ranks else Table(caption, "Contender", (), ())


def ranks_diagram(comparison: RunComparison) -> Picture | None:
    """The critical-difference diagram; None if there are no ranks.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    ranks = ranks_of(comparison)
    if ranks is None:
        return None
    styles = trace_styles(tuple(dict.fromkeys(map(labels_of(comparison.records), (r.run for r in comparison.records)))))
    return ranks_picture(ranks, styles, "ranks", "accuracy in each recipe, at each budget, for each seed")
