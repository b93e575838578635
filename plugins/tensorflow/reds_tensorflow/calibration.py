"""Calibration of int8 files with independent examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow.lite.python.optimize import calibrator

from reds_tensorflow.replacing import replaced


@contextmanager
def examples_apart() -> Iterator[None]:
    """Let fused LSTM operators start each calibration example with zero states within the context.

    Otherwise they would keep the states of the previous example. The states of an LSTM that does not forget would drift
    over all examples, and the ranges of activations would exceed those of any input.
    """

    def feed(self: Any, examples: Callable[[], Iterable[list[Any]]], resize_input: bool) -> None:
        for example in examples():
            self._calibrator.Prepare([list(x.shape) for x in example])  # sets variables to zero
            self._calibrator.FeedTensor(example)

    with replaced((calibrator.Calibrator, "_feed_tensors", feed)):
        yield
