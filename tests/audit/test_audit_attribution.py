"""Attribution of channels to margins, on a network whose attributions are known, and what they predict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from toy_framework import ToyFramework, ToyModel, chain_model, forward, residual_model

from reds_core.arrays import FloatArray
from reds_core.audit.ablation import (
    ablated_margins,
    attribute_margins,
    mean_correlation,
    random_ablations,
    ridge,
    starts_of,
)
from reds_core.audit.answers import answers_of
from reds_core.audit.prediction import NetworkLoss, area_under_curve, predict_losses
from reds_core.framework.framework import WeightArrays

FRAMEWORK = ToyFramework()
CHANNELS = 8


def linear() -> tuple[ToyModel, FloatArray, FloatArray, FloatArray]:
    """A network of two classes with one hidden layer, whose margin is the sum of what its channels add.

    Returns:
        The model, examples, their true classes, and by how much each margin changes without each channel.
    """
    model = chain_model((CHANNELS,), classes=2, seed=3)
    x = np.random.default_rng(0).normal(size=(20, 1, 4)).astype(np.float32)
    truth = np.arange(20) % 2
    hidden, head = forward(model, x)["pool"][:, 0], model.weights["head/kernel"].astype(np.float64)
    signs = np.where(truth == 1, 1.0, -1.0)
    return model, x, truth, -(hidden * (head[:, 1] - head[:, 0])).T * signs


def test_attributions_of_a_linear_network_are_what_each_channel_adds() -> None:
    model, x, truth, known = linear()
    network = FRAMEWORK.inspect(model)
    ablations, told = random_ablations(CHANNELS, 60, 0.3, seed=1), []
    intact = answers_of(FRAMEWORK.predict(model, x), truth).margins
    margins = ablated_margins(FRAMEWORK, model, network, x, truth, ablations, lambda done, of: told.append((done, of)))
    found = attribute_margins(network.channels, ablations, margins, intact)
    np.testing.assert_allclose(found.effects, known, atol=1e-5)
    assert (found.held_out, found.correlation) == (12, pytest.approx(1, abs=1e-6))
    assert told == [(number, 60) for number in range(1, 61)]
    (group,) = network.channels
    removed = {group: np.array([1, 4, 6])}
    small = FRAMEWORK.extract(model, network, {group: np.array([0, 2, 3, 5, 7])})
    left = answers_of(FRAMEWORK.predict(small, x), truth).margins
    np.testing.assert_allclose(intact + found.predicted(removed), left, atol=1e-5)


def test_weights_of_ablations_are_repaired_before_they_are_measured() -> None:
    model, x, truth, _ = linear()
    network, seen = FRAMEWORK.inspect(model), []

    def doubled(variants: Iterator[WeightArrays]) -> Iterator[WeightArrays]:
        for weights in variants:
            seen.append(weights)
            yield [2 * weight for weight in weights]

    nothing = np.zeros((2, CHANNELS), bool)
    margins = ablated_margins(FRAMEWORK, model, network, x, truth, nothing, lambda done, of: None, doubled)
    twice = model.copy()
    FRAMEWORK.assign(twice, network, [2 * weight for weight in FRAMEWORK.weights(model, network)])
    np.testing.assert_allclose(margins[1], answers_of(FRAMEWORK.predict(twice, x), truth).margins, atol=1e-5)
    assert len(seen) == 2


def test_channels_of_several_groups_have_rows_of_their_own() -> None:
    model = residual_model(width=3, inner=2)
    network = FRAMEWORK.inspect(model)
    x, truth = np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32), np.zeros(6, np.int64)
    starts, total = starts_of(network.channels), sum(network.channels.values())
    assert sorted(starts.values()) == list(np.cumsum([0, *network.channels.values()])[:-1])
    alone = np.eye(total, dtype=bool)
    margins = ablated_margins(FRAMEWORK, model, network, x, truth, alone, lambda done, of: None)
    for group, count in network.channels.items():
        for channel in range(count):
            kept = {group: np.delete(np.arange(count), channel)}
            small = FRAMEWORK.extract(model, network, kept)
            expected = answers_of(FRAMEWORK.predict(small, x), truth).margins
            np.testing.assert_allclose(margins[starts[group] + channel], expected, atol=1e-5)


def test_each_channel_is_ablated_with_the_given_probability() -> None:
    found = random_ablations(200, 400, 0.1, seed=0)
    assert found.mean() == pytest.approx(0.1, abs=0.005)
    assert len({row.sum() for row in found}) > 5
    np.testing.assert_array_equal(found, random_ablations(200, 400, 0.1, seed=0))


def test_ridge_follows_from_its_normal_equations_and_shrinks_noise() -> None:
    random = np.random.default_rng(0)
    x, truth = random.normal(size=(40, 30)), random.normal(size=(30, 3))
    np.testing.assert_allclose(ridge(x, x @ truth), truth, atol=1e-6)
    noisy = x @ truth + 8 * random.normal(size=(40, 3))
    plain, shrunk = np.linalg.lstsq(x, noisy, rcond=None)[0], ridge(x, noisy)
    assert np.abs(shrunk - truth).mean() < np.abs(plain - truth).mean()
    # some penalty solves (X'X + penalty) B = X'Y
    difference = x.T @ noisy - x.T @ x @ shrunk
    penalties = (difference * shrunk).sum() / (shrunk**2).sum()
    np.testing.assert_allclose(difference, penalties * shrunk, atol=1e-8)


def test_correlations_are_means_over_what_varies() -> None:
    a, b = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), np.array([[2.0, 5.0], [4.0, 6.0], [6.0, 7.0]])
    assert mean_correlation(a, b) == pytest.approx(1)
    assert mean_correlation(a, -b) == pytest.approx(-1)
    assert mean_correlation(a[:, 1:], b[:, 1:]) is None
    assert mean_correlation(a[:1], b[:1]) is None


def test_the_area_under_the_curve_by_counting_pairs() -> None:
    scores, lost = np.array([3.0, 1.0, 2.0, 2.0, 0.0]), np.array([True, False, True, False, False])
    assert area_under_curve(scores, lost) == pytest.approx((3 + 2.5) / 6)
    assert area_under_curve(scores, np.ones(5, bool)) is None


def loss_of(predicted: FloatArray, margins: FloatArray, lost: np.ndarray, removed: int = 3) -> NetworkLoss:
    return NetworkLoss(removed, np.ones(len(lost), bool), ~lost, margins, predicted)


def test_predictions_tell_attribution_from_margins() -> None:
    random = np.random.default_rng(2)
    noise, cause = random.normal(size=300), random.normal(size=300)
    lost = cause + 0.5 * random.normal(size=300) < -0.8
    by_cause = predict_losses([loss_of(cause, noise, lost)], seed=0)
    by_margin = predict_losses([loss_of(noise, cause, lost)], seed=0)
    assert by_cause is not None
    assert by_margin is not None
    assert by_cause.attribution.auc > 0.9 > 0.6 > by_cause.baseline.auc
    assert by_cause.advantage_interval[0] > 0 > by_margin.advantage_interval[1]
    assert by_cause.p_value == pytest.approx(1 / 1001)
    assert by_margin.p_value > 0.01
    assert by_cause.attribution.interval[0] < by_cause.attribution.auc < by_cause.attribution.interval[1]
    assert (by_cause.removed, by_cause.candidates, by_cause.lost) == (3, 300, lost.sum())
    both = predict_losses([loss_of(cause, noise, lost), loss_of(noise, cause, lost)], seed=0)
    assert both is not None
    mean = (by_cause.attribution.auc + by_margin.attribution.auc) / 2
    assert both.attribution.auc == pytest.approx(mean)


def test_a_score_that_only_repeats_the_margin_is_chance_at_equal_margin() -> None:
    random = np.random.default_rng(4)
    margins, cause = random.normal(size=600), random.normal(size=600)
    by_margin = predict_losses([loss_of(margins, margins, margins + 0.5 * random.normal(size=600) < -0.8)], seed=0)
    by_both = predict_losses([loss_of(cause, margins, margins + cause < -1)], seed=0)
    assert by_margin is not None
    assert by_both is not None
    assert by_margin.attribution.auc == by_margin.baseline.auc > 0.9
    assert by_margin.at_equal_margin is not None
    assert by_both.at_equal_margin is not None
    assert by_margin.at_equal_margin.auc < 0.75
    assert by_both.at_equal_margin.auc > 0.9 > by_both.attribution.auc
    assert by_both.at_equal_margin.interval[0] < by_both.at_equal_margin.auc < by_both.at_equal_margin.interval[1]


def test_nothing_is_said_at_equal_margin_where_no_tenth_has_lost_and_kept_examples() -> None:
    margins, causes = np.arange(4.0), np.array([1.0, -1.0, 0.0, 2.0])
    alone = loss_of(causes, margins, np.array([False, True, False, False]))
    found = predict_losses([alone], seed=0)
    assert found is not None
    assert found.at_equal_margin is None
    random = np.random.default_rng(4)
    several = loss_of(random.normal(size=100), random.normal(size=100), random.random(100) < 0.3)
    with_one, without = predict_losses([several], seed=0), predict_losses([several, _of(several, 1)], seed=0)
    assert with_one is not None
    assert without is not None
    assert without.at_equal_margin is not None
    assert with_one.at_equal_margin is not None
    assert without.at_equal_margin.auc == with_one.at_equal_margin.auc, "the mean is over the networks that have one"


def _of(network: NetworkLoss, kept: int) -> NetworkLoss:
    """A network that keeps only the examples with the greatest margins, which share no tenth with lost ones."""
    is_right = network.margins >= np.sort(network.margins)[-10 * kept]
    return NetworkLoss(3, network.was_right, is_right, network.margins, network.predicted)


def test_nothing_is_predicted_where_nothing_is_removed_or_lost() -> None:
    lost = np.array([True, False])
    assert predict_losses([loss_of(np.zeros(2), np.zeros(2), lost, removed=0)], 0) is None
    assert predict_losses([loss_of(np.zeros(2), np.zeros(2), ~lost | lost)], 0) is None
    assert predict_losses([], 0) is None
