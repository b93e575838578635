"""Measures of confidence, temperatures, integer margins, and the comparison with networks that end at one exit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_exits import ALONE, COSTS, ExitsFramework, exits_model

from reds_core.cost.energy_models import energy_model
from reds_core.early_exit.against_static import against_static, mixture_accuracy
from reds_core.early_exit.confidence import (
    MEASURES,
    confidence,
    fitted_temperature,
    integer_margins,
    probabilities_of,
)
from reds_core.early_exit.costs import counted_costs, given_costs
from reds_core.errors import InputError

BOARD = energy_model("nucleo-l4r5zi")


def logits(examples: int, classes: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (examples, classes))


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_outputs_are_probabilities_or_logits() -> None:
    values = logits(30)
    assert probabilities_of(values) == pytest.approx(softmax(values))
    assert probabilities_of(softmax(values).astype(np.float32)) == pytest.approx(softmax(values), abs=1e-6)
    assert probabilities_of(np.array([[0.2], [0.9]])) == pytest.approx(np.array([[0.8, 0.2], [0.1, 0.9]]))
    assert probabilities_of(np.array([[-1.0], [3.0]]))[:, 1] == pytest.approx(1 / (1 + np.exp([1.0, -3.0])))


def test_measures_are_0_without_any_preference_and_1_with_certainty() -> None:
    equal, sure, two = np.full((1, 4), 0.25), np.eye(4)[:1], np.array([[0.6, 0.3, 0.1, 0.0]])
    found = {measure: [float(confidence(measure, p)[0]) for p in (equal, sure)] for measure in MEASURES}
    assert found["margin"] == [0, 1]
    assert found["entropy"] == pytest.approx([0, 1], abs=1e-9)
    assert found["calibrated"] == pytest.approx([0.25, 1])
    assert confidence("margin", two)[0] == pytest.approx(0.3)
    entropy = -sum(p * math.log(p) for p in (0.6, 0.3, 0.1))
    assert confidence("entropy", two)[0] == pytest.approx(1 - entropy / math.log(4))
    assert confidence("calibrated", two, 2.0)[0] == pytest.approx(
        math.sqrt(0.6) / (math.sqrt(0.6) + math.sqrt(0.3) + math.sqrt(0.1) + 1e-6), abs=1e-5
    )


@given(st.integers(2, 6), st.integers(0, 50), st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_confidences_are_between_0_and_1(classes: int, seed: int, temperature: float) -> None:
    for measure in MEASURES:
        found = confidence(measure, softmax(20 * logits(20, classes, seed)), temperature)
        assert found.min() >= 0
        assert found.max() <= 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_labels_is_found(temperature: float) -> None:
    """Labels that are drawn with the probabilities of some logits fit logits that are larger by a factor."""
    values, generator = logits(4000), np.random.default_rng(1)
    labels = (values + generator.gumbel(size=values.shape)).argmax(axis=1)
    found = fitted_temperature(softmax(values * temperature), labels)
    assert found == pytest.approx(temperature, rel=0.08)

    def loss(tried: float) -> float:
        return -float(np.mean(np.log(softmax(values * temperature / tried)[np.arange(4000), labels])))

    assert all(loss(found) <= loss(found * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_integer_margins_are_steps_between_the_two_largest_outputs() -> None:
    codes = np.random.default_rng(0).integers(-128, 128, (50, 5))
    outputs = ((codes + 11) * np.float32(0.037)).astype(np.float32)
    ordered = np.sort(codes, axis=1)
    assert integer_margins(outputs, float(np.float32(0.037))).tolist() == (ordered[:, -1] - ordered[:, -2]).tolist()


# --- costs -----------------------------------------------------------------------------------------------------------


def test_costs_are_those_of_the_trunk_with_all_earlier_heads() -> None:
    network = ExitsFramework().inspect(exits_model())
    macs = counted_costs(network, "macs", BOARD)
    assert tuple(macs.passing) == COSTS
    assert tuple(macs.alone) == ALONE
    energy, latency = (counted_costs(network, kind, BOARD) for kind in ("energy", "latency"))
    assert energy.passing == pytest.approx(macs.passing * BOARD.pJ_per_MAC)
    assert latency.passing * BOARD.power_mW == pytest.approx(energy.passing)
    assert "modelled, not measured" in energy.source


def test_given_costs_are_read_with_their_units() -> None:
    network = ExitsFramework().inspect(exits_model())
    found = given_costs(network, "latency", ["100us", "0.5ms", "2 ms"])
    assert found.passing.tolist() == [1e5, 5e5, 2e6]
    assert found.alone == pytest.approx(found.passing * np.array(ALONE) / np.array(COSTS))
    for texts, why in (
        (["1ms"], "holds 1 costs, and the network has 3 exits"),
        (["3ms", "2ms", "4ms"], "fall"),
        (["1ms", "2ms", "0.5"], "holds the share 0.5"),
        (["1ms", "2ms", "3mJ"], "has a unit 'mJ'"),
    ):
        with pytest.raises(InputError, match=why):
            given_costs(network, "latency", texts)


# --- against networks that end at one exit ---------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10)), min_size=1, max_size=5), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_best_mixture_is_that_of_some_pair(networks: list[tuple[int, int]], place: float) -> None:
    costs, accuracies = np.array([c for c, _ in networks], float), np.array([a / 10 for _, a in networks])
    limit = float(costs.min() + place * (costs.max() + 3 - costs.min()))
    best = max(a for c, a in zip(costs, accuracies, strict=True) if c <= limit)
    for (c, a), (d, b) in itertools.permutations(zip(costs.tolist(), accuracies.tolist(), strict=True), 2):
        if c <= limit < d:
            best = max(best, a + (b - a) * (limit - c) / (d - c))
    assert mixture_accuracy(costs, accuracies, limit) == pytest.approx(best)


def test_a_policy_that_is_one_exit_does_not_differ_from_it() -> None:
    right = np.random.default_rng(0).random((3, 200)) < np.array([[0.5], [0.7], [0.9]])
    costs = np.array([1.0, 2.0, 4.0])
    found = against_static(right, costs, right[2], np.full(200, 4.0), 0)
    assert (found.whole_network.mean, found.whole_network.interval) == (0, (0, 0))
    assert found.at_equal_cost.mean == pytest.approx(0)
    oracle = against_static(right, costs, right.any(axis=0), np.full(200, 2.0), 0)
    low, high = oracle.at_equal_cost.interval
    assert 0 < low < oracle.at_equal_cost.mean < high
    assert oracle.at_equal_cost.mean == pytest.approx(right.any(axis=0).mean() - right[1].mean(), abs=0.02)
    assert oracle == against_static(right, costs, right.any(axis=0), np.full(200, 2.0), 0)
