"""Early exit against networks that end at one exit, at equal cost, with paired intervals over examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray

Interval = tuple[float, float]
RESAMPLES = 1000
_BATCH_ELEMENTS = 4_000_000
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class AccuracyDifference:
    """How much more accurate a policy is than something else on the same examples.

    Attributes:
        mean: The difference of the two accuracies, from -1 to 1.
        interval: Its 95 % interval over examples, by a paired bootstrap: both are computed on the same resampled
            examples.
    """

    mean: float
    interval: Interval


@dataclass(frozen=True)
class AgainstStatic:
    """A policy against networks that end at one exit for all examples.

    Attributes:
        at_equal_cost: Against the best mixture of these networks whose mean cost is not above that of the policy: a
            share of all examples, drawn blindly, is answered by one of them and the rest by another.
        whole_network: Against the network that ends at the last exit.
    """

    at_equal_cost: AccuracyDifference
    whole_network: AccuracyDifference


def mixture_accuracy(costs: FloatArray, accuracies: FloatArray, cost: float) -> float:
    """Return the highest accuracy of a mixture of networks whose mean cost is at most a limit.

    It lies on the upper concave hull of their accuracies over their costs.

    Args:
        costs: The cost of each network, (K,).
        accuracies: The accuracy of each, (K,).
        cost: The limit, not below the cheapest network.
    """
    hull: list[tuple[float, float]] = []
    for point in sorted(zip(costs.tolist(), accuracies.tolist(), strict=True), key=lambda each: (each[0], -each[1])):
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _is_below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return float(np.interp(cost, [c for c, _ in hull], [a for _, a in hull]))


def _is_below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether a point is on or below the line from a point before it to one behind it."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def against_static(
    right: BoolArray, alone: FloatArray, policy_right: BoolArray, policy_cost: FloatArray, seed: int
) -> AgainstStatic:
    """Compare a policy with networks that end at one exit.

    Args:
        right: Whether each exit is right about each example, (K, N).
        alone: What a network costs that ends at each exit and has no other exits, (K,).
        policy_right: Whether the policy is right about each example, (N,).
        policy_cost: What it used for each example, (N,).
        seed: The seed of resampling.
    """
    rows = np.vstack([right, policy_right, policy_cost]).astype(np.float64)
    whole = np.ones((1, rows.shape[1]), np.int64)
    mean = _differences(rows, alone, whole)[0]
    drawn = np.concatenate([_differences(rows, alone, counts) for counts in _resampled(rows.shape[1], seed)])
    ends = np.percentile(drawn, _PERCENTILES, axis=0)
    at_equal_cost, whole_network = (
        AccuracyDifference(float(mean[i]), (float(ends[0, i]), float(ends[1, i]))) for i in range(2)
    )
    return AgainstStatic(at_equal_cost, whole_network)


def _differences(rows: FloatArray, alone: FloatArray, counts: IntArray) -> FloatArray:
    """Return both differences for each resample, (R, 2), given how often each example is in it, (R, N)."""
    means = counts @ rows.T / rows.shape[1]
    return np.array(
        [
            (each[-2] - mixture_accuracy(alone, each[:-2], float(each[-1])), each[-2] - each[-3])
            for each in means
        ]
    )  # fmt: skip


def _resampled(examples: int, seed: int) -> Iterator[IntArray]:
    """Yield how often each example is in each resample, in parts of (R, N)."""
    generator = np.random.default_rng(seed)
    part = max(min(_BATCH_ELEMENTS // examples, RESAMPLES), 1)
    for start in range(0, RESAMPLES, part):
        size = min(part, RESAMPLES - start)
        draws = generator.integers(examples, size=(size, examples))
        yield np.stack([np.bincount(each, minlength=examples) for each in draws])
