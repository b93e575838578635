"""Draws the figures of a comparison. Each solver has its own marker and line style, and is named beside its curve."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reds_core.bench.report.measures import CLOCK_S, Steps
from reds_core.bench.report.results import SolverResults
from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.report.series import Style, short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_DRAWN = 1500
"""Maximum number of points in a scatter; if there are more, only the medians of each solver are shown."""

_PANEL_INCHES = (5.0, 3.6)
_SQUARE_INCHES = (5.0, 4.0)
_LABEL_LIMIT = 26
_LINE_POINTS = 9.0
_MARKS_A_CURVE = 5
_TICKS_AT_LEAST = 3
_PRECISION = 1e-9
"""Smaller positive shares are drawn at this value."""


def profile_figure(profiles: Mapping[str, Steps], drawn: Mapping[str, Style], axis: str) -> Figure:
    """Draw performance profiles over a logarithmic factor from 1 on.

    Args:
        profiles: profiles by label, at least one of them with a step.
        drawn: styles by label.
        axis: title of the horizontal axis.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    most = max((p for s in profiles.values() for p in s.places), default=1.0)
    end = max(most * 1.15, 2.0)
    with drawing():
        figure = new_figure(*_PANEL_INCHES)
        axes = figure.add_subplot()
        for label, steps in profiles.items():
            places = (1.0, *(p for p in steps.places if p > 1.0), end)
            _curve(axes, places, [steps.at(p) for p in places], drawn[label])
        axes.set_xscale("log")
        axes.set_xlim(1.0, end)
        _share_axis(axes)
        axes.set_xlabel(axis)
        _factor_ticks(axes.xaxis)
        _name_at_the_right(axes, {label: 100 * steps.end for label, steps in profiles.items()}, drawn)
        return figure


def value_figure(shares: Mapping[str, Steps], drawn: Mapping[str, Style]) -> Figure:
    """Draw the share of problems over the relative loss, logarithmic; a loss of 0 is at the left edge.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    losses = [p for s in shares.values() for p in s.places if p > 0]
    least = max(min(losses, default=1e-3), _PRECISION)
    zero, end = _decade_below(least), max(max(losses, default=1e-2), 2 * least) * 1.15
    with drawing():
        figure = new_figure(*_PANEL_INCHES)
        axes = figure.add_subplot()
        for label, steps in shares.items():
            places = (zero, *(p for p in steps.places if p > zero), end)
            _curve(axes, places, [steps.at(0.0 if p == zero else p) for p in places], drawn[label])
        axes.set_xscale("log")
        axes.set_xlim(zero, end)
        _share_axis(axes)
        axes.set_xlabel("Value lost against the best known, at most")
        _percent_ticks(axes.xaxis, zero, "0")
        _name_at_the_right(axes, {label: 100 * steps.end for label, steps in shares.items()}, drawn)
        return figure


@dataclass(frozen=True)
class RunPoint:
    """A point of a scatter: seconds, and the relative gap or loss."""

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
            RunPoint(statistics.median(solver.runs[name].times_s), share)
            for name, share in shares(solver).items()
            if share is not None and math.isfinite(share) and share >= 0
        )
        if points:
            series[solver.label] = points
    return series


def scatter_figure(
    series: Mapping[str, Sequence[RunPoint]], drawn: Mapping[str, Style], axis: str, zero: str
) -> Figure:
    """Draw gap or loss against time, both logarithmic, with a large marker at the medians of each solver.

    Args:
        series: points by label, at least one in all.
        drawn: styles by label.
        axis: title of the vertical axis.
        zero: label of a share of 0, which is drawn on the lowest line.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    every = [p for points in series.values() for p in points]
    least = min((p.share for p in every if p.share > 0), default=1e-3)
    ground = _decade_below(max(least, _PRECISION))
    with drawing():
        figure = new_figure(*_SQUARE_INCHES)
        axes = figure.add_subplot()
        middles = {}
        for label, points in series.items():
            style = drawn[label]
            xs, ys = [max(p.seconds, CLOCK_S) for p in points], [max(p.share, ground) for p in points]
            if len(every) <= POINTS_DRAWN:
                axes.plot(xs, ys, ls="", marker=style.marker, color=style.colour, ms=3.6, alpha=0.35, mew=0)
            middles[label] = (statistics.median_high(xs), statistics.median_high(ys))
            axes.plot(
                *middles[label], marker=style.marker, color=style.colour, ms=9, mec="white", mew=1.0, ls="", zorder=3
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(0.06)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, ground / 1.6), max(high, 12 * ground))
        axes.axhline(ground, color=INK, lw=0.8, zorder=1)
        _plain_ticks(axes.xaxis)
        _percent_ticks(axes.yaxis, ground, zero)
        axes.set_xlabel("Time (s)")
        axes.set_ylabel(axis)
        _name_at_the_right(axes, {label: y for label, (_, y) in middles.items()}, drawn)
        return figure


