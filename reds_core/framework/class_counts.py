"""How many examples of each class a network recognises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """How many examples of each class there are, and how many of them a network recognises.

    Attributes:
        examples: the number of examples of each class, int64 (classes,).
        recognised: the number of them for which the network says their class, int64 (classes,).
    """

    examples: npt.NDArray[np.int64]
    recognised: npt.NDArray[np.int64]

    @classmethod
    def of(cls, labels: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], classes: int) -> ClassCounts:
        """Count class numbers (N,) from 0 to below `classes`, given those that the network says."""
        return cls(
            np.bincount(labels, minlength=classes).astype(np.int64),
            np.bincount(labels[labels == answers], minlength=classes).astype(np.int64),
        )

    def plus(self, other: ClassCounts) -> ClassCounts:
        """The counts over the examples of both, which have the same classes."""
        return ClassCounts(self.examples + other.examples, self.recognised + other.recognised)


@dataclass(frozen=True)
class ModelFigures:
    """What a network reaches on test data.

    Attributes:
        metric: the metric of the task.
        classes: the counts of each class; None if the task is not to say one class for each example.
    """

    metric: float
    classes: ClassCounts | None = None
