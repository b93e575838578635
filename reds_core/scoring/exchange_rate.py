"""The exchange of measured losses for importance: values of levels in the units of scores, and the fit of the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError, argument
from reds_core.scoring.level_excesses import LevelExcess
from reds_core.scoring.level_losses import LevelLosses
from reds_core.scoring.normalisation import normalise
from reds_core.scoring.scorer import ScoreTable

SMALLEST_RATE = 0.05
"""The smallest rate that is fitted. At a rate of 0, no level of any layer would be worth more than another."""
TIE_BREAK = 1e-6
"""The rise of the loss, weighed at the default rate, that each level below the last counts as in addition to what was
measured, so that of levels that cost no loss the highest is chosen unless a budget binds."""


class ValueUnit(Enum):
    """The unit in which a table of scores values widths, and the exchange rate that suits it: the value of a loss of 1.

    Attributes:
        LOG_SHARE: Logarithms of shares of the score, which most scorers give by default.
        LOSS: Losses that were measured at whole widths, such as those of the scorer sensitivity.
    """

    LOG_SHARE = 0.5
    LOSS = 1.0


def value_unit(scores: ScoreTable) -> ValueUnit:
    """Return the unit of the values of widths, as far as losses can be exchanged for it.

    Curves that are not logarithms of shares are taken for losses.

    Raises:
        InputError: If the values of widths are sums of scores, which have no fixed relation to losses.
    """
    if scores.pairs or scores.curves.keys() != scores.channels.keys():
        raise InputError(
            "the values of widths are sums of scores, for which losses cannot be exchanged",
            f"give {argument('exchange_rate')} in the units of these scores, or leave out "
            f"{argument('score_level')} and the scorer's option normalise",
        )
    if any(np.any(channels < 0) for channels in scores.channels.values()):
        return ValueUnit.LOSS
    shares = normalise(ScoreTable(scores.channels)).curves
    is_share = all(np.allclose(curve, shares[group]) for group, curve in scores.curves.items())
    return ValueUnit.LOG_SHARE if is_share else ValueUnit.LOSS


def level_values(
    losses: LevelLosses, scores: ScoreTable, rate: float | None = None
) -> dict[tuple[str, str], FloatArray]:
    """Return the value of each level of each layer in the units of the scores: minus the rate x the rise of the loss.

    Training recovers most of what a low level costs before training, so that the rate is well below what the measured
    losses suggest.

    Args:
        losses: The measured losses.
        scores: The scores to which the values are added.
        rate: The value of a loss of 1 in the units of the scores. None means 0.5 if these are logarithms of shares,
            and 1 if they are losses.

    Returns:
        For each layer and what is decided about it, float64 (levels,): 0 for the last level, and at most 0 for others.

    Raises:
        InputError: If `rate` is None and the values of widths are sums of scores, or if `rate` is negative or infinite.
    """
    factor = _factor(scores, rate)
    return {key: 0.0 - factor * rises for key, rises in losses.rises.items()}


def level_pair_values(
    excesses: Sequence[LevelExcess], scores: ScoreTable, rate: float | None = None
) -> dict[tuple[str, str, str], FloatArray]:
    """Return what two levels of one layer are worth together beyond the sum of their values, in units of the scores.

    Args:
        excesses: How much more two levels of one layer raise the loss together than alone.
        scores: The scores to which the values are added.
        rate: As for `level_values`.

    Returns:
        For each layer and the two that are decided about it, float64 (levels, levels): minus the rate x the excess.

    Raises:
        InputError: As `level_values` does.
    """
    factor = _factor(scores, rate)
    return {(each.site, each.first, each.second): 0.0 - factor * each.excess for each in excesses}


def _factor(scores: ScoreTable, rate: float | None) -> float:
    """The value of a loss of 1 in the units of the scores."""
    factor = value_unit(scores).value if rate is None else rate
    if not (np.isfinite(factor) and factor >= 0):
        raise InputError(f"the exchange rate {factor} is not 0 or more", "give a number such as 0.5")
    return float(factor)


def default_rate(scores: ScoreTable) -> float:
    """Return the rate that suits the units of scores, or for sums of scores the spread of the values of widths.

    With sums of scores, a loss of 1 is then worth about as much as all widths together, whatever their scale is.

    Args:
        scores: Scores without kernel scores.
    """
    try:
        return value_unit(scores).value
    except InputError:
        return -width_value(scores, dict.fromkeys(scores.channels, 1)) or 1.0


def with_ties_broken(
    values: Mapping[tuple[str, str], FloatArray], scores: ScoreTable
) -> dict[tuple[str, str], FloatArray]:
    """Return values of levels in which a higher level of a layer is worth more than a lower one that costs no loss.

    Measured rises of the loss are often exactly 0 for several levels. Without a preference, a solver would choose among
    these at random. The preference is far below any loss that matters.

    Args:
        values: For each layer and what is decided about it, float64 (levels,), from `level_values`.
        scores: The scores to which the values are added.
    """
    step = TIE_BREAK * default_rate(ScoreTable(scores.totals()) if scores.pairs else scores)
    return {key: each - step * np.arange(len(each))[::-1] for key, each in values.items()}


@dataclass(frozen=True)
class TrainedChoice:
    """A choice of widths and levels that was trained, from which an exchange rate is fitted.

    Attributes:
        width_value: The value of its widths in the units of the scores, less that of the full network: at most 0.
        rise: The sum of the measured rises of the loss by its levels, at least 0.
        loss: Its loss on held-back data after training.
    """

    width_value: float
    rise: float
    loss: float


@dataclass(frozen=True)
class FittedRate:
    """An exchange rate that was fitted to trained choices by least squares.

    The model is: loss = `base` + `by_value` x (- value of the widths) + `by_rise` x rise. The rate is
    `by_rise` / `by_value`.

    Attributes:
        rate: The exchange rate: the fitted one, at least 0.05, or the default if the fit says nothing about it.
        standard_error: The standard error of the fitted rate; None if it cannot be estimated.
        base: The fitted loss of the untouched network after training.
        by_value: The loss that losing one unit of value costs.
        by_rise: The loss that remains of a measured rise of 1.
        explained: The share of the variance of the loss that the fit explains, from 0 to 1.
        choices: The number of trained choices.
        note: Why `rate` is not the fitted rate; empty if it is.
    """

    rate: float
    standard_error: float | None
    base: float
    by_value: float
    by_rise: float
    explained: float
    choices: int
    note: str = ""


def fitted_rate(choices: Sequence[TrainedChoice], default: float = ValueUnit.LOG_SHARE.value) -> FittedRate:
    """Fit the exchange rate to trained choices by least squares.

    Args:
        choices: The trained choices. At least three that differ in both values are needed; with fewer than about ten,
            the standard error is large.
        default: The rate where the choices do not determine one.

    Raises:
        InputError: If a number is not finite.
    """
    table = np.array([[1.0, -c.width_value, c.rise, c.loss] for c in choices], np.float64).reshape(-1, 4)
    if not np.all(np.isfinite(table)):
        raise InputError("a trained choice has a loss or a value that is not finite", "lower the learning rate")
    design, losses = table[:, :3], table[:, 3]
    count, unknowns = design.shape
    if count < unknowns or np.linalg.matrix_rank(design) < unknowns:
        note = "the trained choices do not differ enough in their widths and levels to fit an exchange rate"
        return FittedRate(default, None, float("nan"), float("nan"), float("nan"), float("nan"), count, note)
    found = np.linalg.lstsq(design, losses, rcond=None)[0]
    base, by_value, by_rise = map(float, found)
    residuals = losses - design @ found
    spread = float(((losses - losses.mean()) ** 2).sum())
    explained = 1 - float((residuals**2).sum()) / spread if spread > 0 else 1.0
    error = _standard_error(design, residuals, by_value, by_rise)
    rate, note = by_rise / by_value if by_value > 0 else default, ""
    if by_value <= 0:
        note = "the trained choices do not lose more with narrower widths, so that no exchange rate can be fitted"
    elif rate < SMALLEST_RATE:
        rate, note = SMALLEST_RATE, f"the fitted exchange rate is {rate:.3g}, below the smallest, {SMALLEST_RATE}"
    return FittedRate(rate, error, base, by_value, by_rise, explained, count, note)


def _standard_error(design: FloatArray, residuals: FloatArray, by_value: float, by_rise: float) -> float | None:
    """Return the standard error of `by_rise` / `by_value` to first order, or None without degrees of freedom."""
    freedom = len(residuals) - design.shape[1]
    if freedom < 1 or by_value == 0:
        return None
    covariance = np.linalg.inv(design.T @ design) * float((residuals**2).sum()) / freedom
    slope = np.array([0.0, -by_rise / by_value**2, 1 / by_value])
    return float(np.sqrt(slope @ covariance @ slope))


def width_value(scores: ScoreTable, widths: Mapping[str, int]) -> float:
    """Return the value of some widths less that of the full widths, in the units of the scores: at most 0 for shares.

    Args:
        scores: Scores without kernel scores, whose channels are kept by descending score.
        widths: The width of each group; groups that are not named keep their full width.
    """
    total = 0.0
    for group, width in widths.items():
        curve = scores.curves.get(group)
        if curve is None:
            curve = np.cumsum(np.sort(scores.channels[group])[::-1])
        total += float(curve[width - 1] - curve[-1])
    return total
