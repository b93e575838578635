"""Which labels of one state are dominated: another label there uses no more of anything and is worth no less.

Dropping too few is harmless, so ties and a fourth dimension may keep a label that could go; nothing else is dropped.
"""

from __future__ import annotations

import numpy as np

from reds_core.factors import BoolArray
from reds_core.problem import IntArray

_SHIFTS = 12
_PACKED = 2**62


def _segments(first: IntArray, second: IntArray) -> IntArray:
    """The order that sorts by `first`, then `second`; both are packed into one key where that fits int64."""
    low = int(second.min())
    span = int(second.max()) - low + 1
    if (int(first.max()) + 1) * span < _PACKED:
        return np.argsort(first * span + (second - low))
    return np.lexsort((second, first))


def _running(values: IntArray, segments: IntArray) -> IntArray:
    """Offset copy of `values` whose running maximum starts anew where `segments` (rising) changes."""
    low = int(values.min())
    span = int(values.max()) - low + 1
    if (int(segments[-1]) + 1) * span >= _PACKED:
        values = np.unique(values, return_inverse=True)[1].astype(np.int64)
        low, span = 0, int(values.max()) + 1
    return (values - low) + segments * span


def undominated(states: IntArray, values: IntArray, usage: IntArray) -> IntArray:
    """Indices of labels to keep, sorted by state.

    Args:
        states: state of each label, int64 (labels,), at least 0.
        values: int64 (labels,).
        usage: int64 (resources, labels).
    """
    if len(states) < 2:
        return np.arange(len(states))
    if len(usage) == 0:
        order = _segments(states, -values)
        sorted_states = states[order]
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = sorted_states[1:] != sorted_states[:-1]
        return order[first]
    order = _segments(states, usage[0])
    if len(usage) == 1:
        return order[_staircase(states[order], values[order])]
    if len(usage) == 2:
        return _layered(order, states, values, usage)
    return _windowed(order, states, values, usage)


def _staircase(states: IntArray, values: IntArray) -> BoolArray:
    """Of labels sorted by state and usage, those worth more than all before in their state."""
    keyed = _running(values, states)
    keep = np.ones(len(states), dtype=np.bool_)
    keep[1:] = keyed[1:] > np.maximum.accumulate(keyed)[:-1]
    return keep


def _layered(order: IntArray, states: IntArray, values: IntArray, usage: IntArray) -> IntArray:
    """Two resources: divide and conquer over the order by the first (Kung, Luccio and Preparata, J. ACM 22, 1975).

    On each level neighbouring blocks are joined: the left block's best value at no more of the second resource tells
    which labels of the right block go.
    """
    states, values, second = states[order], values[order], usage[1][order]
    rank = np.empty(len(order), dtype=np.int64)
    rank[_segments(states, second)] = np.arange(len(order))
    longest = int(np.bincount(states).max())
    alive = np.arange(len(order))
    width = 1
    while width < 2 * longest:
        block = alive // width
        by_second = np.argsort((block >> 1) * len(rank) + rank[alive])
        joined = alive[by_second]
        left = (block[by_second] & 1) == 0
        pair = block[by_second] >> 1
        changes = np.zeros(len(joined), dtype=np.int64)
        changes[1:] = (pair[1:] != pair[:-1]) | (states[joined][1:] != states[joined][:-1])
        segment = np.cumsum(changes)
        low = int(values.min())
        span = int(values.max()) - low + 2
        if (int(segment[-1]) + 1) * span >= _PACKED:
            values = np.unique(values, return_inverse=True)[1].astype(np.int64)
            low, span = 0, int(values.max()) + 2
        offset = segment * span
        shifted = values[joined] - low + 1
        best = np.maximum.accumulate(np.where(left, shifted, 0) + offset) - offset
        gone = ~left & (best >= shifted)
        if gone.any():
            alive = np.sort(joined[~gone])
        width *= 2
    return order[alive]


def _windowed(order: IntArray, states: IntArray, values: IntArray, usage: IntArray) -> IntArray:
    """Three resources or more: each label is compared with those just before it by the first resource."""
    for _ in range(2):
        sorted_states, sorted_values, sorted_usage = states[order], values[order], usage[:, order]
        gone = np.zeros(len(order), dtype=np.bool_)
        for shift in range(1, min(_SHIFTS, len(order) - 1) + 1):
            worse = (sorted_states[shift:] == sorted_states[:-shift]) & (sorted_values[shift:] <= sorted_values[:-shift])
            worse &= (sorted_usage[:, shift:] >= sorted_usage[:, :-shift]).all(axis=0)
            gone[shift:] |= worse
        if not gone.any():
            break
        order = order[~gone]
    return order
