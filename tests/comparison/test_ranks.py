"""Mean ranks and their tests, against figures computed by hand and a published table."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from reds_core.comparison.rank_figure import ranks_picture
from reds_core.comparison.rank_words import missing_ranks_sentence, ranks_sentence, ranks_table
from reds_core.comparison.ranks import critical_difference, ranked, whole_blocks
from reds_core.report.plotting import trace_styles


def test_an_example_by_hand() -> None:
    """Sums of ranks 6, 10 and 14: chi-square 12 / (5 · 3 · 4) · 332 - 60 = 6.4, F = 4 · 6.4 / (10 - 6.4) = 7.11."""
    rows = [(1.0, 2.0, 3.0)] * 3 + [(2.0, 1.0, 3.0), (1.0, 3.0, 2.0)]
    ranks = ranked([dict(zip("abc", row, strict=True)) for row in rows])
    assert ranks is not None
    assert list(ranks.means.items()) == [("a", 1.2), ("b", 2.0), ("c", 2.8)]
    assert ranks.firsts == {"a": 4, "b": 1, "c": 0}
    assert ranks.p_value == pytest.approx(float(stats.f.sf(25.6 / 3.6, 2, 8)))
    assert ranks.critical_difference == pytest.approx(2.343 * math.sqrt(12 / 30), abs=1e-3)
    assert ranks.differ
    assert ranks.cliques == (("a", "b"), ("b", "c"))


def test_critical_differences_are_those_of_the_published_table() -> None:
    """q for 2 to 10 contenders at 5 %, from table 5 of Demšar (2006)."""
    quantiles = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
    for contenders, quantile in enumerate(quantiles, start=2):
        unit = math.sqrt(contenders * (contenders + 1) / (6 * 9))
        assert critical_difference(contenders, 9) / unit == pytest.approx(quantile, abs=2e-3)


def test_equal_results_share_their_ranks_and_failures_come_last() -> None:
    ranks = ranked([{"a": 1.0, "b": 1.0, "c": math.inf, "d": math.inf}] * 5)
    assert ranks is not None
    assert ranks.means == {"a": 1.5, "b": 1.5, "c": 3.5, "d": 3.5}
    assert ranks.firsts == {"a": 5, "b": 5, "c": 0, "d": 0}


def test_what_is_told_apart_makes_bars_and_sentences() -> None:
    apart = ranked([{"a": 1.0, "b": 2.0, "c": 3.0}] * 12)
    assert apart is not None
    assert apart.p_value == 0.0
    assert apart.cliques == ()
    assert ranks_sentence(apart, "problem") == (
        "Over 12 problems, the mean ranks differ (Friedman's test, p < 0.001); a has the best, 1.00, and is better "
        "than each of the others."
    )
    near = ranked([{"a": 1.0, "b": 2.0, "c": 3.0}] * 5)
    assert near is not None
    assert near.cliques == (("a", "b"), ("b", "c"))
    assert near.alike("a") == ("b",)
    assert ranks_sentence(near, "problem").endswith("a has the best, 1.00, but it cannot be told from b.")
    rows = ranks_table(near, "ranks", "solver").blocks[0].rows
    assert [(row.heading.text, row.cells[0].text, row.cells[2].text) for row in rows] == [
        ("a", "1.00", "b"), ("b", "2.00", "a, c"), ("c", "3.00", "b"),
    ]  # fmt: skip
    picture = ranks_picture(near, trace_styles(list("abc")), "ranks", "time")
    assert "a 1.00 (cannot be told from b)" in picture.html


def test_without_a_difference_nobody_is_told_apart() -> None:
    rows = [(1.0, 2.0, 3.0), (3.0, 1.0, 2.0), (2.0, 3.0, 1.0)] * 3
    ranks = ranked([dict(zip("abc", row, strict=True)) for row in rows])
    assert ranks is not None
    assert not ranks.differ
    assert ranks.cliques == (("a", "b", "c"),)
    assert "do not differ significantly (Friedman's test, p = 1)" in ranks_sentence(ranks, "problem")


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([{"a": 1.0, "b": 2.0}] * 9, "Here there are 2 solvers and 9 problems"),
        ([{"a": 1.0, "b": 2.0, "c": 3.0}] * 4, "Here there are 3 solvers and 4 problems"),
        ([{"a": 1.0, "b": 2.0, "c": 3.0}] * 4 + [{"a": 1.0}], "Here there are 3 solvers and 4 problems"),
        ([{"a": 1.0, "b": 1.0, "c": 1.0}] * 6, "All solvers have the same result on every problem"),
        ([], "Here there are 0 solvers and 0 problems"),
    ],
)
def test_too_few_blocks_or_contenders_are_not_ranked_and_the_reason_is_said(
    blocks: list[dict[str, float]], words: str
) -> None:
    assert ranked(blocks) is None
    assert words in missing_ranks_sentence(blocks, "problem", "solver")
    assert len(whole_blocks(blocks)) <= len(blocks)
