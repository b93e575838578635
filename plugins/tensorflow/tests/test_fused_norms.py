"""Batch norms traced by faster operations compute what Keras does: outputs, gradients and moving averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from reds_tensorflow.fused import fused_norm, norms_fused, product_norm
from reds_tensorflow.statistics import BatchNormStatistics

SHAPES = {"dense": (), "sequence": (5,), "image": (4, 5), "volume": (3, 2, 4)}
WIDTHS = (6, 8, 33)
"""Numbers of channels; the fused kernel is used for 8 only."""


def _trained(model: keras.Model, x: np.ndarray, fused: bool) -> tuple[list[np.ndarray], set[str]]:
    """Outputs, moving averages and gradients of one call in training mode, and the operations it took."""

    def step(batch: tf.Tensor) -> list[tf.Tensor]:
        weights = [v.value for v in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([batch, *weights])
            states = [v.value for v in model.non_trainable_variables]
            outputs, after = model.stateless_call(weights, states, batch, training=True)
            total = tf.reduce_sum(tf.sin(3 * tf.cast(outputs, tf.float32)))
        found = tape.gradient(total, [batch, *weights])
        return [outputs, *after, *(g for g in found if g is not None)]

    graph = tf.function(step, input_signature=[tf.TensorSpec((None, *x.shape[1:]), x.dtype)], autograph=False)
    if fused:
        with norms_fused(model):
            concrete = graph.get_concrete_function()
    else:
        concrete = graph.get_concrete_function()
    results = [np.asarray(tf.cast(t, tf.float64)) for t in concrete(tf.constant(x))]
    return results, {operation.type for operation in concrete.graph.get_operations()}


def _varied(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(5)
    for variable in model.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def _examples(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(rng.uniform(-2, 2, shape[-1]), rng.uniform(0.3, 3, shape[-1]), shape).astype("float32")


def _is_fused(operations: set[str]) -> bool:
    """Whether the fused kernel was used, or else products of matrices."""
    fused = "FusedBatchNormV3" in operations
    assert fused != ("MatMul" in operations)
    return fused


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("affine", [(True, True), (False, True), (True, False), (False, False)])
def test_outputs_gradients_and_moving_averages_are_those_of_keras(
    shape: tuple[int, ...], affine: tuple[bool, bool], width: int
) -> None:
    scale, center = affine
    norm = keras.layers.BatchNormalization(scale=scale, center=center, momentum=0.9)
    model = _varied(keras.Sequential([keras.Input((*shape, width)), norm]))
    x = _examples(7, *shape, width)
    expected, plain = _trained(model, x, fused=False)
    found, operations = _trained(model, x, fused=True)
    assert not {"FusedBatchNormV3", "MatMul"} & plain
    assert _is_fused(operations) == (width == 8)
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("norm", [fused_norm, product_norm])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_variance_far_below_the_squared_mean_is_kept(norm: Callable[..., Any], width: int) -> None:
    x = np.random.default_rng(0).normal(300.0, 1.0, (8, 14, 14, width)).astype("float32")
    rows = x.astype("float64").reshape(-1, width)
    outputs, mean, variance = norm(tf.constant(x), tf.ones(width), tf.zeros(width), 1e-3)
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, rows.var(0), rtol=1e-4)
    wanted = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3)
    np.testing.assert_allclose(np.reshape(outputs, (-1, width)), wanted, atol=1e-3)


@pytest.mark.parametrize("width", WIDTHS)
def test_one_trace_counts_the_examples_of_every_batch(width: int) -> None:
    model = keras.Sequential([keras.Input((4, 5, width)), keras.layers.BatchNormalization(momentum=0.0)])
    states = [v.value for v in model.non_trainable_variables]

    def moving(batch: tf.Tensor) -> list[tf.Tensor]:
        with norms_fused(model):
            return model.stateless_call([v.value for v in model.trainable_variables], states, batch, training=True)[1]

    traced = tf.function(moving, input_signature=[tf.TensorSpec((None, 4, 5, width))], autograph=False)
    for size in (1, 2, 9):
        x = _examples(size, 4, 5, width)
        mean, variance = traced(tf.constant(x))
        np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("norm", [fused_norm, product_norm])
def test_no_gradient_flows_through_mean_and_variance(norm: Callable[..., Any]) -> None:
    given = [tf.constant(_examples(7, 4, 5, 8)), tf.ones(8), tf.zeros(8)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(given)
        outputs, mean, variance = norm(*given, 1e-3)
        alone = tf.reduce_sum(tf.sin(outputs))
        together = alone + 10 * tf.reduce_sum(mean) + 10 * tf.reduce_sum(variance)
    assert tape.gradient([mean, variance], given) == [None, None, None]
    for actual, wanted in zip(tape.gradient(together, given), tape.gradient(alone, given), strict=True):
        assert np.abs(wanted).max() > 0.01
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("width", WIDTHS)
def test_measured_statistics_are_those_of_the_data(width: int) -> None:
    model = keras.Sequential([keras.Input((4, 5, width)), keras.layers.BatchNormalization()])
    x = _examples(300, 4, 5, width)
    states = model.non_trainable_variables
    BatchNormStatistics(model, lambda: [v.value for v in model.trainable_variables], states, x).measure(x)
    np.testing.assert_allclose(states[0], x.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(states[1], x.var((0, 1, 2)), rtol=1e-4)


def test_an_epsilon_below_that_of_the_gpu_kernel_is_taken_as_it_is() -> None:
    model = _varied(keras.Sequential([keras.Input((4, 4, 3)), keras.layers.BatchNormalization(epsilon=1e-7)]))
    x = 1e-3 * _examples(6, 4, 4, 3)
    for actual, wanted in zip(_trained(model, x, True)[0], _trained(model, x, False)[0], strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "norm",
    [
        pytest.param({"axis": 1}, id="channels-first"),
        pytest.param({"dtype": "float64"}, id="float64"),
        pytest.param({"trainable": False}, id="frozen"),
        pytest.param({"renorm": True}, id="renorm"),
    ],
)
def test_what_the_kernel_cannot_do_is_left_to_keras(norm: dict[str, object]) -> None:
    dtype = str(norm.get("dtype", "float32"))
    layers = [keras.Input((4, 5, 6), dtype=dtype), keras.layers.BatchNormalization(**norm)]
    model = _varied(keras.Sequential(layers))
    x = _examples(7, 4, 5, 6).astype(dtype)
    found, operations = _trained(model, x, fused=True)
    assert not {"FusedBatchNormV3", "MatMul"} & operations
    for actual, wanted in zip(found, _trained(model, x, fused=False)[0], strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("width", WIDTHS)
def test_in_half_precision_statistics_stay_single(width: int) -> None:
    policy = keras.mixed_precision.DTypePolicy("mixed_bfloat16")
    norm = keras.layers.BatchNormalization(dtype=policy)
    model = _varied(keras.Sequential([keras.Input((4, 5, width)), norm]))
    x = _examples(7, 4, 5, width)
    expected, _ = _trained(model, x, fused=False)
    found, operations = _trained(model, x, fused=True)
    assert _is_fused(operations) == (width == 8)
    np.testing.assert_array_equal(found[0], expected[0])
    for actual, wanted in zip(found[1:3], expected[1:3], strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("width", WIDTHS)
def test_norms_whose_weights_are_in_half_precision(width: int, kind: str) -> None:
    model = _varied(keras.Sequential([keras.Input((4, 5, width)), keras.layers.BatchNormalization(dtype=kind)]))
    x = _examples(7, 4, 5, width)
    expected, _ = _trained(model, x, fused=False)
    found, _ = _trained(model, x, fused=True)
    for actual, wanted in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_allclose(actual, wanted, atol=0.05)


def test_nested_and_shared_norms_are_found_and_given_back() -> None:
    shared = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((4,)), shared, keras.layers.Dense(4), keras.layers.BatchNormalization()])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, shared(inner(inputs)))
    with norms_fused(model):
        with norms_fused(inner):
            assert all("call" in vars(norm) for norm in (shared, inner.layers[-1]))
        assert all("call" in vars(norm) for norm in (shared, inner.layers[-1])), "the outer change is not undone"
    assert not any("call" in vars(norm) for norm in (shared, inner.layers[-1]))
