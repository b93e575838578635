"""Sources of batches as users have them, in plain Python and NumPy, over the data of the toy models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_framework import residual_model, toy_arrays


class Loader:
    """Batches in a new order in each pass, like a DataLoader of PyTorch with a seeded generator.

    Attributes:
        passes: how many passes have begun.
    """

    def __init__(self, *columns: npt.NDArray[Any], batch_size: int = 16, seed: int = 0) -> None:
        self.columns, self.batch_size = columns, batch_size
        self.passes = 0
        self._generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.columns[0]) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        order = self._generator.permutation(len(self.columns[0]))
        for start in range(0, len(order), self.batch_size):
            part = order[start : start + self.batch_size]
            yield tuple(column[part] for column in self.columns)


def toy_pairs() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Training and test arrays for the toy model."""
    arrays = toy_arrays(residual_model())
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
