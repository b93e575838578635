"""Scorers against loops over single weights, on a framework in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reds_scorers import MagnitudeScorer, TaylorScorer
from reds_scorers.magnitude import MagnitudeOptions
from reds_scorers.taylor import TaylorOptions
from toy_framework import ToyFramework, ToyModel, backward, describe, residual_model, toy_arrays

from reds_core.errors import InputError
from reds_core.framework import Arrays, Task, batches
from reds_core.plugin import build_options
from reds_core.scoring import Scorer, ScoreTable, score

TOY = ToyFramework()
PRODUCERS = {
    "stem": {"stem/kernel", "stem/bias", "norm/gamma", "norm/beta", "out/kernel", "out/bias"},
    "inside": {"inside/kernel", "inside/bias"},
}
"""The trainable weights whose last axis runs over the channels of each group of `residual_model`."""


@pytest.fixture
def model() -> ToyModel:
    return residual_model()


def training_data(model: ToyModel) -> Arrays:
    arrays = toy_arrays(model, train=50)
    return Arrays(arrays["x_train"], arrays["y_train"])


def scored(scorer: Scorer, model: ToyModel, data: Arrays | None, seed: int = 0) -> ScoreTable:
    return score(scorer, TOY, model, describe(model), data, Task(), seed)


@pytest.mark.parametrize(("norm", "power"), [("l2", 2), ("l1", 1)])
def test_magnitude_sums_powers_of_kernels(model: ToyModel, norm: Any, power: int) -> None:
    table = scored(MagnitudeScorer(MagnitudeOptions(norm, "none")), model, None)
    for group, producers in PRODUCERS.items():
        for channel, found in enumerate(table.channels[group]):
            expected = 0.0
            for name in producers:
                if name.endswith("/kernel"):
                    for row in range(model.weights[name].shape[0]):
                        expected += abs(float(model.weights[name][row, channel])) ** power
            assert found == pytest.approx(expected, rel=1e-12)
    assert table.pairs == {}


def test_magnitude_needs_no_data_and_looks_at_none(model: ToyModel) -> None:
    assert not MagnitudeScorer.needs_data
    with_data = scored(MagnitudeScorer(), model, training_data(model))
    np.testing.assert_array_equal(with_data.channels["stem"], scored(MagnitudeScorer(), model, None).channels["stem"])


def gradients(model: ToyModel, data: Arrays, batch_size: int) -> list[dict[str, Any]]:
    return [backward(model, data.take(part)) for part in batches(len(data), batch_size)]


def test_taylor_takes_the_magnitude_of_accumulated_gradients_times_weights(model: ToyModel) -> None:
    data = training_data(model)
    table = scored(TaylorScorer(TaylorOptions("abs", batch_size=16)), model, data)
    found = gradients(model, data, 16)
    assert len(found) == 4
    for group, producers in PRODUCERS.items():
        for channel, importance in enumerate(table.channels[group]):
            expected = 0.0
            for name in producers:
                weight = np.atleast_2d(model.weights[name])
                for row in range(weight.shape[0]):
                    total = sum(float(np.atleast_2d(g[name])[row, channel]) for g in found)
                    expected += abs(total * float(weight[row, channel]))
            assert importance == pytest.approx(expected, rel=1e-6)


def test_taylor_squares_the_sum_of_gradient_times_weight_batch_by_batch(model: ToyModel) -> None:
    data = training_data(model)
    table = scored(TaylorScorer(TaylorOptions("squared", batch_size=16)), model, data)
    for group, producers in PRODUCERS.items():
        for channel, importance in enumerate(table.channels[group]):
            expected = 0.0
            for found in gradients(model, data, 16):
                total = 0.0
                for name in producers:
                    weight, gradient = np.atleast_2d(model.weights[name]), np.atleast_2d(found[name])
                    total += sum(float(gradient[r, channel] * weight[r, channel]) for r in range(weight.shape[0]))
                expected += total**2
            assert importance == pytest.approx(expected, rel=1e-5)


def test_the_two_criteria_differ(model: ToyModel) -> None:
    data = training_data(model)
    tables = [scored(TaylorScorer(TaylorOptions(c, 16)), model, data) for c in ("abs", "squared")]  # type: ignore[arg-type]
    assert not np.allclose(tables[0].channels["stem"], tables[1].channels["stem"])


def test_a_dead_channel_scores_nothing(model: ToyModel) -> None:
    model.weights["inside/kernel"][:, 2] = 0
    model.weights["inside/bias"][2] = 0
    data = training_data(model)
    for scorer in (MagnitudeScorer(), TaylorScorer(), TaylorScorer(TaylorOptions("squared"))):
        assert scored(scorer, model, data).channels["inside"][2] == 0


@pytest.mark.parametrize("examples", [1, 20, 49])
def test_taylor_uses_as_many_examples_as_asked_drawn_by_the_seed(model: ToyModel, examples: int) -> None:
    data = training_data(model)
    seen = []

    class Recording(ToyFramework):
        def gradients(self, model: Any, network: Any, data: Arrays, task: Any, batch_size: int) -> Any:
            seen.append(data.x)
            return super().gradients(model, network, data, task, batch_size)

    scorer = TaylorScorer(TaylorOptions(examples=examples))
    for seed in (0, 0, 1):
        score(scorer, Recording(), model, describe(model), data, Task(), seed)
    assert [len(x) for x in seen] == [examples] * 3
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    everything = {x.tobytes() for x in data.x}
    drawn = [x.tobytes() for x in seen[0]]
    assert set(drawn) <= everything
    assert len(set(drawn)) == examples


@pytest.mark.parametrize("examples", [0, 50, 10**6])
def test_taylor_uses_all_examples_where_there_are_no_more(model: ToyModel, examples: int) -> None:
    data = training_data(model)
    table = scored(TaylorScorer(TaylorOptions(examples=examples)), model, data)
    np.testing.assert_array_equal(table.channels["stem"], scored(TaylorScorer(), model, data).channels["stem"])


def test_taylor_without_data_says_what_to_do(model: ToyModel) -> None:
    assert TaylorScorer.needs_data
    with pytest.raises(InputError, match=r"'taylor' needs training data; give data, or scorer=.magnitude."):
        scored(TaylorScorer(), model, None)


@pytest.mark.parametrize(
    ("scorer", "options", "why"),
    [
        (MagnitudeScorer, {"norm": "l3"}, "magnitude.norm cannot be 'l3'"),
        (TaylorScorer, {"criterion": "cubed"}, "taylor.criterion cannot be 'cubed'"),
        (TaylorScorer, {"batch_size": "0"}, "taylor.batch_size is 0"),
        (TaylorScorer, {"batch_size": "many"}, "taylor.batch_size cannot be 'many'"),
        (TaylorScorer, {"examples": "-1"}, "taylor.examples is -1"),
    ],
)
def test_options_that_are_refused(scorer: type[Scorer], options: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        build_options(scorer, options)


def test_options_may_be_written_with_dashes() -> None:
    assert build_options(TaylorScorer, {"batch-size": "8", "criterion": "squared"}) == TaylorOptions("squared", 8)
