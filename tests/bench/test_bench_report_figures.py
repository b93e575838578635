"""The figures of a comparison of solvers."""

from __future__ import annotations

import itertools

import pytest
from sample_comparisons import (
    usual,
)

from reds_core.bench.report import figures
from reds_core.bench.report.measures import performance_profiles
from reds_core.bench.report.results import compare
from reds_core.report import series
from reds_core.report.units import THIN


def test_profiles_drawn_are_those_measured() -> None:
    solvers = compare(usual()).provers
    profiles = performance_profiles({e.label: e.proof_times for e in solvers})
    styles = series.styles([e.label for e in solvers])
    axes = figures.profile_figure(profiles, styles, "times the fastest").axes[0]
    curves = axes.get_lines()[: len(profiles)]
    for (label, profile), curve in zip(profiles.items(), curves, strict=True):
        assert curve.get_drawstyle() == "steps-post", label
        for x, y in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
            assert y == pytest.approx(100 * profile.at(x))
    assert len({(c.get_marker(), c.get_linestyle()) for c in curves}) == len(curves)  # told apart without colour
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "Share of problems (%)"
    assert {t.get_text() for t in axes.texts} == set(profiles)


def test_thirteen_contenders_differ_without_colour() -> None:
    drawn = series.styles([str(i) for i in range(13)]).values()
    assert len({s.marker for s in drawn}) == 13


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


def test_names_beside_a_figure_keep_their_order_and_do_not_touch() -> None:
    wanted = {"a": 50.0, "b": 50.0, "c": 49.0, "d": 0.0, "e": 99.0}
    places = figures.spread_out(wanted, 10, 0, 100)
    assert sorted(places, key=lambda n: -places[n]) == ["e", "a", "b", "c", "d"]
    heights = sorted(places.values())
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(heights))
    assert 0 <= heights[0] <= heights[-1] <= 100
    crowd = figures.spread_out(dict.fromkeys("abcdefghijk", 100.0), 20, 0, 100)
    assert (min(crowd.values()), max(crowd.values())) == (pytest.approx(0), pytest.approx(100))


@pytest.mark.parametrize("sizes", [(200, 5000), (90, 110), (20, 400_000), (7, 7)])
def test_a_logarithmic_axis_has_ticks_to_read_it_by(sizes: tuple[int, int]) -> None:
    (axes,) = figures.growth_figure({"dp": [(size, 0.1) for size in sizes]}, series.styles(["dp"])).axes
    low, high = axes.get_xlim()
    seen = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(seen) >= (2 if sizes[1] > 2 * sizes[0] else 1)
    assert all(label.get_text() for label in axes.get_xticklabels())


def test_shares_far_above_all_of_it_are_told_without_exponent() -> None:
    points = {"dp": [figures.RunPoint(1.0, 1e-6), figures.RunPoint(2.0, 653.0)]}
    (axes,) = figures.scatter_figure(points, series.styles(["dp"]), "Gap", "proved").axes
    axes.figure.draw_without_rendering()
    texts = [label.get_text().replace(THIN, " ") for label in axes.get_yticklabels()]
    assert "100 %" in texts
    assert "10 000 %" in texts
    assert not any("e" in text for text in texts if text != "proved")
