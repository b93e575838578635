"""What levels of layers cost in loss, measured on toy models with a transform that rounds weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from toy_framework import ToyFramework, ToyModel, residual_model, toy_arrays

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import ContractViolation, PluginFailure
from reds_core.framework.data import Arrays, Data
from reds_core.framework.framework import WeightArrays
from reds_core.knapsack.levels import Nesting
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.scoring.level_losses import LevelLoss, level_losses, projected
from reds_core.scoring.levels_offered import falling
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform


class Rounding(Transform):
    """Rounds kernels to multiples of 1 / level; the level 8 leaves them as they are."""

    name = "rounding"
    what = "steps"
    stage = Stage.ENCODE
    nesting = Nesting.EQUAL

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(np.array([1, 2, 8]))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return part

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight if of.kind is not WeightKind.KERNEL or level == 8 else np.rint(weight * level) / level


class Failing(Rounding):
    name = "failing"

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        raise ZeroDivisionError("no")


class Cutting(Rounding):
    name = "cutting"

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight[:1]


@dataclass(frozen=True)
class Offering:
    """What a run offers for one layer."""

    site: str
    transform: Transform = field(default_factory=Rounding)
    levels: IntArray = field(default_factory=lambda: np.array([1, 2, 8]))


FRAMEWORK = ToyFramework()


def measuring() -> tuple[LossMeasurement, ToyModel]:
    model = residual_model()
    arrays = toy_arrays(model)
    data = Arrays(arrays["x_train"], arrays["y_train"])
    return LossMeasurement(FRAMEWORK, model, FRAMEWORK.inspect(model), data, data.take(slice(0, 40))), model


def recalibrated_loss(model: ToyModel, data: Data, statistics: float = 1.01) -> float:
    """The loss after the toy framework measured statistics once, which multiplies them by `statistics`."""
    changed = model.copy()
    for name in ("norm/mean", "norm/variance"):
        changed.weights[name] = changed.weights[name] * np.float32(statistics)
    return FRAMEWORK.loss(changed, data, measuring()[0].task)


def test_each_layer_is_measured_alone_with_recalibrated_statistics() -> None:
    subject, model = measuring()
    before = {name: weight.copy() for name, weight in model.weights.items()}
    found = level_losses(subject, [Offering("stem"), Offering("head")])
    assert found.base == pytest.approx(recalibrated_loss(model, subject.examples), rel=1e-6)
    assert found.examples == 40
    assert [(each.site, each.what) for each in found.sites] == [("stem", "steps"), ("head", "steps")]
    for each in found.sites:
        for level, loss in zip(each.levels[:-1], each.losses, strict=False):
            alone = model.copy()
            kernel = alone.weights[f"{each.site}/kernel"]
            alone.weights[f"{each.site}/kernel"] = (np.rint(kernel * level) / level).astype(np.float32)
            assert loss == pytest.approx(recalibrated_loss(alone, subject.examples), rel=1e-6)
        assert each.losses[-1] == found.base
    assert all(np.array_equal(before[name], weight) for name, weight in model.weights.items())


def test_a_layer_at_one_tenth_of_the_steps_costs_more_than_nothing() -> None:
    found = level_losses(measuring()[0], [Offering("head")])
    rises = found.rises["head", "steps"]
    assert rises.dtype == np.float64
    assert rises[0] > 0
    assert rises[-1] == 0


def test_offers_of_one_level_are_not_measured_and_progress_counts_the_rest() -> None:
    told: list[tuple[int, int]] = []
    offers = [Offering("stem", levels=np.array([8])), Offering("out", levels=np.zeros(0, np.int64)), Offering("head")]
    found = level_losses(measuring()[0], offers, lambda done, total: told.append((done, total)))
    assert set(found.rises) == {("head", "steps")}
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_networks_without_statistics_are_not_recalibrated() -> None:
    class Untrainable(ToyFramework):
        def finetune(self, *given: object) -> None:
            raise AssertionError

    subject, model = measuring()
    layers = tuple(
        type(layer)(layer.name, layer.kind, tuple("stem" if i == "norm" else i for i in layer.inputs))
        for layer in model.layers
        if layer.name != "norm"
    )
    kept = {name: weight for name, weight in model.weights.items() if not name.startswith("norm")}
    plain = ToyModel(model.name, model.input_shape, layers, kept)
    framework = Untrainable()
    own = LossMeasurement(framework, plain, framework.inspect(plain), subject.train, subject.examples)
    assert level_losses(own, []).base == pytest.approx(framework.loss(plain, subject.examples, own.task))


def test_only_the_weights_of_the_layer_are_projected() -> None:
    subject, model = measuring()
    own: WeightArrays = FRAMEWORK.weights(model, subject.network)
    changed = projected(subject.network, own, "inside", Rounding(), 2)
    names = [w.name for w, a, b in zip(subject.network.weights, own, changed, strict=True) if not np.array_equal(a, b)]
    assert names == ["inside/kernel"]
    assert all(a.dtype == b.dtype for a, b in zip(own, changed, strict=True))


def test_a_transform_that_fails_or_cuts_weights_is_named() -> None:
    with pytest.raises(PluginFailure, match="transform 'failing' failed with ZeroDivisionError"):
        level_losses(measuring()[0], [Offering("stem", Failing())])
    with pytest.raises(ContractViolation, match="transform 'cutting' projects 'stem/kernel'"):
        level_losses(measuring()[0], [Offering("stem", Cutting())])


def rises(*losses: float) -> npt.NDArray[np.float64]:
    return LevelLoss("conv", "bits", np.arange(len(losses)), np.array(losses)).rises


def test_rises_never_grow_with_the_level_and_end_at_zero() -> None:
    np.testing.assert_allclose(rises(3.5, 1.0), [2.5, 0])
    np.testing.assert_allclose(rises(1.5, 1.9, 1.0), [0.7, 0.7, 0])
    np.testing.assert_allclose(rises(1.2, 0.9, 1.0), [0.2, 0, 0])
    np.testing.assert_allclose(rises(0.8, 0.9, 1.0), [0, 0, 0])
    np.testing.assert_allclose(rises(1.0), [0])


@given(st.lists(st.floats(-5, 5), max_size=12))
def test_falling_is_isotonic_regression(values: list[float]) -> None:
    given = np.array(values, np.float64)
    expected = isotonic_regression(given, increasing=False).x if values else given
    np.testing.assert_allclose(falling(given), expected, atol=1e-12)
