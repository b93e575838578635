"""Draws the figures of a comparison. Each solver has its own marker and line style in all of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reds_core.bench.report import axes
from reds_core.bench.report.measures import CLOCK_S, Steps
from reds_core.bench.report.results import SolverResults
from reds_core.report import units
from reds_core.report.plotting import SOFT, TraceStyle, new_plot, plain
from reds_core.report.series import short_names
from reds_core.report.table import duration, factor_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POINTS_DRAWN = 1500
"""Maximum number of points in a scatter; if there are more, only the medians of each solver are shown."""

_HEIGHT, _SQUARE_HEIGHT = 360, 400
_LABEL_LIMIT = 30
_PRECISION = 1e-9
"""Smaller positive shares are drawn at this value."""


def profile_figure(profiles: Mapping[str, Steps], drawn: Mapping[str, TraceStyle], axis: str) -> Figure:
    """Draw performance profiles over a logarithmic factor from 1 on.

    Args:
        profiles: profiles by label, at least one of them with a step.
        drawn: styles by label.
        axis: title of the horizontal axis.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    most = max((p for s in profiles.values() for p in s.places), default=1.0)
    end = max(most * 1.15, 2.0)
    figure = new_plot(_HEIGHT, x=axis, y="Share of problems (%)")
    names = _names(drawn)
    for label, steps in profiles.items():
        places = (1.0, *(p for p in steps.places if p > 1.0), end)
        _curve(figure, label, names[label], drawn[label], places, [steps.at(p) for p in places], factor_text)
    figure.update_xaxes(axes.logarithmic(1.0, end, axes.factor))
    _share_axis(figure)
    return figure


def value_figure(shares: Mapping[str, Steps], drawn: Mapping[str, TraceStyle]) -> Figure:
    """Draw the share of problems over the relative loss, logarithmic; a loss of 0 is at the left edge.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    losses = [p for s in shares.values() for p in s.places if p > 0]
    least = max(min(losses, default=1e-3), _PRECISION)
    zero, end = axes.decade_below(least), max(max(losses, default=1e-2), 2 * least) * 1.15
    figure = new_plot(_HEIGHT, x="Value lost against the best known, at most", y="Share of problems (%)")
    names = _names(drawn)
    for label, steps in shares.items():
        places = (zero, *(p for p in steps.places if p > zero), end)
        ys = [steps.at(0.0 if p == zero else p) for p in places]
        _curve(
            figure,
            label,
            names[label],
            drawn[label],
            places,
            ys,
            lambda p: units.small_percent(0.0 if p == zero else p),
        )
    figure.update_xaxes(axes.logarithmic(zero, end, axes.percent(zero, "0")))
    _share_axis(figure)
    return figure


@dataclass(frozen=True)
class RunPoint:
    """A point of a scatter: problem, seconds, and the relative gap or loss."""

    problem: str
    seconds: float
    share: float


def gap_points(solvers: Sequence[SolverResults]) -> dict[str, tuple[RunPoint, ...]]:
    """Time and gap of every run that has a gap, by label; solvers without such runs are left out."""
    return _points(solvers, lambda e: {n: r.gap for n, r in e.runs.items()})


def loss_points(solvers: Sequence[SolverResults]) -> dict[str, tuple[RunPoint, ...]]:
    """Time and relative loss of every run that has a value, by label; solvers without such runs are left out."""
    return _points(solvers, lambda e: {n: r.loss for n, r in e.runs.items()})


def _points(
    solvers: Sequence[SolverResults], shares: Callable[[SolverResults], Mapping[str, float | None]]
) -> dict[str, tuple[RunPoint, ...]]:
    series = {}
    for solver in solvers:
        points = tuple(
            RunPoint(name, statistics.median(solver.runs[name].times_s), share)
            for name, share in shares(solver).items()
            if share is not None and math.isfinite(share) and share >= 0
        )
        if points:
            series[solver.label] = points
    return series


def scatter_figure(
    series: Mapping[str, Sequence[RunPoint]], drawn: Mapping[str, TraceStyle], axis: str, zero: str
) -> Figure:
    """Draw gap or loss against time, both logarithmic, with a large marker at the medians of each solver.

    Args:
        series: points by label, at least one in all.
        drawn: styles by label.
        axis: title of the vertical axis.
        zero: label of a share of 0, which is drawn on the lowest line.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    every = [p for points in series.values() for p in points]
    least = min((p.share for p in every if p.share > 0), default=1e-3)
    ground = axes.decade_below(max(least, _PRECISION))
    figure = new_plot(_SQUARE_HEIGHT, x="Time", y=axis)
    names = _names(drawn)
    for label, points in series.items():
        xs, ys = [max(p.seconds, CLOCK_S) for p in points], [max(p.share, ground) for p in points]
        name = names[label]
        if len(every) <= POINTS_DRAWN:
            texts = [f"{plain(p.problem)}: {duration(p.seconds)}, {units.small_percent(p.share)}" for p in points]
            figure.add_scatter(
                x=xs, y=ys, name=name, legendgroup=name, showlegend=False, opacity=0.65, text=texts,
                hovertemplate=f"{plain(label)}<br>%{{text}}<extra></extra>", **drawn[label].of_markers(8),
            )  # fmt: skip
        middle = statistics.median_high(p.seconds for p in points), statistics.median_high(p.share for p in points)
        figure.add_scatter(
            x=[statistics.median_high(xs)], y=[statistics.median_high(ys)], name=name, legendgroup=name,
            hovertemplate=f"{plain(label)}, medians of {len(points)} problems<br>{duration(middle[0])}, "
            f"{units.small_percent(middle[1])}<extra></extra>", **drawn[label].of_markers(16),
        )  # fmt: skip
    times = [max(p.seconds, CLOCK_S) for p in every]
    figure.update_xaxes(axes.logarithmic(min(times) / 1.5, max(times) * 1.5, axes.seconds))
    high = max(12 * ground, 1.6 * max(p.share for p in every))
    figure.update_yaxes(axes.logarithmic(ground / 1.6, high, axes.percent(ground, zero)))
    figure.add_hline(y=ground, line={"color": SOFT, "width": 1}, layer="below")
    return figure


