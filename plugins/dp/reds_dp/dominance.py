"""Dominance between labels: a label is dominated if another one of its state uses no more and is worth no less.

Only dominated labels are dropped. Dropping too few is harmless, so with ties, or with three or more resources, some
dominated labels may stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reds_core.arrays import BoolArray, IntArray

_SHIFTS = 12
_PACKED = 2**62


def _segments(first: IntArray, second: IntArray) -> IntArray:
    """The order that sorts by `first`, then `second`. Both are packed into one key if it fits int64."""
    low = int(second.min())
    span = int(second.max()) - low + 1
    if (int(first.max()) + 1) * span < _PACKED:
        return np.argsort(first * span + (second - low))
    return np.lexsort((second, first))


def _running(values: IntArray, segments: IntArray) -> IntArray:
    """A copy of `values` with offsets, so that its running maximum restarts where `segments` (rising) changes."""
    low = int(values.min())
    span = int(values.max()) - low + 1
    if (int(segments[-1]) + 1) * span >= _PACKED:
        values = np.unique(values, return_inverse=True)[1].astype(np.int64)
        low, span = 0, int(values.max()) + 1
    return (values - low) + segments * span


def undominated(states: IntArray, values: IntArray, usage: IntArray, check_time: Callable[[], None]) -> IntArray:
    """The indices of the labels to keep, sorted by state.

    Args:
        states: state of each label, int64 (labels,), at least 0.
        values: value of each label, int64 (labels,).
        usage: usage of each label, int64 (resources, labels).
        check_time: called regularly; may raise an exception to stop.
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
        return _layered(order, states, values, usage, check_time)
    return _windowed(order, states, values, usage)


def _staircase(states: IntArray, values: IntArray) -> BoolArray:
    """For labels sorted by state and usage, whether each is worth more than all before it in its state."""
    keyed = _running(values, states)
    keep = np.ones(len(states), dtype=np.bool_)
    keep[1:] = keyed[1:] > np.maximum.accumulate(keyed)[:-1]
    return keep


def _layered(
    order: IntArray, states: IntArray, values: IntArray, usage: IntArray, check_time: Callable[[], None]
) -> IntArray:
    """Dominance for two resources, by divide and conquer (Kung, Luccio and Preparata, J. ACM 22, 1975).

    The labels are sorted by the first resource. On each level, neighbouring blocks are merged: a label of the right
    block is dropped if a label of the left block is worth no less and uses no more of the second resource.
    """
    states, values, second = states[order], values[order], usage[1][order]
    count = len(order)
    rank = np.empty(count, dtype=np.int64)
    rank[_segments(states, second)] = np.arange(count)
    place = np.arange(count) - np.searchsorted(states, states)
    longest = int(place.max()) + 1
    low = int(values.min())
    span = int(values.max()) - low + 2
    if count * span >= _PACKED:
        values = np.unique(values, return_inverse=True)[1].astype(np.int64)
        low, span = 0, int(values.max()) + 2
    alive = np.arange(count)
    width = 1
    while width < longest:
        check_time()
        block = place[alive] // width
        joint = block >> 1
        starts = np.ones(len(alive), dtype=np.int64)
        starts[1:] = (joint[1:] != joint[:-1]) | (states[alive[1:]] != states[alive[:-1]])
        segment = np.cumsum(starts)
        by_second = np.argsort(segment * count + rank[alive])
        left = (block[by_second] & 1) == 0
        offset = segment * span  # sorting moves no label to another segment
        shifted = values[alive[by_second]] - low + 1
        best = np.maximum.accumulate(np.where(left, shifted, 0) + offset) - offset
        gone = ~left & (best >= shifted)
        if gone.any():
            alive = np.sort(alive[by_second[~gone]])
        width *= 2
    return order[alive]


def _windowed(order: IntArray, states: IntArray, values: IntArray, usage: IntArray) -> IntArray:
    """Dominance for three or more resources: each label is compared with those just before it in the first resource."""
    for _ in range(2):
        sorted_states, sorted_values, sorted_usage = states[order], values[order], usage[:, order]
        gone = np.zeros(len(order), dtype=np.bool_)
        for shift in range(1, min(_SHIFTS, len(order) - 1) + 1):
            worse = (sorted_states[shift:] == sorted_states[:-shift]) & (
                sorted_values[shift:] <= sorted_values[:-shift]
            )
            worse &= (sorted_usage[:, shift:] >= sorted_usage[:, :-shift]).all(axis=0)
            gone[shift:] |= worse
        if not gone.any():
            break
        order = order[~gone]
    return order
