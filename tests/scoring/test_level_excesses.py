"""What two levels of one layer cost together beyond what they cost alone, where one of them replaces the layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_transforms import ToyBits, ToyRank, rounded

from reds_core.formulation.space import DecisionSpace, decision_space
from reds_core.framework.data import Arrays
from reds_core.knapsack.levels import LevelSettings
from reds_core.runs.checkpoint import load_scores, save_scores
from reds_core.scoring.exchange_rate import level_pair_values
from reds_core.scoring.level_excesses import LevelExcess, level_excesses
from reds_core.scoring.level_losses import LevelLosses, level_losses
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreTable

FRAMEWORK = ToyFramework()
RANKS, BITS = np.array([1, 2, 100]), np.array([4, 8])
EXCESS = LevelExcess("head", "rank", "bits", RANKS, BITS, np.array([[3.0, 0], [2, 0], [0, 0]]))


def measured() -> tuple[LossMeasurement, DecisionSpace, LevelLosses]:
    model = residual_model()
    arrays = toy_arrays(model)
    data = Arrays(arrays["x_train"], arrays["y_train"])
    network = FRAMEWORK.inspect(model)
    measuring = LossMeasurement(FRAMEWORK, model, network, data, data.take(slice(0, 40)))
    space = decision_space(network, [ToyRank(), ToyBits()])
    return measuring, space, level_losses(measuring, space.offers)


def test_pairs_are_the_offers_for_layers_that_one_of_them_replaces() -> None:
    _, space, _ = measured()
    found = [(first.site, first.what, second.what) for first, second in space.replacing_pairs]
    assert found
    assert all(first == "rank" and second == ToyBits.what for _, first, second in found)
    assert {site for site, _, _ in found} == {offer.site for offer in space.offers if offer.what == "rank"}
    assert decision_space(space.network, [ToyBits()]).replacing_pairs == ()


def test_the_excess_is_that_of_rounded_factors_over_a_rounded_kernel() -> None:
    measuring, space, losses = measured()
    first, second = space.replacing_pairs[0]
    (found,) = level_excesses(measuring, [(first, second)], losses.rises)
    at = int(first.levels[(len(first.levels) - 1) // 2])
    own = FRAMEWORK.weights(measuring.model, measuring.network)
    index = next(i for i, w in enumerate(measuring.network.weights) if w.name == f"{first.site}/kernel")
    reads = next(layer.inputs[0] for layer in measuring.network.layers if layer.name == first.site)
    x = measuring.examples.x
    moments = (FRAMEWORK.second_moments(measuring.model, measuring.network, [reads], x, 256) or [None])[0]
    chain = ToyRank().factors(measuring.network.weights[index], at, moments)(own[index].astype(np.float64))

    def loss(*kernels: np.ndarray) -> float:
        changed = list(own)
        changed[index] = (kernels[0] @ kernels[1]).astype(np.float32)
        return next(measuring.losses([changed]))

    for place, level in enumerate(second.levels[:-1]):
        together = loss(*(rounded(factor, int(level)) for factor in chain)) - loss(*chain)
        expected = max(together - losses.rises[second.site, second.what][place], 0.0)
        assert found.excess[:-1, place] == pytest.approx(expected, abs=1e-6)
    assert found.excess.shape == (len(first.levels), len(second.levels))
    assert not found.excess[-1].any()
    assert not found.excess[:, -1].any()


def test_it_counts_in_the_rise_of_a_choice_that_decides_both() -> None:
    losses = LevelLosses(0.0, (), 10, (EXCESS,))
    assert losses.rise(LevelSettings({"head": {"rank": 2, "bits": 4}})) == 2
    assert losses.rise(LevelSettings({"head": {"rank": 100, "bits": 4}})) == 0
    assert losses.rise(LevelSettings({"head": {"rank": 1}, "stem": {"bits": 4}})) == 0


def test_values_are_minus_the_rate_times_the_excess() -> None:
    values = level_pair_values((EXCESS,), ScoreTable({"a": np.ones(2)}), 0.5)
    np.testing.assert_allclose(values["head", "rank", "bits"], [[-1.5, 0], [-1, 0], [0, 0]])


def test_values_come_back_from_files(tmp_path: Path) -> None:
    table = ScoreTable({"a": np.ones(2)}, level_pair_values={("head", "rank", "bits"): EXCESS.excess})
    save_scores(tmp_path / "scores.npz", table)
    found = load_scores(tmp_path / "scores.npz").level_pair_values
    assert {key: values.tolist() for key, values in found.items()} == {("head", "rank", "bits"): EXCESS.excess.tolist()}
    order = {"a": np.array([1, 0])}
    assert table.ordered(order).level_pair_values == table.level_pair_values
    assert table.spread(order, {"a": 4}).level_pair_values == table.level_pair_values


def test_without_pairs_nothing_is_measured() -> None:
    measuring, _, losses = measured()
    assert level_excesses(replace(measuring, framework=None), (), losses.rises) == ()  # type: ignore[arg-type]
