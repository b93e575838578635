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
MARGIN_PARTS = 10
"""The number of parts of about equal margin within which examples are compared."""
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
    above, pairs = _pairs(scores, lost[None].astype(np.float64), (~lost)[None].astype(np.float64))
    return float(above[0] / pairs[0])


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
    attribution, baseline, both = (Prediction(float(areas[i]), _interval(drawn[:, i])) for i in range(3))
    has_equal = not np.isnan(areas[3]) and not np.isnan(drawn[:, 3]).all()
    return LossPrediction(
        removed=float(np.mean([n.removed for n in useful])),
        candidates=float(np.mean([n.was_right.sum() for n in useful])),
        lost=float(np.mean([n.lost.sum() for n in useful])),
        attribution=attribution,
        baseline=baseline,
        both=both,
        at_equal_margin=Prediction(float(areas[3]), _interval(drawn[:, 3])) if has_equal else None,
        advantage=attribution.auc - baseline.auc,
        advantage_interval=_interval(drawn[:, 0] - drawn[:, 1]),
        p_value=_p_value(useful, attribution.auc, np.stack([random.permutation(count) for _ in range(RESAMPLES)])),
    )


def _mean_areas(networks: Sequence[NetworkLoss], counts: FloatArray) -> FloatArray:
    """Return the areas under the curve as means over networks: of the three scores, and at equal margin.

    A mean is over the networks of which the area is defined.

    Args:
        networks: the networks.
        counts: how often each example is drawn, one row for each resampling.

    Returns:
        One row for each resampling. NaN where no network has an area.
    """
    found = []
    for network in networks:
        lost, kept = counts * network.lost, counts * network.kept
        areas = [_area(*_pairs(scores, lost, kept)) for scores in network.scores]
        parts = [
            _pairs(network.scores[0][part], lost[:, part], kept[:, part]) for part in _parts_of_equal_margin(network)
        ]
        found.append([*areas, _area(np.sum([each[0] for each in parts], 0), np.sum([each[1] for each in parts], 0))])
    areas_of_all = np.array(found)
    known = ~np.isnan(areas_of_all)
    counted, total = known.sum(axis=0), np.where(known, areas_of_all, 0.0).sum(axis=0)
    means: FloatArray = np.where(counted > 0, total / np.maximum(counted, 1), np.nan).T
    return means


def _parts_of_equal_margin(network: NetworkLoss) -> list[BoolArray]:
    """Return the examples that the input model recognises in parts of about equal margin and about equal size."""
    own = network.margins[network.was_right]
    edges = np.quantile(own, np.linspace(0, 1, MARGIN_PARTS + 1))[1:-1]
    place = np.searchsorted(edges, network.margins, side="right")
    return [network.was_right & (place == part) for part in range(MARGIN_PARTS)]


def _pairs(scores: FloatArray, lost: FloatArray, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return in how many pairs of a lost and a kept example the lost one has the higher score, and how many there are.

    Args:
        scores: the scores, (N,).
        lost: the weight of each example among the lost ones, one row for each resampling.
        kept: likewise among those that are kept.

    Returns:
        Two arrays with one number for each resampling. Pairs of equal scores count half.
    """
    order = np.argsort(scores, kind="stable")
    if not len(order):
        return np.zeros(len(lost)), np.zeros(len(lost))
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # of examples of one score
    up, down = np.add.reduceat(lost[:, order], starts, axis=1), np.add.reduceat(kept[:, order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    return (up * below).sum(axis=1), up.sum(axis=1) * down.sum(axis=1)


def _area(above: FloatArray, pairs: FloatArray) -> FloatArray:
    """Return shares of pairs; NaN where there is no pair."""
    areas: FloatArray = np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)
    return areas


def _interval(values: FloatArray) -> Interval:
    low, high = np.nanquantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
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
        areas.append(_area(*_pairs(network.scores[0], lost, kept)))
    as_extreme = np.abs(np.mean(areas, axis=0) - 0.5) >= abs(reached - 0.5) - _TINY
    return (int(as_extreme.sum()) + 1) / (len(orders) + 1)