@dataclass(frozen=True)
class ProblemPoint:
    """A point of a scatter of times: the problem, its place on the horizontal axis, and seconds."""

    problem: str
    x: float
    seconds: float


def growth_figure(series: Mapping[str, Sequence[ProblemPoint]], drawn: Mapping[str, TraceStyle]) -> Figure:
    """Draw the time to each proof against the number of options of the problem, both logarithmic.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    every = [p for points in series.values() for p in points]
    figure = new_plot(_HEIGHT, x="Options of the problem, all groups together", y="Time to a proof")
    names = _names(drawn)
    for label, points in series.items():
        texts = [f"{plain(p.problem)}: {units.count(p.x)} options, {duration(p.seconds)}" for p in points]
        _problem_points(figure, label, names[label], drawn[label], points, texts)
    figure.update_xaxes(
        axes.logarithmic(min(p.x for p in every) / 1.2, max(p.x for p in every) * 1.2, axes.plain_number)
    )
    figure.update_yaxes(axes.logarithmic(*_ends(p.seconds for p in every), axes.seconds))
    return figure


def pairs_figure(series: Mapping[str, Sequence[ProblemPoint]], drawn: Mapping[str, TraceStyle]) -> Figure:
    """Draw the time with presolve against the time without it, one point for each problem, with the diagonal.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    low, high = _ends(t for points in series.values() for p in points for t in (p.x, p.seconds))
    figure = new_plot(_SQUARE_HEIGHT, x="Time to a proof without presolve", y="Time to a proof with presolve")
    names = _names(drawn)
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", line={"color": SOFT, "width": 1}, hoverinfo="skip", showlegend=False
    )
    for label, points in series.items():
        texts = [f"{plain(p.problem)}: {duration(p.x)} without, {duration(p.seconds)} with presolve" for p in points]
        _problem_points(figure, label, names[label], drawn[label], points, texts)
    figure.update_xaxes(axes.logarithmic(low, high, axes.seconds))
    figure.update_yaxes(axes.logarithmic(low, high, axes.seconds))
    return figure


# --- parts ----------------------------------------------------------------------------------------------------------


def _ends(times: Iterable[float]) -> tuple[float, float]:
    """The ends of an axis of times."""
    every = [max(t, CLOCK_S) for t in times]
    return min(every) / 1.6, max(every) * 1.6


def _problem_points(
    figure: Figure, label: str, name: str, style: TraceStyle, points: Sequence[ProblemPoint], texts: Sequence[str]
) -> None:
    """Draw a marker for each problem."""
    figure.add_scatter(
        x=[max(p.x, CLOCK_S) for p in points], y=[max(p.seconds, CLOCK_S) for p in points], name=name,
        text=texts, hovertemplate=f"{plain(label)}<br>%{{text}}<extra></extra>", **style.of_markers(9),
    )  # fmt: skip


def _curve(
    figure: Figure,
    label: str,
    name: str,
    style: TraceStyle,
    xs: Sequence[float],
    ys: Sequence[float],
    text: Callable[[float], str],
) -> None:
    """Draw a step function whose ends and steps have markers."""
    line = style.of_line()
    figure.add_scatter(
        x=xs, y=[100 * y for y in ys], name=name,
        text=[f"{units.percent(y, 0)} of problems within {text(x)}" for x, y in zip(xs, ys, strict=True)],
        hovertemplate=f"{plain(label)}<br>%{{text}}<extra></extra>",
        **{**line, "line": {**line["line"], "shape": "hv"}, "marker": {**line["marker"], "maxdisplayed": 12}},
    )  # fmt: skip


def _share_axis(figure: Figure) -> None:
    figure.update_yaxes(range=[-2, 104], tickvals=[0, 25, 50, 75, 100])


def _names(drawn: Mapping[str, TraceStyle]) -> dict[str, str]:
    """The names of the solvers in the legend, which are short and differ."""
    return {label: plain(name) for label, name in short_names(list(drawn), _LABEL_LIMIT).items()}
