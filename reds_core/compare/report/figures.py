"""Draws accuracy against the budget with a curve for each contender, or a row of points if there is one budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reds_core.compare.report import texts
from reds_core.compare.report.results import BudgetResults, Entry, RecipeResults, accuracy
from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.report.facts import Metric
from reds_core.report.page import Picture, picture
from reds_core.report.series import Style, short_names, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL_INCHES = (5.0, 3.6)
_ROW_INCHES = 0.34
_LABEL_LIMIT = 30
_CAP_POINTS = 3


def accuracy_picture(recipe: RecipeResults, number: int) -> Picture | None:
    """Draw mean accuracies with standard deviations; None if no accuracy was measured.

    Args:
        recipe: results of the recipe.
        number: index of the figure on its page.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    budgets = [b for b in recipe.budgets if any(e.figures(accuracy) for e in b.entries)]
    if not budgets:
        return None
    drawn = styles(recipe.labels)
    is_curve = len(budgets) > 1
    figure = _curves(recipe, budgets, drawn) if is_curve else _points(recipe, budgets[0], drawn)
    what = "at each budget" if is_curve else f"at {budgets[0].title}"
    caption = f"{recipe.name}: {recipe.metric.name} {what}, mean ± standard deviation over seeds"
    return picture(figure, f"accuracy{number}", caption, f"{caption}. {_in_words(recipe, budgets)}")


def _in_words(recipe: RecipeResults, budgets: list[BudgetResults]) -> str:
    parts = []
    for budget in budgets:
        means = [(e.label, e.spread(accuracy)) for e in budget.entries]
        described = ", ".join(f"{label} {texts.mean(found, recipe.metric)}" for label, found in means if found)
        parts.append(f"{budget.title}: {described}.")
    return " ".join(parts)


def _scale(metric: Metric) -> tuple[float, str]:
    name = metric.name.capitalize()
    return (100, f"{name} (%)") if metric.is_share else (1, name)


def _curves(recipe: RecipeResults, budgets: list[BudgetResults], drawn: dict[str, Style]) -> Figure:
    scale, title = _scale(recipe.metric)
    names = short_names(list(drawn), _LABEL_LIMIT)
    with drawing():
        figure = new_figure(*_PANEL_INCHES)
        axes = figure.add_subplot()
        for label, style in drawn.items():
            points = [
                (100 * share.mean, scale * found.mean, scale * (found.deviation or 0.0))
                for budget in budgets
                for entry in budget.entries
                if entry.label == label and (found := entry.spread(accuracy)) and (share := budget.share(entry))
            ]
            if points:
                xs, ys, deviations = zip(*sorted(points), strict=True)
                _draw(axes, xs, ys, style, label=names[label], yerr=deviations, linestyle=style.line)
        full = recipe.full_before
        if full is not None:
            axes.axhline(scale * full.mean, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="input model")
        axes.set_xlabel(f"{units.resource_title(budgets[0].resource)} used (% of the full network)")
        axes.set_ylabel(title)
        figure.legend(loc="outside upper center", ncols=2, handlelength=3)
        return figure


def _points(recipe: RecipeResults, budget: BudgetResults, drawn: dict[str, Style]) -> Figure:
    scale, title = _scale(recipe.metric)
    entries = [entry for entry in reversed(budget.entries) if entry.figures(accuracy)]
    names = short_names([entry.label for entry in entries], _LABEL_LIMIT)
    with drawing():
        figure = new_figure(_PANEL_INCHES[0], 1.0 + _ROW_INCHES * len(entries))
        axes = figure.add_subplot()
        for row, entry in enumerate(entries):
            _row(axes, row, entry, drawn[entry.label], scale)
        full = recipe.full_before
        if full is not None:
            axes.axvline(scale * full.mean, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="input model")
            figure.legend(loc="outside upper center", handlelength=3)
        axes.set_yticks(range(len(entries)), [names[entry.label] for entry in entries])
        axes.set_ylim(-0.6, len(entries) - 0.4)
        axes.set_xlabel(title)
        return figure


def _row(axes: Any, row: int, entry: Entry, style: Style, scale: float) -> None:
    found = entry.spread(accuracy)
    assert found is not None
    own = [scale * figure for figure in entry.figures(accuracy).values()]
    axes.plot(own, [row + 0.22] * len(own), "|", color=style.colour, markersize=7)
    _draw(axes, [scale * found.mean], [row], style, xerr=[scale * (found.deviation or 0.0)], linestyle="none")


def _draw(axes: Any, xs: Any, ys: Any, style: Style, **more: Any) -> None:
    axes.errorbar(
        xs, ys, color=style.colour, marker=style.marker, markersize=6, markeredgecolor="white", markeredgewidth=0.6,
        linewidth=1.4, elinewidth=1.0, capsize=_CAP_POINTS, **more,
    )  # fmt: skip
