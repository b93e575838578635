"""Projections of the weights of networks by one or several transforms."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_framework import describe, residual_model
from toy_transforms import ToyBits, ToyMask, ToyRank, rounded

from reds_core.arrays import FloatArray
from reds_core.errors import PluginFailure
from reds_core.framework import projection
from reds_core.framework.family import member_kept
from reds_core.framework.projection import Projection, SmallerNetwork, projections
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Weight
from reds_core.transforms.factors import composed
from reds_core.transforms.start import Start

NETWORK = describe(residual_model())
NAMES = [weight.name for weight in NETWORK.weights]
INSIDE, OUT = NAMES.index("inside/kernel"), NAMES.index("out/kernel")


def kernel(index: int, widths: dict[str, int] | None = None, seed: int = 0) -> FloatArray:
    """Random values of a kernel in the channels that a network of these widths has."""
    axes = NETWORK.weights[index].axes
    whole = np.random.default_rng([seed, index]).normal(size=[axis.full(NETWORK.channels) for axis in axes])
    return whole[np.ix_(*(axis.positions(member_kept(widths or {}), NETWORK.channels) for axis in axes))]


def convolved(x: npt.NDArray[np.float64], weights: FloatArray) -> FloatArray:
    """The valid convolution of positions x channels with a kernel of one or two spatial axes, position by position."""
    lengths = weights.shape[:-2]
    out = [size - length + 1 for size, length in zip(x.shape, lengths, strict=False)]
    found = np.zeros((*out, weights.shape[-1]))
    for place in itertools.product(*map(range, out)):
        for offset in itertools.product(*map(range, lengths)):
            found[place] += x[tuple(map(sum, zip(place, offset, strict=True)))] @ weights[offset]
    return found


@pytest.mark.parametrize("lengths", [[(3, 1), (1, 3)], [(1, 1), (3, 3), (1, 1)], [(3,), (2,), (1,)], [(2, 3), (3, 2)]])
def test_a_chain_of_layers_is_one_layer_with_the_composed_kernel(lengths: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(1)
    channels = [4, *range(2, 2 + len(lengths) - 1), 5]
    factors = [rng.normal(size=(*length, *channels[i : i + 2])) for i, length in enumerate(lengths)]
    x = expected = rng.normal(size=(*[8] * len(lengths[0]), 4))
    for factor in factors:
        expected = convolved(expected, factor)
    assert np.allclose(convolved(x, composed(factors)), expected, atol=1e-12)
    dense = [factor.reshape(-1, *factor.shape[-2:])[0] for factor in factors]
    assert np.allclose(composed(dense), np.linalg.multi_dot(dense), atol=1e-12)


def test_what_a_projection_decides_at_the_start_stays_until_the_end() -> None:
    found = projections(NETWORK, [ToyMask()], LevelSettings({"inside": {"density": 50}}))
    assert list(found) == [INSIDE]
    start, later = kernel(INSIDE), kernel(INSIDE, seed=1)
    begun = found[INSIDE].begun(start)
    assert np.array_equal(begun.function(later) != 0, begun.function(start) != 0)
    assert not np.array_equal(found[INSIDE].function(later) != 0, begun.function(later) != 0)
    assert np.count_nonzero(begun.function(later)) == start.size // 2
    assert begun.scheduled is None


WIDTHS = st.tuples(st.integers(1, 6), st.integers(1, 5))


@given(st.integers(0, 100), WIDTHS, WIDTHS)
def test_projections_know_what_smaller_networks_have(seed: int, one: tuple[int, int], other: tuple[int, int]) -> None:
    pairs = [[choose(a, b) for a, b in zip(one, other, strict=True)] for choose in (min, max)]
    small, large = (dict(zip(("stem", "inside"), pair, strict=True)) for pair in pairs)
    quarter, half = {"density": 25}, {"density": 50}
    settings = [LevelSettings({"inside": quarter, "out": quarter}), LevelSettings({"inside": half})]
    masks: list[dict[int, FloatArray]] = []
    members = [SmallerNetwork(*each) for each in zip((small, large), settings, strict=True)]
    for place, member in enumerate(members):
        found = projections(NETWORK, [ToyMask()], member.settings, widths=member.widths, smaller=members[:place])
        values = {index: kernel(index, dict(member.widths), seed) for index in found}
        masks.append({i: found[i].begun(values[i]).function(values[i]) != 0 for i in found})
    inner, outer = masks
    assert set(inner) == {INSIDE, OUT}
    assert set(outer) == {INSIDE}
    rows, columns = inner[INSIDE].shape
    assert not np.any(inner[INSIDE] & ~outer[INSIDE][:rows, :columns])
    assert [mask.sum() for mask in (inner[INSIDE], outer[INSIDE])] == [inner[INSIDE].size // 4, outer[INSIDE].size // 2]


def rewriting(**levels: int) -> Projection:
    """The projection of the kernel of the layer `inside`."""
    (found,) = projections(NETWORK, [ToyBits(), ToyRank()], LevelSettings({"inside": levels})).values()
    return found


def test_a_kernel_whose_layer_is_replaced_is_the_product_of_those_that_replace_it() -> None:
    found, values = rewriting(rank=2), kernel(INSIDE)
    assert found.factors is not None
    first, second = found.factors(values)
    assert (first.shape, second.shape) == ((6, 2), (2, 5))
    assert np.allclose(found.function(values), first @ second)
    assert np.linalg.matrix_rank(found.function(values)) == 2
    assert np.array_equal(found.holds(values), found.function(values))


def test_later_transforms_project_the_kernels_that_replace_one_and_models_hold_their_product_before() -> None:
    found, values = rewriting(rank=2, weight_bits=2), kernel(INSIDE)
    plain = rewriting(rank=2)
    assert found.factors is not None
    assert plain.factors is not None
    expected = [rounded(factor, 2) for factor in plain.factors(values)]
    assert all(np.array_equal(*pair) for pair in zip(found.factors(values), expected, strict=True))
    assert np.allclose(found.function(values), expected[0] @ expected[1])
    assert np.array_equal(found.holds(values), plain.function(values))
    again = found.factors(found.holds(values))
    assert all(np.allclose(np.abs(a), np.abs(b)) for a, b in zip(again, expected, strict=True))


def test_kernels_of_files_are_those_of_the_training_though_moments_are_measured_anew() -> None:
    values, random = kernel(INSIDE), np.random.default_rng(4)
    in_training, at_export = (np.cov(random.normal(size=(6, 40)) * np.arange(1, 7)[:, None]) for _ in range(2))
    trained = rewriting(rank=2, weight_bits=2).begun(values, in_training)
    held = trained.holds(values).astype(np.float32).astype(np.float64)
    exported = rewriting(rank=2, weight_bits=2).begun(held, at_export)
    assert trained.factors is not None
    assert exported.factors is not None
    for of_file, of_training in zip(exported.factors(held), trained.factors(values), strict=True):
        assert np.allclose(of_file, of_training, atol=1e-5)


def test_second_moments_reach_the_transform_that_asks_for_them() -> None:
    found, values = rewriting(rank=1), kernel(INSIDE)
    assert found.reads == NETWORK.layers[[layer.name for layer in NETWORK.layers].index("inside")].inputs[0]
    x = np.random.default_rng(2).normal(size=(50, 6)) * np.array([9, 1, 1, 1, 1, 1])
    moments = x.T @ x / len(x)

    def error(projection: Projection) -> float:
        return float(np.square(x @ (projection.function(values) - values)).mean())

    assert error(found.begun(values, moments)) < 0.9 * error(found.begun(values))
    (bits,) = projections(NETWORK, [ToyBits()], LevelSettings({"inside": {"weight_bits": 2}})).values()
    assert bits.reads is None


def test_second_moments_of_too_many_channels_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LevelSettings({"out": {"rank": 1}})
    (read,) = (layer.inputs[0] for layer in NETWORK.layers if layer.name == "out")
    assert projections(NETWORK, [ToyRank()], settings)[OUT].reads == read
    channels = NETWORK.tensors[read].axis.full(NETWORK.channels)
    monkeypatch.setattr(projection, "MOST_CHANNELS", channels)
    assert projections(NETWORK, [ToyRank()], settings)[OUT].reads == read
    monkeypatch.setattr(projection, "MOST_CHANNELS", channels - 1)
    found = projections(NETWORK, [ToyRank()], settings)[OUT]
    assert found.reads is None
    assert np.linalg.matrix_rank(found.begun(kernel(OUT), None).function(kernel(OUT))) == 1


class Failing(ToyMask):
    """Fails at the start of a training, or in its course."""

    at_start = True

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        if self.at_start:
            raise KeyError("start")
        return lambda values, progress: values / [][0]

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        raise ZeroDivisionError


class FailingRank(ToyRank):
    """Has no factors."""

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        return lambda values: (values[()], values["x"])  # type: ignore[call-overload]


def test_transforms_whose_projections_fail_are_named() -> None:
    failing = Failing()
    found = projections(NETWORK, [failing], LevelSettings({"inside": {"density": 50}}))[INSIDE]
    with pytest.raises(PluginFailure, match="transform 'toy-mask' failed with KeyError"):
        found.begun(kernel(INSIDE))
    with pytest.raises(PluginFailure, match="transform 'toy-mask' failed with ZeroDivisionError"):
        found.function(kernel(INSIDE))
    later = Failing()
    later.at_start = False
    found = projections(NETWORK, [later], LevelSettings({"inside": {"density": 50}}))[INSIDE]
    with pytest.raises(PluginFailure, match="transform 'toy-mask' failed with IndexError"):
        found.begun(kernel(INSIDE)).function(kernel(INSIDE))
    found = projections(NETWORK, [FailingRank()], LevelSettings({"out": {"rank": 1}}))[OUT]
    with pytest.raises(PluginFailure, match="transform 'toy-rank' failed with IndexError"):
        found.begun(kernel(OUT)).function(kernel(OUT))
