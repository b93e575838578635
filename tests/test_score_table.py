"""Scores of a smaller network told by the channels of the one it was cut from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reds_core.scorer import ScoreTable

CHANNELS = {"a": 5, "b": 4}


@given(st.permutations(range(5)), st.permutations(range(4)), st.integers(1, 5), st.integers(1, 4))
def test_spreading_puts_scores_back_where_they_came_from(a: list[int], b: list[int], few: int, some: int) -> None:
    full = ScoreTable(
        {"a": np.arange(1.0, 6), "b": np.arange(10.0, 14)},
        {("a", "b"): np.arange(1.0, 21).reshape(5, 4)},
        {"a": np.array([1.0, 4, 9, 16, 25])},
    )
    kept = {"a": np.array(a[:few]), "b": np.array(b[:some])}
    small = full.ordered(kept)
    small = ScoreTable(small.channels, small.pairs, {"a": full.curves["a"][:few]})
    found = small.spread(kept, CHANNELS)
    for group, channels in CHANNELS.items():
        has = np.isin(np.arange(channels), kept[group])
        np.testing.assert_array_equal(found.channels[group], np.where(has, full.channels[group], 0))
    both = np.ix_(kept["a"], kept["b"])
    np.testing.assert_array_equal(found.pairs["a", "b"][both], full.pairs["a", "b"][both])
    assert np.count_nonzero(found.pairs["a", "b"]) == few * some
    assert found.curves["a"].tolist() == [(min(w, few)) ** 2 for w in range(1, 6)]
