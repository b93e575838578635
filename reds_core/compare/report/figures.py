"""Draws accuracy against the budget with a curve for each contender, or a row of points if there is one budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reds_core.compare.report import texts
from reds_core.compare.report.results import BudgetResults, Entry, RecipeResults, accuracy
from reds_core.report import units
from reds_core.report.facts import Metric
from reds_core.report.plotting import INK, Picture, TraceStyle, interactive, new_plot, plain, trace_styles
from reds_core.report.series import short_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 380
_ROW_PIXELS, _OTHER_PIXELS = 42, 110
_LABEL_LIMIT = 30


def accuracy_picture(recipe: RecipeResults, number: int) -> Picture | None:
    """Draw mean accuracies with standard deviations; None if no accuracy was measured.

    Args:
        recipe: results of the recipe.
        number: index of the figure on its page.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    budgets = [b for b in recipe.budgets if any(e.figures(accuracy) for e in b.entries)]
    if not budgets:
        return None
    drawn = trace_styles(recipe.labels)
    is_curve = len(budgets) > 1
    figure = _curves(recipe, budgets, drawn) if is_curve else _points(recipe, budgets[0], drawn)
    what = "at each budget" if is_curve else f"at {budgets[0].title}"
    caption = f"{recipe.name}: {recipe.metric.name} {what}, mean ± standard deviation over seeds"
    return interactive(figure, f"accuracy-{number}", caption, f"{caption}. {_in_words(recipe, budgets)}")


def _in_words(recipe: RecipeResults, budgets: list[BudgetResults]) -> str:
    parts = []
    for budget in budgets:
        means = [(e.label, e.spread(accuracy)) for e in budget.entries]
        described = ", ".join(f"{label} {texts.mean(found, recipe.metric)}" for label, found in means if found)
        parts.append(f"{budget.title}: {described}.")
    return " ".join(parts)


def _scale(metric: Metric) -> tuple[float, str]:
    name = plain(metric.name.capitalize())
    return (100, f"{name} (%)") if metric.is_share else (1, name)


def _curves(recipe: RecipeResults, budgets: list[BudgetResults], drawn: dict[str, TraceStyle]) -> Figure:
    scale, title = _scale(recipe.metric)
    names = short_names(list(drawn), _LABEL_LIMIT)
    resource = plain(units.resource_title(budgets[0].resource))
    figure = new_plot(_HEIGHT, x=f"{resource} used (% of the full network)", y=title)
    for label, style in drawn.items():
        points = sorted(
            (100 * share.mean, scale * found.mean, scale * (found.deviation or 0.0), _hover(recipe, budget, entry))
            for budget in budgets
            for entry in budget.entries
            if entry.label == label and (found := entry.spread(accuracy)) and (share := budget.share(entry))
        )
        if points:
            xs, ys, deviations, shown = zip(*points, strict=True)
            figure.add_scatter(
                x=xs, y=ys, error_y=_bars(style, deviations), name=plain(names[label]), text=shown,
                hovertemplate="%{text}<extra></extra>", **style.of_line(),
            )  # fmt: skip
    full = recipe.full_before
    if full is not None:
        figure.add_hline(y=scale * full.mean, line={"color": INK, "width": 1, "dash": "dot"})
        _name_of_line(figure, {"x": 0.005, "xref": "paper", "y": scale * full.mean, "xanchor": "left"})
    return figure


def _points(recipe: RecipeResults, budget: BudgetResults, drawn: dict[str, TraceStyle]) -> Figure:
    scale, title = _scale(recipe.metric)
    entries = [entry for entry in budget.entries if entry.figures(accuracy)]
    names = short_names([entry.label for entry in entries], _LABEL_LIMIT)
    figure = new_plot(_OTHER_PIXELS + _ROW_PIXELS * len(entries), x=title, has_legend=False)
    for row, entry in enumerate(entries):
        found, style = entry.spread(accuracy), drawn[entry.label]
        assert found is not None
        own = entry.figures(accuracy)
        figure.add_scatter(
            x=[scale * number for number in own.values()], y=[row - 0.24] * len(own), mode="markers",
            marker={"color": style.colour, "symbol": "line-ns-open", "size": 11},
            text=[f"seed {seed}: {texts.number(number, recipe.metric)}" for seed, number in own.items()],
            hovertemplate=f"{plain(entry.label)}<br>%{{text}}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[scale * found.mean], y=[row], error_x=_bars(style, [scale * (found.deviation or 0.0)]),
            hovertemplate=f"{_hover(recipe, budget, entry)}<extra></extra>", **style.of_markers(11),
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(entries))), ticktext=[plain(names[entry.label]) for entry in entries],
        range=[len(entries) - 0.5, -0.6],
    )  # fmt: skip
    full = recipe.full_before
    if full is not None:
        figure.add_vline(x=scale * full.mean, line={"color": INK, "width": 1, "dash": "dot"})
        _name_of_line(figure, {"x": scale * full.mean, "y": 1, "yref": "paper", "xanchor": "right"})
    return figure


def _name_of_line(figure: Figure, place: dict[str, Any]) -> None:
    figure.add_annotation(text="input model", showarrow=False, yanchor="bottom", font={"color": INK}, **place)


def _hover(recipe: RecipeResults, budget: BudgetResults, entry: Entry) -> str:
    found = entry.spread(accuracy)
    shown = "" if found is None else f"{texts.mean(found, recipe.metric)}, {units.many(found.n, 'seed')}"
    return f"{plain(entry.label)}, {plain(budget.title)}<br>{shown}"


def _bars(style: TraceStyle, deviations: Any) -> dict[str, Any]:
    return {"type": "data", "array": list(deviations), "color": style.colour, "thickness": 1.5, "width": 5}
