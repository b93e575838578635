"""Homes of layers: no group gets more layers than it has to."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.formulation.homes import least_loaded

GROUPS = ["a", "b", "c", "d"]
CANDIDATES = st.dictionaries(
    st.sampled_from([f"layer{i}" for i in range(6)]),
    st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True),
    max_size=6,
)


def greatest_load(groups: tuple[str, ...]) -> int:
    return max(Counter(groups).values(), default=0)


@given(CANDIDATES)
@settings(max_examples=300, deadline=None)
def test_the_greatest_load_is_the_least_of_all_assignments(candidates: dict[str, list[str]]) -> None:
    homes = least_loaded(candidates)
    assert list(homes) == list(candidates)
    assert all(homes[layer] in groups for layer, groups in candidates.items())
    assert greatest_load(tuple(homes.values())) == min(map(greatest_load, itertools.product(*candidates.values())))


def test_a_layer_moves_to_make_room_for_another() -> None:
    """The first layer prefers `a`, which is the only candidate of the second."""
    assert least_loaded({"first": ["a", "b"], "second": ["a"]}) == {"first": "b", "second": "a"}


def test_the_preferred_group_is_taken_where_nothing_speaks_against_it() -> None:
    assert least_loaded({"first": ["b", "a"], "second": ["c", "b"]}) == {"first": "b", "second": "c"}
