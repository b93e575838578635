"""What a policy of thresholds does: where each example leaves the network, what is right, and what it costs.

An example leaves at the first early exit whose confidence is at least the threshold of that exit. The last exit takes
all others. How costs of exits come about does not matter here, so exits may as well be members of a family that run
one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray

NEVER = 2.0
"""A threshold above every confidence: the exit is never taken."""


@dataclass(frozen=True, eq=False)
class ExitAnswers:
    """What K exits answer to N examples.

    Attributes:
        right: whether each exit is right, bool (K, N).
        confidences: how sure each exit but the last is, (K - 1, N). Larger is surer.
        costs: what an example has used that leaves at each exit, with all earlier exits, float64 (K,), rising.
    """

    right: BoolArray
    confidences: FloatArray
    costs: FloatArray

    @property
    def exits(self) -> int:
        """The number of exits, with the last."""
        return len(self.right)

    @property
    def examples(self) -> int:
        """The number of examples."""
        return int(self.right.shape[1])

    def taken(self, thresholds: Sequence[float]) -> IntArray:
        """Return the exit at which each example leaves, int64 (N,).

        Args:
            thresholds: One for each exit but the last.
        """
        is_sure = self.confidences >= np.asarray(thresholds, np.float64)[:, None]
        first = is_sure.argmax(axis=0)
        return np.where(is_sure.any(axis=0), first, self.exits - 1).astype(np.int64)

    def right_at(self, taken: IntArray) -> BoolArray:
        """Return whether each example is answered rightly at the exit where it leaves, bool (N,)."""
        found: BoolArray = self.right[taken, np.arange(self.examples)]
        return found
