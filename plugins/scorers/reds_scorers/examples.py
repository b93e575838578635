"""Selection of the training examples that a scorer uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, argument
from reds_core.framework import Arrays, columns


def check_counts(scorer: str, batch_size: int, examples: int) -> None:
    """Check the options of a scorer.

    Raises:
        InputError: if the batch size is below 1 or the number of examples is negative.
    """
    if batch_size < 1:
        raise InputError(f"option {scorer}.batch_size is {batch_size}", "give 1 or more")
    if examples < 0:
        raise InputError(f"option {scorer}.examples is {examples}", "give 0 for all, or how many")


def training_examples(scorer: str, data: Arrays | None, examples: int, seed: int) -> Arrays:
    """Draw a random, class-balanced sample of the training data.

    If labels are class numbers or one-hot rows, examples are drawn in turn from all classes that have any left; other
    labels are ignored. Of several outputs, the first with such labels counts. The sample keeps the order of the data.

    Args:
        scorer: name of the scorer, for the message.
        data: training data.
        examples: maximum size of the sample; 0 means all.
        seed: seed of the random numbers.

    Raises:
        InputError: if `data` is None.
    """
    if data is None:
        raise InputError(
            f"scorer '{scorer}' needs training data", f"give {argument('data')}, or {argument('scorer', 'magnitude')}"
        )
    if not 0 < examples < len(data):
        return data
    drawn = np.random.default_rng(seed).permutation(len(data))
    classes = next((c for c in map(_classes, columns(data.y)) if c.any()), np.zeros(len(data), np.int64))[drawn]
    # the first example of each class, then the second of each, ...
    by_class = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[by_class], classes[by_class])
    turn = np.empty(len(data), np.int64)
    turn[by_class] = np.arange(len(data)) - starts
    return data.take(np.sort(drawn[np.argsort(turn, kind="stable")[:examples]]))


def _classes(y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return a class number for each label, which is the same for all if the labels are not classes."""
    flat = y.reshape(len(y), -1)
    classes = np.zeros(len(y), np.int64)
    if flat.shape[1] == 1 and flat.dtype.kind in "iub":
        classes = np.unique(flat[:, 0], return_inverse=True)[1]
    elif flat.shape[1] > 1 and y.ndim == 2 and np.all((flat == 0) | (flat == 1)) and np.all(flat.sum(axis=1) == 1):
        classes = flat.argmax(axis=1)
    return classes
