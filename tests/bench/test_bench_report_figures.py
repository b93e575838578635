"""The figures of a comparison of solvers."""

from __future__ import annotations

import pytest
from sample_comparisons import (
    usual,
)

from reds_core.bench.report import axes, figures
from reds_core.bench.report.measures import performance_profiles
from reds_core.bench.report.results import compare
from reds_core.report import series
from reds_core.report.plotting import trace_styles
from reds_core.report.units import THIN


def test_profiles_drawn_are_those_measured() -> None:
    solvers = compare(usual()).provers
    profiles = performance_profiles({e.label: e.proof_times for e in solvers})
    styles = trace_styles([e.label for e in solvers])
    figure = figures.profile_figure(profiles, styles, "times the fastest")
    assert [trace.name for trace in figure.data] == list(profiles)
    for (label, profile), curve in zip(profiles.items(), figure.data, strict=True):
        assert curve.line.shape == "hv", label
        for x, y in zip(curve.x, curve.y, strict=True):
            assert y == pytest.approx(100 * profile.at(x))
    assert len({(c.marker.symbol, c.line.dash) for c in figure.data}) == len(profiles)  # told apart without colour
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.title.text == "Share of problems (%)"


@pytest.mark.parametrize(
    "labels",
    [
        ("dp", "cpsat[presolve=false]"),
        tuple(f"solver-{i}[some_option=value,presolve=false]" for i in range(13)),
        tuple(f"some-long-name-of-a-solver, limit {i} s" for i in range(13)),
        tuple(f"{e}-quite-long-a-name-{i}-and-a-long-end-{e}" for i in range(5) for e in "ab"),
    ],
)
def test_names_in_figures_are_short_and_differ(labels: tuple[str, ...]) -> None:
    names = series.short_names(labels, 20)
    assert list(names) == list(labels)
    assert len(set(names.values())) == len(labels)
    assert all(len(name) <= 20 for name in names.values())
    assert all(names[label] == label for label in labels if len(label) <= 12)


@pytest.mark.parametrize("sizes", [(200, 5000), (90, 110), (20, 400_000), (7, 7)])
def test_a_logarithmic_axis_has_ticks_to_read_it_by(sizes: tuple[int, int]) -> None:
    points = {"dp": [figures.ProblemPoint("p", size, 0.1) for size in sizes]}
    axis = figures.growth_figure(points, trace_styles(["dp"])).layout.xaxis
    low, high = (10**end for end in axis.range)
    assert low < sizes[0] <= sizes[1] < high
    assert 2 <= len(axis.tickvals) <= 8
    assert all(low <= tick <= high for tick in axis.tickvals)
    assert all(axis.ticktext)


def test_shares_far_above_all_of_it_are_told_without_exponent() -> None:
    points = {"dp": [figures.RunPoint("p", 1.0, 1e-6), figures.RunPoint("q", 2.0, 653.0)]}
    figure = figures.scatter_figure(points, trace_styles(["dp"]), "Gap", "proved")
    texts = [text.replace(THIN, " ") for text in figure.layout.yaxis.ticktext]
    assert not any("e" in text for text in texts if text != "proved")
    assert axes.percent(1e-9, "0")(100.0).replace(THIN, " ") == "10 000 %"
    assert axes.percent(1e-9, "0")(1e-9) == "0"


def test_medians_have_the_large_markers_and_each_problem_a_visible_one() -> None:
    points = {"dp": [figures.RunPoint(p, s, 0.1) for p, s in (("p", 1.0), ("q", 2.0), ("r", 9.0))]}
    small, large = figures.scatter_figure(points, trace_styles(["dp"]), "Gap", "proved").data
    assert (small.marker.size, large.marker.size) == (8, 16)
    assert large.x == (2.0,)
    assert "q: 2.00 s" in small.text[1].replace(THIN, " ")
