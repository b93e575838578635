"""The figures of a solver comparison with captions, and with descriptions for screen readers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from reds_core.bench.report import figures
from reds_core.bench.report.measures import Steps, cumulative, performance_profiles
from reds_core.bench.report.presolve import PresolvePair
from reds_core.bench.report.results import Comparison, SolverResults
from reds_core.comparison.rank_figure import ranks_picture
from reds_core.comparison.ranks import ranked
from reds_core.report import units
from reds_core.report.plotting import Picture, TraceStyle, interactive, trace_styles

NEAR = 0.001
"""Relative loss up to which a value counts as near the best known one."""

GROWTH_FROM_RATIO = 3
"""Smallest ratio of the largest to the smallest problem for which the growth of time with size is shown."""

_FACTORS_IN_WORDS = (1, 2, 10)
_LOSSES_IN_WORDS = (0.0, 0.001, 0.01)


def styles_of(comparison: Comparison) -> dict[str, TraceStyle]:
    """The style of each solver, which is the same in all figures."""
    return trace_styles([solver.label for solver in comparison.solvers])


def ranks_diagram(comparison: Comparison) -> Picture | None:
    """The critical-difference diagram of the times to a proof; None if there are too few solvers or problems."""
    ranks = ranked(comparison.blocks)
    if ranks is None:
        return None
    return ranks_picture(ranks, styles_of(comparison), "ranks", "time to a proof on each problem")


def proof_profile(comparison: Comparison) -> Picture | None:
    """Performance profiles of the time to a proof; None if nothing was proved."""
    times = {e.label: e.proof_times for e in comparison.provers}
    caption = "Performance profile: time to a proof of optimality or infeasibility"
    return _profile(comparison, times, "proof", caption, "Time to a proof, as a multiple of the fastest")


def near_profile(comparison: Comparison) -> Picture | None:
    """Performance profiles of the time to an answer within NEAR of the best known value; None if there is none."""
    times = {e.label: e.times_within(NEAR) for e in comparison.solvers}
    times = {label: own for label, own in times.items() if any(map(math.isfinite, own.values()))}
    near = units.small_percent(NEAR)
    caption = f"Performance profile: time to an answer within {near} of the best known value"
    return _profile(comparison, times, "near", caption, f"Time to within {near}, as a multiple of the fastest")


def _profile(
    comparison: Comparison, times: Mapping[str, Mapping[str, float]], prefix: str, caption: str, axis: str
) -> Picture | None:
    if not times:
        return None
    profiles = performance_profiles(times)
    drawn = styles_of(comparison)
    figure = figures.profile_figure(profiles, drawn, axis)
    places = [(f"within {factor}× the fastest time", float(factor)) for factor in _FACTORS_IN_WORDS]
    return interactive(figure, prefix, caption, f"{caption}. {_shares_in_words(profiles, places)}")


def growth_scatter(comparison: Comparison) -> Picture | None:
    """Time to a proof against the size of the problem; None if the problems are of similar size."""
    sizes = {name: facts.options for name, facts in comparison.problems.items()}
    series = {
        e.label: tuple(
            figures.ProblemPoint(n, float(sizes[n]), t)
            for n, t in e.proof_times.items()
            if math.isfinite(t) and sizes[n] > 0
        )
        for e in comparison.provers
    }
    series = {label: points for label, points in series.items() if points}
    drawn = [point.x for points in series.values() for point in points]
    if not drawn or max(drawn) < GROWTH_FROM_RATIO * min(drawn):
        return None
    figure = figures.growth_figure(series, styles_of(comparison))
    last = {label: max(points, key=lambda p: (p.x, p.seconds)) for label, points in series.items()}
    largest = (f"{label}: {units.seconds(point.seconds)} at {point.x:.0f}" for label, point in last.items())
    caption = "Time to a proof against the size of the problem"
    return interactive(figure, "growth", caption, f"{caption}. The largest proved, by options: {'; '.join(largest)}.")


def value_profile(comparison: Comparison) -> Picture | None:
    """Distribution of the loss against the best known values; None if no value was reached."""
    losses = {e.label: e.losses for e in comparison.solvers}
    shares = {label: cumulative(own.values()) for label, own in losses.items() if any(map(math.isfinite, own.values()))}
    if not shares:
        return None
    caption = "Value profile: how near each solver comes to the best known value"
    figure = figures.value_figure(shares, styles_of(comparison))
    places = [(f"within {units.small_percent(loss)} of the best known value", loss) for loss in _LOSSES_IN_WORDS]
    return interactive(figure, "value", caption, f"{caption}. {_shares_in_words(shares, places)}")


def _shares_in_words(shares: Mapping[str, Steps], places: Sequence[tuple[str, float]]) -> str:
    parts = []
    for label, steps in shares.items():
        described = ", ".join(f"{units.percent(steps.at(place), 0)} {words}" for words, place in places)
        parts.append(f"{label}: {described}, {units.percent(steps.end, 0)} in the end.")
    return " ".join(parts)


def gap_scatter(comparison: Comparison) -> Picture | None:
    """Gap against time; None if no run has a gap."""
    points = figures.gap_points(comparison.solvers)
    return _scatter(comparison, points, "gap", "Gap against time", "Gap", "proved")


def loss_scatter(comparison: Comparison) -> Picture | None:
    """Value lost against time; None if no run has a value."""
    points = figures.loss_points(comparison.solvers)
    return _scatter(comparison, points, "loss", "Value lost against time", "Value lost against the best known", "0")


def _scatter(
    comparison: Comparison,
    points: Mapping[str, Sequence[figures.RunPoint]],
    prefix: str,
    caption: str,
    axis: str,
    zero: str,
) -> Picture | None:
    if not points:
        return None
    figure = figures.scatter_figure(points, styles_of(comparison), axis, zero)
    medians = (
        f"{label}: {units.small_percent(statistics.median(p.share for p in own))} after "
        f"{units.seconds(statistics.median(p.seconds for p in own))}"
        for label, own in points.items()
    )
    return interactive(figure, prefix, caption, f"{caption}, medians: {'; '.join(medians)}.")


def presolve_scatter(pairs: Sequence[PresolvePair], solvers: Sequence[SolverResults]) -> Picture | None:
    """Time with presolve against time without; None if no problem was proved both ways."""
    times = {
        pair.label: tuple(figures.ProblemPoint(*times) for times in pair.times_s) for pair in pairs if pair.times_s
    }
    if not times:
        return None
    figure = figures.pairs_figure(times, trace_styles([e.label for e in solvers]))
    wins = (f"{label}: faster with presolve on {sum(p.seconds < p.x for p in own)} of {len(own)} problems"
            for label, own in times.items())  # fmt: skip
    caption = "Time to a proof with presolve against the time without"
    return interactive(figure, "presolve", caption, f"{caption}. {'; '.join(wins)}.")
