"""The exchange of measured losses for values of widths, and the fit of its rate."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.errors import InputError
from reds_core.scoring.exchange_rate import (
    SMALLEST_RATE,
    TIE_BREAK,
    TrainedChoice,
    ValueUnit,
    fitted_rate,
    level_values,
    value_unit,
    width_value,
    with_ties_broken,
)
from reds_core.scoring.level_losses import LevelLoss, LevelLosses
from reds_core.scoring.normalisation import Normalisation, normalise
from reds_core.scoring.scorer import ScoreTable

SCORES = ScoreTable({"a": np.array([4.0, 1.0, 2.0]), "b": np.array([0.5, 3.0])})
SHARES = normalise(SCORES)
LOSSES = LevelLosses(
    0.3,
    (
        LevelLoss("conv", "weight_bits", np.array([2, 4, 8]), np.array([0.7, 0.32, 0.3])),
        LevelLoss("head", "weight_bits", np.array([4, 8]), np.array([0.29, 0.3])),
    ),
    100,
)


def test_levels_are_worth_minus_the_rate_times_the_rise() -> None:
    values = level_values(LOSSES, SHARES, 0.25)
    assert list(values) == [("conv", "weight_bits"), ("head", "weight_bits")]
    np.testing.assert_allclose(values["conv", "weight_bits"], [-0.1, -0.005, 0])
    assert values["head", "weight_bits"].tolist() == [0, 0]
    assert all(v.dtype == np.float64 and not np.signbit(v[-1]) for v in values.values())


def test_the_default_rate_follows_from_the_unit_of_the_scores() -> None:
    measured = ScoreTable(SCORES.channels, curves={"a": np.array([0.0, 1.5, 1.6]), "b": np.array([0.0, 0.1])})
    for scores, unit, rate in ((SHARES, ValueUnit.LOG_SHARE, 0.5), (measured, ValueUnit.LOSS, 1.0)):
        assert value_unit(scores) is unit
        values = level_values(LOSSES, scores)["conv", "weight_bits"]
        np.testing.assert_allclose(values, [-0.4 * rate, -0.02 * rate, 0])


def test_shares_stay_shares_in_another_order_and_in_a_wider_network() -> None:
    order = {"a": np.array([0, 2, 1]), "b": np.array([1, 0])}
    assert value_unit(SHARES.ordered(order)) is ValueUnit.LOG_SHARE
    kept = {"a": np.array([0, 2, 3]), "b": np.array([1, 4])}
    assert value_unit(SHARES.spread(kept, {"a": 5, "b": 6})) is ValueUnit.LOG_SHARE


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_of_levels_that_cost_no_loss_the_highest_is_worth_the_most_at_any_scale_of_the_scores(scale: float) -> None:
    kernel = {("a", "b"): scale * np.ones((3, 2))}
    for scores in (SHARES, ScoreTable({group: scale * own for group, own in SCORES.channels.items()}, kernel)):
        free = {("conv", "weight_bits"): np.zeros(3)}
        values = with_ties_broken(free, scores)["conv", "weight_bits"]
        assert values[0] < values[1] < values[2] == 0
        whole = 1.0 if scores is SHARES else sum(float(own.sum()) for own in scores.totals().values())
        assert -values[0] <= 2 * TIE_BREAK * whole


@pytest.mark.parametrize("how", ["none", "mean", "sum"])
def test_sums_of_scores_need_a_rate(how: Normalisation) -> None:
    scores = normalise(SCORES, how)
    with pytest.raises(
        InputError, match="sums of scores, for which losses cannot be exchanged; give exchange_rate in the units"
    ):
        level_values(LOSSES, scores)
    np.testing.assert_allclose(level_values(LOSSES, scores, 2.0)["conv", "weight_bits"], [-0.8, -0.04, 0])


def test_kernel_scores_need_a_rate() -> None:
    with pytest.raises(InputError, match="sums of scores"):
        value_unit(ScoreTable(SHARES.channels, {("a", "b"): np.ones((3, 2))}, SHARES.curves))


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_rates_that_are_not_amounts_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match="is not 0 or more"):
        level_values(LOSSES, SHARES, rate)


def choices(by_value: float, by_rise: float, noise: float = 0.0, count: int = 12, seed: int = 0) -> list[TrainedChoice]:
    rng = np.random.default_rng(seed)
    found = []
    for value, rise in rng.uniform(0, 2, (count, 2)):
        loss = 0.3 + by_value * value + by_rise * rise + rng.normal(0, noise)
        found.append(TrainedChoice(-float(value), float(rise), float(loss)))
    return found


def test_exact_losses_give_their_rate() -> None:
    fit = fitted_rate(choices(0.3, 0.15))
    assert (fit.rate, fit.base, fit.by_value, fit.by_rise) == pytest.approx((0.5, 0.3, 0.3, 0.15))
    assert fit.explained == pytest.approx(1)
    assert fit.standard_error == pytest.approx(0, abs=1e-9)
    assert (fit.choices, fit.note) == (12, "")


def test_the_standard_error_is_the_spread_of_the_fitted_rate() -> None:
    fits = [fitted_rate(choices(0.3, 0.15, 0.02, 30, seed)) for seed in range(200)]
    spread = float(np.std([fit.rate for fit in fits]))
    errors = [fit.standard_error for fit in fits if fit.standard_error is not None]
    assert len(errors) == 200
    assert float(np.mean(errors)) == pytest.approx(spread, rel=0.2)
    assert float(np.mean([fit.rate for fit in fits])) == pytest.approx(0.5, abs=0.02)


def test_three_choices_determine_a_rate_without_an_error() -> None:
    fit = fitted_rate(choices(0.3, 0.15, count=3))
    assert (fit.rate, fit.standard_error) == (pytest.approx(0.5), None)


def test_choices_that_do_not_differ_keep_the_default() -> None:
    same = [TrainedChoice(-1.0, 0.2, 0.5), TrainedChoice(-0.5, 0.1, 0.4), TrainedChoice(-1.5, 0.3, 0.6)]
    for given in (same, choices(0.3, 0.15, count=2), []):
        fit = fitted_rate(given)
        assert fit.rate == 0.5
        assert "do not differ enough" in fit.note
    assert fitted_rate([], default=1.0).rate == 1.0


def test_losses_that_rise_with_the_widths_keep_the_default() -> None:
    fit = fitted_rate(choices(-0.3, 0.15))
    assert fit.rate == 0.5
    assert "do not lose more with narrower widths" in fit.note


def test_levels_that_cost_nothing_have_the_smallest_rate() -> None:
    fit = fitted_rate(choices(0.3, -0.1))
    assert fit.rate == SMALLEST_RATE
    assert "below the smallest" in fit.note


def test_a_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        fitted_rate([TrainedChoice(-1.0, 0.1, float("nan"))])


def test_widths_are_valued_by_curves_or_by_sums() -> None:
    assert width_value(SHARES, {"a": 2, "b": 2}) == pytest.approx(np.log(6 / 7))
    assert width_value(SCORES, {"a": 2, "b": 1}) == pytest.approx(-1.5)
    assert width_value(SHARES, {}) == 0