def growth_figure(series: Mapping[str, Sequence[tuple[float, float]]], drawn: Mapping[str, Style]) -> Figure:
    """Draw the time to each proof against the number of options of the problem, both logarithmic.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    with drawing():
        figure = new_figure(*_PANEL_INCHES)
        axes = figure.add_subplot()
        _points_of_each(axes, series, drawn)
        axes.set_xlabel("Options of the problem, all groups together")
        axes.set_ylabel("Time to a proof (s)")
        _plain_ticks(axes.xaxis)
        _plain_ticks(axes.yaxis)
        # each name is at the height of the time for the largest problem
        _name_at_the_right(axes, {label: max(points)[1] for label, points in series.items()}, drawn)
        return figure


def pairs_figure(series: Mapping[str, Sequence[tuple[float, float]]], drawn: Mapping[str, Style]) -> Figure:
    """Draw the time with presolve against the time without it, one point for each problem, with the diagonal.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    every = [max(t, CLOCK_S) for pairs in series.values() for pair in pairs for t in pair]
    low, high = min(every) / 1.6, max(every) * 1.6
    with drawing():
        figure = new_figure(*_SQUARE_INCHES)
        axes = figure.add_subplot()
        axes.plot([low, high], [low, high], color=INK, lw=0.8)
        _points_of_each(axes, series, drawn)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        _plain_ticks(axes.xaxis)
        _plain_ticks(axes.yaxis)
        axes.set_xlabel("Time to a proof without presolve (s)")
        axes.set_ylabel("Time to a proof with presolve (s)")
        middles = {label: statistics.median(max(y, CLOCK_S) for _, y in pairs) for label, pairs in series.items()}
        _name_at_the_right(axes, middles, drawn)
        return figure


# --- parts ----------------------------------------------------------------------------------------------------------


def _points_of_each(axes: Any, series: Mapping[str, Sequence[tuple[float, float]]], drawn: Mapping[str, Style]) -> None:
    """Draw the points of each label on logarithmic axes."""
    for label, points in series.items():
        style = drawn[label]
        xs, ys = [max(x, CLOCK_S) for x, _ in points], [max(y, CLOCK_S) for _, y in points]
        axes.plot(xs, ys, ls="", marker=style.marker, color=style.colour, ms=5.5, mec="white", mew=0.5)
    axes.set_xscale("log")
    axes.set_yscale("log")


def _curve(axes: Any, xs: Sequence[float], ys: Sequence[float], style: Style) -> None:
    """Draw a step function with a few markers."""
    axes.plot(
        xs, [100 * y for y in ys], drawstyle="steps-post", color=style.colour, linestyle=style.line, linewidth=1.5,
        marker=style.marker, markersize=5.5, markeredgecolor="white", markeredgewidth=0.6,
        markevery=max(1, math.ceil(len(xs) / _MARKS_A_CURVE)), clip_on=False,
    )  # fmt: skip


def _share_axis(axes: Any) -> None:
    axes.set_ylim(0, 102)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_ylabel("Share of problems (%)")


def _name_at_the_right(axes: Any, heights: Mapping[str, float], drawn: Mapping[str, Style]) -> None:
    """Write the names with markers to the right of the axes, as near to the given heights as they fit."""
    axes.figure.draw_without_rendering()  # the layout must be settled before heights can be compared
    box = axes.get_window_extent()
    points = 72 / axes.figure.dpi
    wanted = {label: points * axes.transData.transform((1, y))[1] for label, y in heights.items()}
    low, high = points * box.y0, points * box.y1
    names = short_names(list(drawn), _LABEL_LIMIT)
    places = spread_out(wanted, _LINE_POINTS + 1.5, low, high)
    for label, place in places.items():
        style, y = drawn[label], (place - low) / (high - low)
        axes.plot(
            1.045, y, transform=axes.transAxes, marker=style.marker, color=style.colour, ms=5.5, mec="white", mew=0.5,
            ls="", clip_on=False,
        )  # fmt: skip
        axes.text(
            1.085, y, names[label], transform=axes.transAxes, va="center", fontsize=8, color=style.colour,
        )  # fmt: skip


def spread_out(wanted: Mapping[str, float], distance: float, low: float, high: float) -> dict[str, float]:
    """Move heights apart to at least `distance`, or less if they would not fit between `low` and `high`.

    The order is kept; of equal heights, the first is placed highest.
    """
    order = sorted(wanted, key=lambda label: wanted[label], reverse=True)[::-1]
    step = min(distance, (high - low) / max(len(order) - 1, 1))
    heights: list[float] = []
    for label in order:
        heights.append(max(wanted[label], heights[-1] + step if heights else low))
    top = high
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], top)
        top = heights[index] - step
    return dict(zip(order, heights, strict=True))


def _decade_below(number: float) -> float:
    """The power of ten at least half a decade below a positive number."""
    return float(10.0 ** math.floor(math.log10(number) - 0.5))


def _factor_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    _logarithmic_ticks(axis)
    axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}" if number < 1e6 else f"{number:.0e}"))


def _plain_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    _logarithmic_ticks(axis)
    axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.6g}"))


def _percent_ticks(axis: Any, ground: float, zero: str) -> None:
    """Label shares in percent; `ground` is the position of 0."""
    from matplotlib.ticker import FuncFormatter

    def text(number: float, _: object) -> str:
        if number < ground * 0.99:
            return ""
        if number < ground * 1.01:
            return zero
        percent = 100 * number
        if percent > 0.9e3:
            return (
                f"{units.count(percent)}{units.THIN}%" if percent < 0.9e5 else f"{_power_of_ten(percent)}{units.THIN}%"
            )
        return f"{percent:.4g}{units.THIN}%" if percent > 0.9e-3 else f"{_power_of_ten(percent)}{units.THIN}%"

    _logarithmic_ticks(axis, most=5)
    axis.set_major_formatter(FuncFormatter(text))


def _power_of_ten(number: float) -> str:
    """The nearest power of ten, as 10⁻⁵."""
    return "10" + str(round(math.log10(number))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _logarithmic_ticks(axis: Any, most: int = 7) -> None:
    """Place a tick at each decade; fewer if there are many, and finer ones if there would be less than three."""
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

    axis.set_minor_locator(NullLocator())
    low, high = axis.get_view_interval()
    # fixes the limits, which other locators would change if all points coincide
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
        if len(ticks) >= _TICKS_AT_LEAST:
            axis.set_major_locator(FixedLocator(ticks) if len(steps) > 1 else LogLocator(10, numticks=most))
            return
    axis.set_major_locator(MaxNLocator(most // 2))
