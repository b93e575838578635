"""Whether channel attributions tell which examples a compressed network loses, better than its confidence does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.audit.records import LossPrediction, Prediction
from reds_core.audit.statistics import CONFIDENCE, Interval

RESAMPLES = 1000
"""How often examples are drawn anew for an interval, and assigned at random for a p-value."""
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class NetworkLoss:
    """What one compressed network loses, and what would predict it.

    Attributes:
        removed: the number of channels that are removed or merged.
        was_right: whether the input model recognises each example, bool (N,).
        is_right: whether the compressed network does, bool (N,).
        margins: the margins of the input model, (N,).
        predicted: the predicted change of each margin without the removed channels, (N,).
    """

    removed: int
    was_right: BoolArray
    is_right: BoolArray
    margins: FloatArray
    predicted: FloatArray

    @property
    def lost(self) -> BoolArray:
        """Which examples are recognised by the input model alone."""
        return self.was_right & ~self.is_right

    @property
    def kept(self) -> BoolArray:
        """Which examples both recognise."""
        return self.was_right & self.is_right

    @property
    def scores(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The scores by attribution, by the margin alone, and by both: the higher, the likelier an example is lost."""
        return -self.predicted, -self.margins, -(self.margins + self.predicted)


def area_under_curve(scores: FloatArray, lost: BoolArray) -> float | None:
    """Return the probability that a lost example has a higher score than one that is kept, ties counting half.

    Args:
        scores: the scores, (N,).
        lost: which examples are lost, bool (N,).

    Returns:
        None if all examples are lost, or none is.
    """
    if lost.all() or not lost.any():
        return None
    return float(_areas(scores, lost[None].astype(np.float64), (~lost)[None].astype(np.float64))[0])


def predict_losses(networks: Sequence[NetworkLoss], seed: int) -> LossPrediction | None:
    """Return whether attributions predict which examples the networks of a member lose.

    Args:
        networks: the networks, which answer the same examples.
        seed: the seed of resampling.

    Returns:
        None if no network loses some examples and keeps others, or if none has removed channels.
    """
    useful = [n for n in networks if n.removed and n.lost.any() and n.kept.any()]
    if not useful:
        return None
    count = len(useful[0].was_right)
    random = np.random.default_rng(seed)
    areas = _mean_areas(useful, np.ones((1, count)))[0]
    drawn = _mean_areas(useful, random.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64))
    found = drawn[np.isfinite(drawn).all(axis=1)]
    attribution, baseline, both = (Prediction(float(areas[i]), _interval(found[:, i])) for i in range(3))
    orders = np.stack([random.permutation(count) for _ in range(RESAMPLES)])
    return LossPrediction(
        removed=float(np.mean([n.removed for n in useful])),
        candidates=float(np.mean([n.was_right.sum() for n in useful])),
        lost=float(np.mean([n.lost.sum() for n in useful])),
        attribution=attribution,
        baseline=baseline,
        both=both,
        advantage=attribution.auc - baseline.auc,
        advantage_interval=_interval(found[:, 0] - found[:, 1]),
        p_value=_p_value(useful, attribution.auc, orders),
    )


def _mean_areas(networks: Sequence[NetworkLoss], counts: FloatArray) -> FloatArray:
    """Return the areas of the three scores as means over networks, one row for each resampling.

    Args:
        networks: the networks.
        counts: how often each example is drawn, one row for each resampling.

    Returns:
        NaN where the area of some network is not defined.
    """
    found = [[_areas(scores, counts * n.lost, counts * n.kept) for scores in n.scores] for n in networks]
    means: FloatArray = np.array(found).mean(axis=0).T
    return means


def _areas(scores: FloatArray, lost: FloatArray, kept: FloatArray) -> FloatArray:
    """Return the area under the curve for each row of weights; NaN where nothing is lost, or nothing is kept.

    Args:
        scores: the scores, (N,).
        lost: the weight of each example among the lost ones, one row for each resampling.
        kept: likewise among those that are kept.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # of examples of one score
    up, down = np.add.reduceat(lost[:, order], starts, axis=1), np.add.reduceat(kept[:, order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    pairs = up.sum(axis=1) * down.sum(axis=1)
    areas: FloatArray = np.where(pairs > 0, (up * below).sum(axis=1) / np.maximum(pairs, 1), np.nan)
    return areas


def _interval(values: FloatArray) -> Interval:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _p_value(networks: Sequence[NetworkLoss], reached: float, orders: IntArray) -> float:
    """Return how often sums that are assigned to other examples at random predict as well, or as badly.

    Args:
        networks: the networks.
        reached: the area that the sums of the examples themselves reach.
        orders: for each assignment, the example whose sum each example gets.
    """
    areas = []
    for network in networks:
        lost, kept = np.zeros(orders.shape), np.zeros(orders.shape)
        np.put_along_axis(lost, orders, np.broadcast_to(network.lost, orders.shape), axis=1)
        np.put_along_axis(kept, orders, np.broadcast_to(network.kept, orders.shape), axis=1)
        areas.append(_areas(network.scores[0], lost, kept))
    as_extreme = np.abs(np.mean(areas, axis=0) - 0.5) >= abs(reached - 0.5) - _TINY
    return (int(as_extreme.sum()) + 1) / (len(orders) + 1)
