"""Keeps examples apart from which the converter learns the ranges of activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow.lite.python.optimize import calibrator

from reds_tensorflow.replacing import replaced


@contextmanager
def examples_apart() -> Iterator[None]:
    """Inside, fused LSTM operators begin each example with states of zero instead of those of the example before.

    An LSTM that does not forget would drift through all examples, and ranges be learned that no input leads to.
    """

    def feed(self: Any, examples: Callable[[], Iterable[list[Any]]], resize_input: bool) -> None:
        for example in examples():
            self._calibrator.Prepare([list(x.shape) for x in example])  # sets variables to zero
            self._calibrator.FeedTensor(example)

    with replaced((calibrator.Calibrator, "_feed_tensors", feed)):
        yield
