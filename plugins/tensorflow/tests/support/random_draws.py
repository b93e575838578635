"""Decisions that Hypothesis makes, and takes back one by one when it looks for the smallest network that fails."""

from __future__ import annotations

import random

import numpy as np


class Drawn:
    """What random networks use of NumPy's generator, over a generator whose draws Hypothesis sees (`st.randoms`)."""

    def __init__(self, source: random.Random) -> None:
        self.source = source

    def integers(self, low: int, high: int | None = None) -> int:
        """A whole number from `low` to below `high`, or from 0 to below `low`."""
        return self.source.randrange(low) if high is None else self.source.randrange(low, high)

    def random(self) -> float:
        return self.source.random()

    def normal(self, size: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(self.source.getrandbits(32)).normal(size=size)
