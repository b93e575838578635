"""Fisher, batch-norm scales, filters, activations, sensitivity and random against slow loops over a NumPy network."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from reds_scorers import (
    BatchNormScaleScorer,
    FisherScorer,
    GeometricMedianScorer,
    MagnitudeScorer,
    MeanActivationScorer,
    RandomScorer,
    SensitivityScorer,
    TaylorScorer,
    ZerosScorer,
)
from reds_scorers.activation import MeanActivationOptions, ZerosOptions, read_tensors
from reds_scorers.bn_scale import BatchNormScaleOptions
from reds_scorers.fisher import FisherOptions
from reds_scorers.magnitude import MagnitudeOptions
from reds_scorers.sensitivity import SensitivityOptions, blended, measured_widths
from reds_scorers.taylor import TaylorOptions
from toy_framework import ToyFramework, ToyModel, backward, chain_model, describe, forward, residual_model, toy_arrays

from reds_core.cost import CostModel, resource_forms
from reds_core.errors import InputError, UnsupportedError
from reds_core.formulation import formulate
from reds_core.framework import Arrays, Task, batches
from reds_core.network import WeightKind
from reds_core.plugin import build_options
from reds_core.scoring import ScoreLevel, Scorer, ScoreTable, normalise, score
from reds_core.testing.oracle import brute_force

TOY = ToyFramework()
NEED_DATA = (TaylorScorer, FisherScorer, MeanActivationScorer, ZerosScorer, SensitivityScorer)
READERS = {"stem": ("inside/kernel", "head/kernel"), "inside": ("out/kernel",)}
"""The kernels of `residual_model` whose rows run over the channels of each group."""


@pytest.fixture
def model() -> ToyModel:
    return residual_model()


def training_data(model: ToyModel) -> Arrays:
    arrays = toy_arrays(model, train=40)
    return Arrays(arrays["x_train"], arrays["y_train"])


def scored(
    scorer: Scorer, model: ToyModel, data: Arrays | None, level: ScoreLevel = ScoreLevel.CHANNEL, seed: int = 0
) -> ScoreTable:
    return score(scorer, TOY, model, describe(model), data, Task(), seed, level)


# --- fisher ---------------------------------------------------------------------------------------------------------


def gate_gradient(model: ToyModel, data: Arrays, group: str, channel: int) -> float:
    """Of the loss, by central differences, where the channel is scaled wherever it is read."""
    step, losses = 1e-4, []
    for sign in (1, -1):
        gated = ToyModel(model.name, model.input_shape, model.layers, dict(model.weights))
        for name in READERS[group]:
            gated.weights[name] = model.weights[name].astype(np.float64)
            gated.weights[name][channel] *= 1 + sign * step
        logits = forward(gated, data.x.astype(np.float64))[model.layers[-1].name][:, 0]
        shifted = logits - logits.max(axis=1, keepdims=True)
        likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        losses.append(-likelihood[np.arange(len(data)), data.y].mean())
    return float((losses[0] - losses[1]) / (2 * step))


@pytest.mark.parametrize("batch_size", [1, 16])
def test_fisher_is_half_the_mean_square_of_gate_gradients(model: ToyModel, batch_size: int) -> None:
    data = training_data(model)
    table = scored(FisherScorer(FisherOptions(batch_size, examples=0)), model, data)
    parts = batches(len(data), batch_size)
    for group in READERS:
        for channel in range(len(table.channels[group])):
            squares = [gate_gradient(model, data.take(part), group, channel) ** 2 for part in parts]
            assert table.channels[group][channel] == pytest.approx(sum(squares) / len(parts) / 2, rel=1e-3, abs=1e-9)


def test_batches_of_fisher_are_another_criterion(model: ToyModel) -> None:
    data = training_data(model)
    tables = [scored(FisherScorer(FisherOptions(size)), model, data) for size in (1, 16)]
    assert not np.allclose(tables[0].channels["stem"], tables[1].channels["stem"])


# --- kernels --------------------------------------------------------------------------------------------------------


def kernel_parts(model: ToyModel, importance: dict[str, np.ndarray]) -> ScoreTable:
    """By hand: rows of the classifier and columns of the first kernel hang on one channel, the other two join two."""
    single = {
        "stem": importance["stem/kernel"].sum(axis=0) + importance["head/kernel"].sum(axis=1),
        "inside": np.zeros(5),
    }
    for name, array in importance.items():
        if array.ndim == 1 and not name.startswith("head"):
            single["inside" if name.startswith("inside") else "stem"] += array
    return ScoreTable(
        single, {("stem", "inside"): importance["inside/kernel"], ("inside", "stem"): importance["out/kernel"]}
    )


def assert_same(found: ScoreTable, expected: ScoreTable, rel: float) -> None:
    for group, array in expected.channels.items():
        np.testing.assert_allclose(found.channels[group], array, rtol=rel)
    assert found.pairs.keys() == expected.pairs.keys()
    for pair, kernel in expected.pairs.items():
        np.testing.assert_allclose(found.pairs[pair], kernel, rtol=rel)


def test_magnitude_of_kernels(model: ToyModel) -> None:
    expected = {n: np.abs(w).astype(float) for n, w in model.weights.items() if n.endswith("kernel")}
    found = scored(MagnitudeScorer(MagnitudeOptions("l1", "none")), model, None, ScoreLevel.KERNEL)
    assert_same(found, kernel_parts(model, expected), 1e-9)


@pytest.mark.parametrize("criterion", ["abs", "squared"])
def test_taylor_of_kernels(model: ToyModel, criterion: Any) -> None:
    data = training_data(model)
    found = scored(TaylorScorer(TaylorOptions(criterion, 16)), model, data, ScoreLevel.KERNEL)
    each = [backward(model, data.take(part)) for part in batches(len(data), 16)]
    trained = [n for n in model.weights if not n.startswith(("norm/mean", "norm/variance"))]
    if criterion == "abs":
        importance = {n: np.abs(sum(g[n].astype(float) for g in each) * model.weights[n]) for n in trained}
        assert_same(found, kernel_parts(model, importance), 1e-6)
        return
    tables = [kernel_parts(model, {n: g[n].astype(float) * model.weights[n] for n in trained}) for g in each]
    expected = ScoreTable(
        {g: sum(np.square(t.channels[g]) for t in tables) for g in READERS},
        {p: sum(np.square(t.pairs[p]) for t in tables) for p in tables[0].pairs},
    )
    assert_same(found, expected, 1e-5)


# --- batch norms and filters ----------------------------------------------------------------------------------------


def test_scales_of_batch_norms_and_a_refusal_where_there_are_none(model: ToyModel) -> None:
    refusal = r"""group 'inside' has no batch norm.*options={"bn-scale": {"without": "magnitude"}}"""
    with pytest.raises(UnsupportedError, match=refusal):
        scored(BatchNormScaleScorer(), model, None)
    model.weights["norm/gamma"][2] *= -1
    table = scored(BatchNormScaleScorer(BatchNormScaleOptions("magnitude", "none")), model, None)
    gamma = np.abs(model.weights["norm/gamma"]).astype(float)
    np.testing.assert_allclose(table.channels["stem"], gamma)
    sums = np.abs(model.weights["inside/kernel"]).astype(float).sum(axis=0)
    np.testing.assert_allclose(table.channels["inside"], sums / sums.mean() * gamma.mean(), rtol=1e-6)


def test_a_network_without_batch_norms_has_magnitudes_where_asked() -> None:
    model = chain_model((4, 3))
    table = scored(BatchNormScaleScorer(BatchNormScaleOptions("magnitude", "none")), model, None)
    for group in ("dense0", "dense1"):
        sums = np.abs(model.weights[f"{group}/kernel"]).astype(float).sum(axis=0)
        np.testing.assert_allclose(table.channels[group], sums / sums.mean(), rtol=1e-6)


@pytest.mark.parametrize("width", [5, 130])
def test_distances_to_all_other_filters(width: int) -> None:
    """The residual group has the kernels of two layers; 130 channels are more than one block."""
    model = residual_model(width=width, inner=width - 1)
    model.weights["inside/kernel"][:, 1] = 0
    table = scored(GeometricMedianScorer(), model, None)
    stem = np.concatenate([model.weights["stem/kernel"], model.weights["out/kernel"]]).T.astype(float)
    inside = model.weights["inside/kernel"].T.astype(float)
    for rows, found in ((stem, table.channels["stem"]), (inside, table.channels["inside"])):
        for i, row in enumerate(rows):
            expected = sum(float(np.sqrt(((row - other) ** 2).sum())) for other in rows) if row.any() else 0.0
            assert found[i] == pytest.approx(expected, rel=1e-6)


def test_two_equal_filters_are_nearer_to_the_others_than_an_odd_one() -> None:
    model = chain_model((4,))
    model.weights["dense0/kernel"][:] = [[1, 1, 1.1, 5], [0, 0, 0, 5], [0, 0, 0, 5], [0, 0, 0, 5]]
    assert scored(GeometricMedianScorer(), model, None).channels["dense0"].argmax() == 3


# --- activations ----------------------------------------------------------------------------------------------------


def test_activations_are_read_behind_rectifiers_and_before_pooling(model: ToyModel) -> None:
    network = describe(model)
    names = ["input", *(layer.name for layer in model.layers)]
    assert [names[t] for t in read_tensors(network)] == ["relu", "inside_relu", "add"]


@pytest.mark.parametrize(
    ("scorer", "measure"),
    [
        (MeanActivationScorer(MeanActivationOptions(examples=0)), lambda v: abs(v)),
        (ZerosScorer(ZerosOptions(examples=0)), lambda v: float(v != 0)),
    ],
)
def test_activations_by_hand(model: ToyModel, scorer: Scorer, measure: Any) -> None:
    data = training_data(model)
    table, values = scored(scorer, model, data), forward(model, data.x)
    for group, tensors in {"stem": ("relu", "add"), "inside": ("inside_relu",)}.items():
        for channel, found in enumerate(table.channels[group]):
            means = []
            for name in tensors:
                seen = [values[name][n, p, channel] for n, p in itertools.product(range(len(data)), range(3))]
                means.append(sum(measure(v) for v in seen) / len(seen))
            assert found == pytest.approx(sum(means) / len(means), rel=1e-6)


def test_activations_need_no_labels(model: ToyModel) -> None:
    data = training_data(model)
    other = Arrays(data.x, np.roll(data.y, 3))
    scorer = ZerosScorer(ZerosOptions(examples=0))
    np.testing.assert_array_equal(
        scored(scorer, model, data).channels["stem"], scored(scorer, model, other).channels["stem"]
    )


def test_channels_that_no_layer_reads_from_a_tensor_are_named(model: ToyModel) -> None:
    """As the heads of an attention layer, which lie inside it."""
    network = describe(model)
    hidden = dataclasses.replace(
        network, layers=tuple(dataclasses.replace(x, weights=()) if x.name == "out" else x for x in network.layers)
    )
    with pytest.raises(UnsupportedError, match="group 'inside' lie inside a layer, so scorer 'apoz' cannot see them"):
        score(ZerosScorer(), TOY, model, hidden, training_data(model), Task())


@pytest.mark.parametrize("scorer", [FisherScorer, SensitivityScorer], ids=lambda s: s.name)
def test_channels_that_no_weight_reads_are_named(model: ToyModel, scorer: type[Scorer]) -> None:
    """As those of queries, which a product with keys reads."""
    network = describe(model)
    unread = dataclasses.replace(
        network,
        weights=tuple(
            dataclasses.replace(w, output_axis=None) if w.name == "out/kernel" else w for w in network.weights
        ),
    )
    why = f"no weight reads the channels of group 'inside', which scorer '{scorer.name}' needs"
    with pytest.raises(UnsupportedError, match=why):
        score(scorer(), TOY, model, unread, training_data(model), Task())


def rising(values: np.ndarray) -> np.ndarray:
    """The nearest sequence, in the sum of squares, that never falls, by the min-max formula."""
    n = len(values)
    return np.array([max(min(values[i : j + 1].mean() for j in range(k, n)) for i in range(k + 1)) for k in range(n)])


# --- sensitivity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", ["measured", "monotone"])
@pytest.mark.parametrize("order", ["magnitude", "taylor"])
def test_curves_are_losses_of_extracted_networks(model: ToyModel, order: Any, curve: Any) -> None:
    data = training_data(model)
    network = describe(model)
    table = scored(SensitivityScorer(SensitivityOptions(10, order, curve, 0)), model, data)
    ranker: Scorer = MagnitudeScorer() if order == "magnitude" else TaylorScorer()
    ranking = scored(ranker, model, data)
    for group, channels in network.channels.items():
        np.testing.assert_array_equal(table.channels[group], ranking.channels[group])
        best = np.argsort(-ranking.channels[group], kind="stable")
        losses = []
        for width in range(1, channels + 1):
            small = TOY.extract(model, network, {group: best[:width]})
            losses.append(TOY.loss(small, data, Task()))
        value = -np.array(losses)
        if curve == "monotone":
            assert np.all(np.diff(table.curves[group]) >= -1e-12)
            value = rising(value)
        np.testing.assert_allclose(table.curves[group], value - value[0], atol=1e-6)
        assert table.curves[group][0] == 0


def test_recalibrated_curves_are_measured_with_statistics_of_their_own(model: ToyModel) -> None:
    """The toy framework multiplies statistics by 1.01 when it measures them."""
    data, network = training_data(model), describe(model)
    options = SensitivityOptions(10, "magnitude", "measured", 0, recalibrate=True)
    table = scored(SensitivityScorer(options), model, data)
    ranking = scored(MagnitudeScorer(), model, data)
    changed = model.copy()
    for weight in network.weights:
        if weight.kind is WeightKind.STATISTIC:
            changed.weights[weight.name] *= np.float32(1.01)
    for group, channels in network.channels.items():
        best = np.argsort(-ranking.channels[group], kind="stable")
        losses = [
            TOY.loss(TOY.extract(changed, network, {group: best[:width]}), data, Task())
            for width in range(1, channels + 1)
        ]
        np.testing.assert_allclose(table.curves[group], losses[0] - np.array(losses), atol=1e-6)
    plain = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "measured", 0)), model, data)
    assert any(not np.allclose(curve, plain.curves[group]) for group, curve in table.curves.items())


def test_a_floor_makes_each_width_cost_at_least_a_part_of_its_share(model: ToyModel) -> None:
    data = training_data(model)
    plain = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "monotone", 0)), model, data).curves
    found = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "monotone", 0, floor=0.5)), model, data).curves
    shares = normalise(ScoreTable(scored(MagnitudeScorer(), model, data).channels)).curves
    for group, curve in found.items():
        costs, measured, share = (c[-1] - c for c in (curve, plain[group], shares[group]))
        np.testing.assert_allclose(costs, np.maximum(measured, 0.5 * share), atol=1e-12)
        assert curve[0] == 0
    assert any(not np.allclose(curve, plain[group]) for group, curve in found.items())


@pytest.mark.parametrize("part", [0.0, 0.75, 1.0])
def test_a_part_of_each_curve_is_the_logarithm_of_the_share(part: float, model: ToyModel) -> None:
    data = training_data(model)
    plain = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "monotone", 0)), model, data).curves
    found = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "monotone", 0, shares=part)), model, data)
    shares = normalise(ScoreTable(scored(MagnitudeScorer(), model, data).channels)).curves
    scale = sum(c[-1] for c in plain.values()) / sum(c[-1] for c in shares.values())
    for group, curve in found.curves.items():
        np.testing.assert_allclose(curve, (1 - part) * plain[group] + part * scale * shares[group], atol=1e-12)
    assert sum(c[-1] for c in found.curves.values()) == pytest.approx(sum(c[-1] for c in plain.values()))


def test_a_group_of_one_channel_has_nothing_to_blend() -> None:
    curves = {"single": np.zeros(1)}
    assert blended(curves, {"single": np.zeros(1)}, 0.75)["single"].tolist() == [0.0]


def test_losses_that_fall_with_fewer_channels_do_not_turn_shares_around() -> None:
    curves, shares = {"noisy": np.array([0.0, -1.0])}, {"noisy": np.array([0.0, 2.0])}
    assert blended(curves, shares, 0.5)["noisy"].tolist() == [0.0, -0.5]


def test_between_measured_widths_lie_straight_lines(model: ToyModel) -> None:
    data = training_data(model)
    coarse = scored(SensitivityScorer(SensitivityOptions(1, "magnitude", "measured", 0)), model, data)
    fine = scored(SensitivityScorer(SensitivityOptions(10, "magnitude", "measured", 0)), model, data)
    for group, curve in coarse.curves.items():
        np.testing.assert_allclose(curve, np.linspace(0, fine.curves[group][-1], len(curve)), atol=1e-9)


def test_as_many_losses_are_measured_as_are_promised(model: ToyModel) -> None:
    counted = []

    class Counting(ToyFramework):
        def loss(self, *arguments: Any) -> float:
            counted.append(1)
            return super().loss(*arguments)

    scorer = SensitivityScorer(SensitivityOptions(3, "magnitude"))
    score(scorer, Counting(), model, describe(model), training_data(model), Task())
    assert len(counted) == 1 + 2 * 3


def test_widths_are_even_and_hold_both_ends() -> None:
    assert measured_widths(64, 4).tolist() == [1, 17, 32, 48, 64]
    assert measured_widths(2, 6).tolist() == [1, 2]
    assert measured_widths(1, 6).tolist() == [1]


@pytest.mark.parametrize("seed", range(20))
def test_monotone_curves_are_the_nearest_that_never_fall(model: ToyModel, seed: int) -> None:
    """The curve of a framework whose losses are random, against the min-max formula of isotonic regression."""

    class Noisy(ToyFramework):
        def losses(self, model: Any, network: Any, variants: Any, data: Any, task: Any) -> Any:
            random = np.random.default_rng(seed)
            return (round(random.normal(), 1) for _ in variants)

    network = describe(model)
    data = training_data(model)
    raw, monotone = (
        score(
            SensitivityScorer(SensitivityOptions(10, "magnitude", c, 0)), Noisy(), model, network, data, Task()
        ).curves
        for c in ("measured", "monotone")
    )
    for group, curve in raw.items():
        nearest = rising(curve)
        np.testing.assert_allclose(monotone[group], nearest - nearest[0], atol=1e-12)


# --- random ---------------------------------------------------------------------------------------------------------


def test_random_follows_the_seed_alone(model: ToyModel) -> None:
    one, same, other = (scored(RandomScorer(), model, None, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.channels["stem"], same.channels["stem"])
    assert not np.array_equal(one.channels["stem"], other.channels["stem"])
    assert 0 <= one.channels["stem"].min() <= one.channels["stem"].max() < 1


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scorer", NEED_DATA, ids=lambda s: s.name)
def test_without_data_scorers_that_need_some_say_so(scorer: type[Scorer], model: ToyModel) -> None:
    assert scorer.needs_data
    with pytest.raises(InputError, match=f"'{scorer.name}' needs training data"):
        scored(scorer(), model, None)


@pytest.mark.parametrize(
    ("scorer", "options", "why"),
    [
        (FisherScorer, {"examples": "-1"}, "fisher.examples is -1"),
        (FisherScorer, {"batch_size": "0"}, "fisher.batch_size is 0"),
        (ZerosScorer, {"batch-size": "0"}, "apoz.batch_size is 0"),
        (MeanActivationScorer, {"examples": "-2"}, "mean-activation.examples is -2"),
        (SensitivityScorer, {"widths": "0"}, "sensitivity.widths is 0"),
        (SensitivityScorer, {"floor": "-1"}, "sensitivity.floor is -1"),
        (SensitivityScorer, {"shares": "1.5"}, "sensitivity.shares is 1.5"),
        (SensitivityScorer, {"order": "random"}, "sensitivity.order cannot be 'random'"),
        (BatchNormScaleScorer, {"without": "skip"}, "bn-scale.without cannot be 'skip'"),
        (GeometricMedianScorer, {"normalise": "median"}, "fpgm.normalise cannot be 'median'"),
        (RandomScorer, {"seed": "3"}, "'random' has no option 'seed'"),
    ],
)
def test_options_that_are_refused(scorer: type[Scorer], options: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        build_options(scorer, options)


SCALES = {
    MagnitudeScorer: "log",
    GeometricMedianScorer: "log",
    MeanActivationScorer: "log",
    ZerosScorer: "log",
    TaylorScorer: "log",
    FisherScorer: "log",
}
"""How scorers bring groups to one scale unless told otherwise."""


@pytest.mark.parametrize("scorer", SCALES, ids=lambda s: s.name)
def test_groups_are_brought_to_one_scale(scorer: type[Scorer], model: ToyModel) -> None:
    data = training_data(model)

    def at(**options: str) -> ScoreTable:
        return scored(scorer(build_options(scorer, options)), model, data)

    plain, mean, log, default = at(normalise="none"), at(normalise="mean"), at(normalise="log"), at()
    assert plain.curves == {}
    for group, scores in plain.channels.items():
        np.testing.assert_allclose(mean.channels[group], scores / scores.mean())
        np.testing.assert_array_equal(log.channels[group], scores)
        best = sorted(scores, reverse=True)
        shares = [sum(best[: w + 1]) / sum(best) for w in range(len(best))]
        np.testing.assert_allclose(log.curves[group], np.log(shares) - np.log(shares[0]), atol=1e-9)
        if SCALES[scorer] == "log":
            np.testing.assert_array_equal(default.curves[group], log.curves[group])
    assert bool(default.curves) == (SCALES[scorer] == "log")


def test_kernels_are_brought_to_one_scale_by_their_sums(model: ToyModel) -> None:
    table = scored(MagnitudeScorer(), model, None, ScoreLevel.KERNEL)
    assert table.curves == {}
    for scores in (*table.pairs.values(), table.channels["stem"]):
        assert scores.sum() == pytest.approx(1)
    with pytest.raises(InputError, match="shares of kernels do not multiply over groups; give another normalise"):
        scored(MagnitudeScorer(MagnitudeOptions(normalise="log")), model, None, ScoreLevel.KERNEL)


def test_no_group_is_given_up_for_the_others() -> None:
    """What goes wrong with sums: a group of small kernels keeps one channel however many there are."""
    model = chain_model((8, 8, 8))
    model.weights["dense0/kernel"] *= 0.05
    network = describe(model)
    forms = resource_forms(network, ["macs"], CostModel())
    most = forms["macs"].at(network.channels) // 2
    kept = {}
    for how in ("none", "log"):
        table = scored(MagnitudeScorer(MagnitudeOptions(normalise=how)), model, None)  # type: ignore[arg-type]
        problem = formulate(network, table, forms, {"macs": most}, "half").problem
        kept[how] = problem.widths(brute_force(problem).optima[0].tolist())
    assert kept["none"]["dense0"] == 1
    assert kept["log"]["dense0"] >= 4
