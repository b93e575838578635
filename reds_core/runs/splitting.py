"""Splits of examples that keep the shares of classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, batches, columns, each

_MOVED_BYTES = 4 * 2**20


def split_validation(train: Arrays, fraction: float, seed: int, *, in_place: bool = False) -> tuple[Arrays, Arrays]:
    """Hold back a part of the training data for validation. The split is stratified if labels are classes.

    With several outputs, those of the first output count.

    Args:
        train: The training data.
        fraction: The share of examples to hold back, between 0 and 1.
        seed: The seed of the split.
        in_place: Whether the arrays of `train` may be overwritten, so that the remaining data is no copy of them.

    Returns:
        The remaining data and the validation data, both in the order of `train`.

    Raises:
        InputError: If `fraction` is not between 0 and 1, or there are fewer than two examples.
    """
    if not 0 < fraction < 1:
        raise InputError(f"a part of {fraction} cannot be held back", "give a fraction between 0 and 1")
    if len(train) < 2:
        raise InputError(f"training data of {len(train)} example cannot be split", "give at least 2 examples")
    rest, held = stratified_split(strata_of(columns(train.y)[0]), fraction, seed)
    held_back = train.take(held)
    return _moved_forward(train, rest) if in_place else train.take(rest), held_back


def _moved_forward(data: Arrays, indices: npt.NDArray[np.int64]) -> Arrays:
    """`data.take(indices)` in the memory of `data`. The indices are ascending."""

    def moved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not array.flags.writeable:
            return array[indices]
        rows = max(_MOVED_BYTES // max(array.nbytes // len(array), 1), 1)
        for part in batches(len(indices), rows):
            array[part] = array[indices[part]]  # from the same place or from behind it
        return array[: len(indices)]

    weights = None if data.weights is None else moved(data.weights)
    return Arrays(each(moved, data.x), each(moved, data.y), weights)


def strata_of(y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The class of each example, int64 (N,); zeros if labels are not classes."""
    if y.ndim == 1 and np.issubdtype(y.dtype, np.integer):
        return y.astype(np.int64, copy=False)
    if is_one_hot(y):
        return np.asarray(y.argmax(axis=1), np.int64)
    return np.zeros(len(y), np.int64)


def is_one_hot(y: npt.NDArray[Any]) -> bool:
    """Whether every row of `y` (N, classes) has a single 1 among zeros."""
    return bool(y.ndim == 2 and y.shape[1] > 1 and np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))


def stratified_split(
    strata: npt.NDArray[np.int64], fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split indices into the rest and ceil(fraction x N) examples, apportioned to the strata by largest remainders.

    The rest keeps at least one example of each stratum, and at least one example is split off.
    """
    generator = np.random.default_rng(seed)
    _, members, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    wanted = min(max(math.ceil(fraction * len(strata)), 1), len(strata) - 1)
    quotas = sizes * (wanted / len(strata))
    counts = np.minimum(np.floor(quotas).astype(np.int64), sizes - 1)
    for stratum in np.argsort(-(quotas - counts), kind="stable"):
        if counts.sum() < wanted and counts[stratum] < sizes[stratum] - 1:
            counts[stratum] += 1
    if not counts.any():  # every stratum has one example, and one must be split off
        counts[-1] = 1
    held = np.concatenate(
        [generator.permutation(np.flatnonzero(members == s))[:count] for s, count in enumerate(counts)]
    )
    held.sort()
    rest = np.setdiff1d(np.arange(len(strata), dtype=np.int64), held)
    return rest, held.astype(np.int64)
