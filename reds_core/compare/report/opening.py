"""The opening of the report of a comparison of pruning runs: its title, its findings and its warnings."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.compare.report import findings
from reds_core.compare.report.results import RunComparison, labels_of
from reds_core.report import units
from reds_core.report.comparison import Opening

KIND = "Pruning comparison"


_NAMED = 4


def title_of(comparison: RunComparison) -> str:
    """A title that says which contenders were compared on which recipes."""
    label_of = labels_of(comparison.records)
    contenders = tuple(dict.fromkeys(label_of(record.run) for record in comparison.records))
    if not contenders:
        return KIND
    names = [recipe.name for recipe in comparison.recipes]
    where = _joined(names) if len(names) <= _NAMED else units.many(len(names), "recipe")
    return (
        f"{_joined(contenders) if len(contenders) <= _NAMED else units.many(len(contenders), 'contender')} on {where}"
    )


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def opening(comparison: RunComparison, title: str | None) -> Opening:
    """Make the opening, which the page and the summary share; by default the title names what was compared."""
    return Opening(
        KIND,
        title_of(comparison) if title is None else title,
        findings.headline(comparison),
        findings.comparison_findings(comparison),
        findings.comparison_warnings(comparison),
    )
