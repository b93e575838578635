"""The records of benchmarks/worth_of_joint.py, and how predictions are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reds_core.system import RecordKind

Z_95 = 1.959964


@dataclass(frozen=True)
class WorthRecord:
    """One run.

    Attributes:
        network, arm, percent, seed, epochs: Which run it is. `percent` is the budget of weight bytes.
        started_at: When it began, in UTC.
        infeasible: Why the arm found no choice that meets the budgets, or None if it did.
        widths, bits: The channels of each group and the bits of each layer.
        usage, full_usage: Usage of each resource by the subnetwork and by the full network, in base units.
        value, bound, gap: The value of the choice, the bound of all choices of widths and bits, and the gap between.
        accuracy: Accuracy of the .tflite file on the test set, from the saved predictions.
        stated_accuracy: The same as the plan states it.
        keras_accuracy: Accuracy of the Keras model.
        file_bytes: The size of the .tflite file.
        predictions: The file with the predicted classes of all test examples.
        same_as: The arm that had made the same choice before, whose results these are.
        wall_s: Seconds of the run.
    """

    network: str
    arm: str
    percent: int
    seed: int
    epochs: int
    started_at: str
    infeasible: str | None = None
    widths: Mapping[str, int] = field(default_factory=dict)
    bits: Mapping[str, int] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    full_usage: Mapping[str, int] = field(default_factory=dict)
    value: int | None = None
    bound: int | None = None
    gap: float | None = None
    accuracy: float | None = None
    stated_accuracy: float | None = None
    keras_accuracy: float | None = None
    file_bytes: int | None = None
    predictions: str | None = None
    same_as: str | None = None
    wall_s: float | None = None

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        """What distinguishes it from other runs."""
        return self.network, self.arm, self.percent, self.seed, self.epochs

    def has_choice_of(self, other: WorthRecord) -> bool:
        """Whether it has the same widths and bits, and is trained in the same way."""
        own, others = ((r.network, r.seed, r.epochs, dict(r.widths), dict(r.bits)) for r in (self, other))
        return own == others

    def __str__(self) -> str:
        which = f"{self.network} at {self.percent} % by {self.arm}, seed {self.seed}"
        if self.infeasible is not None:
            return f"{which}: infeasible, {self.infeasible}"
        same = f", as {self.same_as}" if self.same_as else ""
        return f"{which}: {self.accuracy:.4f}{same}, {self.wall_s:.0f} s"


RUNS = RecordKind(WorthRecord, "a run", "python benchmarks/worth_of_joint.py")


def labels_file(network: str) -> str:
    """The name of the file with the labels of the test set."""
    return f"{network}-labels.npz"


class Predicted(Protocol):
    """A record of a run on a network, with the name of the file of its predictions."""

    @property
    def network(self) -> str: ...
    @property
    def predictions(self) -> str | None: ...


def correct(record: Predicted, folder: Path) -> npt.NDArray[np.bool_]:
    """Which test examples a run predicted correctly."""
    assert record.predictions is not None
    with np.load(folder / record.predictions) as predicted, np.load(folder / labels_file(record.network)) as labels:
        return np.asarray(predicted["predicted"] == labels["labels"], np.bool_)


@dataclass(frozen=True)
class PairedComparison:
    """Two arms on the same test examples, in one or more runs of each.

    Attributes:
        runs: The number of pairs of runs.
        examples: The number of test examples.
        first_only, second_only: How often only the first, or only the second, is right.
        difference: Accuracy of the first less that of the second, from -1 to 1.
        margin: Half of the width of its 95 % confidence interval.
        p: The p-value of McNemar's exact test.
    """

    runs: int
    examples: int
    first_only: int
    second_only: int
    difference: float
    margin: float
    p: float


def paired(pairs: Sequence[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]) -> PairedComparison:
    """Compare two arms by which test examples each run of them predicted correctly.

    The confidence interval treats test examples as drawn at random, and the runs on one example as dependent. McNemar's
    test counts every example of every run by itself, so with several runs its p-value is somewhat too small.

    Args:
        pairs: For each pair of runs, which examples the first and the second predicted correctly, bool (examples,).
    """
    from scipy.stats import binomtest

    differences = np.array([first.astype(np.int64) - second.astype(np.int64) for first, second in pairs])
    first_only, second_only = int((differences > 0).sum()), int((differences < 0).sum())
    of_example = differences.mean(axis=0)
    examples = len(of_example)
    margin = Z_95 * float(of_example.std(ddof=1)) / math.sqrt(examples)
    total = first_only + second_only
    p = float(binomtest(first_only, total).pvalue) if total else 1.0
    return PairedComparison(len(pairs), examples, first_only, second_only, float(of_example.mean()), margin, p)
