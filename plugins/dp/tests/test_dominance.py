"""Dominance against its definition: what is dropped is dominated by something kept, and little is kept in vain."""

from __future__ import annotations

import numpy as np
import pytest
from reds_dp.dominance import undominated

from reds_core.arrays import IntArray


def _nothing() -> None:
    """Time is not limited here."""


def _dominates(a: int, b: int, states: IntArray, values: IntArray, usage: IntArray) -> bool:
    return bool(states[a] == states[b] and values[a] >= values[b] and (usage[:, a] <= usage[:, b]).all())


@pytest.mark.parametrize("resources", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("scale", [1, 2**40, 2**55])
def test_every_dropped_label_is_dominated_by_a_kept_one(resources: int, scale: int) -> None:
    for seed in range(30):
        rng = np.random.default_rng([seed, resources])
        count = int(rng.integers(1, 120))
        states = rng.integers(0, 4, count)
        values = rng.integers(-9, 10, count) * scale
        usage = rng.integers(-6, 7, (resources, count)) * scale
        kept = undominated(states, values, usage, _nothing)
        assert len(set(kept.tolist())) == len(kept)
        assert (np.diff(states[kept]) >= 0).all()
        for label in set(range(count)) - set(kept.tolist()):
            assert any(_dominates(int(k), label, states, values, usage) for k in kept)


@pytest.mark.parametrize("resources", [0, 1, 2])
def test_no_kept_label_is_dominated_where_usage_differs(resources: int) -> None:
    rng = np.random.default_rng(7)
    count = 300
    states = rng.integers(0, 3, count)
    values = rng.permutation(count)
    usage = np.array([rng.permutation(count) for _ in range(resources)], dtype=np.int64).reshape(resources, count)
    kept = [int(k) for k in undominated(states, values, usage, _nothing)]
    assert not any(a != b and _dominates(a, b, states, values, usage) for a in kept for b in kept)
