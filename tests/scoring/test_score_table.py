"""Scores of a smaller network told by the channels of the one it was cut from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.scoring.scorer import ScoreTable

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


@pytest.mark.parametrize(
    ("table", "tells"),
    [
        pytest.param(ScoreTable({"a": np.zeros(3), "b": np.zeros(4)}), False, id="zeros"),
        pytest.param(ScoreTable({"a": np.full(3, 2.0), "b": np.full(4, 2.0)}), False, id="constant"),
        pytest.param(ScoreTable({"a": np.zeros(3)}, curves={"a": np.zeros(3)}), False, id="flat-curve"),
        pytest.param(
            ScoreTable({"a": np.ones(3)}, curves={"a": np.log(np.arange(1.0, 4))}), False, id="shares-of-ones"
        ),
        pytest.param(ScoreTable({"a": np.zeros(3)}, {("a", "a"): np.zeros((3, 3))}), False, id="kernels-of-zeros"),
        pytest.param(ScoreTable({"a": np.zeros(3), "b": np.ones(4)}), True, id="groups-differ"),
        pytest.param(ScoreTable({"a": np.array([1.0, 2.0])}), True, id="channels-differ"),
        pytest.param(ScoreTable({"a": np.zeros(2)}, curves={"a": np.array([0.0, 1.0])}), True, id="measured-curve"),
        pytest.param(ScoreTable({"a": np.zeros(2)}, {("a", "a"): np.eye(2)}), True, id="kernels-differ"),
        pytest.param(ScoreTable({"a": np.ones(1)}), True, id="one-channel"),
        pytest.param(ScoreTable({}), True, id="no-groups"),
    ],
)
def test_a_table_in_which_all_is_alike_tells_nothing(table: ScoreTable, tells: bool) -> None:
    assert table.tells_channels_apart == tells
