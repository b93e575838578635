"""Calibration of int8 files with independent examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
from tensorflow.lite.python.interpreter import Interpreter
from tensorflow.lite.python.optimize import calibrator

from reds_tensorflow.replacing import replaced


@contextmanager
def examples_apart() -> Iterator[None]:
    """Let fused LSTM operators start each calibration example with zero states within the context.

    Otherwise they would keep the states of the previous example. The states of an LSTM that does not forget would drift
    over all examples, and the ranges of activations would exceed those of any input. Each example is a dict with an
    array for each input by its name.
    """

    def feed(self: Any, examples: Callable[[], Iterable[Mapping[str, npt.NDArray[Any]]]], resize_input: bool) -> None:
        self._interpreter = Interpreter(model_content=self._model_content)  # knows the inputs by name
        for example in examples():
            arrays = self._create_input_array_from_dict(None, example)
            self._calibrator.Prepare([list(x.shape) for x in arrays])  # sets variables to zero
            self._calibrator.FeedTensor(arrays)

    with replaced((calibrator.Calibrator, "_feed_tensors", feed)):
        yield
