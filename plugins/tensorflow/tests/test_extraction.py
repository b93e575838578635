"""What an extracted model keeps beside its outputs, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_reference import enliven
from reds_tensorflow.extraction import assign, extract, variables, weights
from reds_tensorflow.tracing import inspect

from reds_core.errors import InputError

X = np.random.default_rng(0).normal(3, 2, size=(16, 6)).astype("float32")


def build(**first: Any) -> Any:
    return keras.Sequential(
        [
            keras.Input((6,), name="signal"),
            L.Normalization(name="scale"),
            L.Dense(5, name="a", kernel_regularizer="l2", **first),
            L.BatchNormalization(name="norm", momentum=0.9),
            L.Dense(3, name="out"),
        ],
        name="small",
    )


def test_names_settings_and_trainable_flags_are_kept() -> None:
    model = build()
    model.get_layer("a").trainable = False
    small = extract(model, inspect(model), {"a": np.array([1, 3])})
    assert small.name == "small"
    assert [layer.name for layer in small.layers] == ["signal", "scale", "a", "norm", "out"]
    assert not small.get_layer("a").trainable
    assert small.get_layer("out").trainable
    assert small.get_layer("norm").momentum == 0.9
    assert isinstance(small.get_layer("a").kernel_regularizer, keras.regularizers.L2)
    assert small.get_layer("a").units == 2


def test_dtype_policies_are_kept() -> None:
    model = build(dtype="mixed_float16")
    small = extract(model, inspect(model), {"a": np.array([1, 3])})
    assert small.get_layer("a").dtype_policy.name == "mixed_float16"
    assert small.get_layer("out").dtype_policy.name == "float32"


def test_adapted_statistics_are_in_force() -> None:
    model = build()
    model.get_layer("scale").adapt(X)
    enliven(model, X)
    whole = extract(model, inspect(model), {})
    np.testing.assert_array_equal(np.asarray(whole(X)), np.asarray(model(X)))
    assert float(np.abs(np.asarray(whole.get_layer("scale")(X))).mean()) < 1


def test_a_fixed_batch_size_and_an_input_type_are_kept() -> None:
    inputs = keras.Input((6,), batch_size=2, dtype="float16", name="signal")
    model = keras.Model(inputs, L.Dense(3)(L.Dense(5, name="a")(inputs)))
    small = extract(model, inspect(model), {"a": np.array([0])})
    assert small.inputs[0].shape == (2, 6)
    assert small.inputs[0].dtype == "float16"


def test_a_compiled_model_is_extracted_without_its_training() -> None:
    model = build()
    model.compile("adam", loss=lambda y, p: p)
    assert not extract(model, inspect(model), {"a": np.array([0])}).compiled


def test_weights_are_copies_in_the_networks_order() -> None:
    model = build()
    network = inspect(model)
    arrays = weights(model, network)
    for array, variable in zip(arrays, variables(model, network), strict=True):
        np.testing.assert_array_equal(array, np.asarray(variable))
    arrays[network.weights.index(next(w for w in network.weights if w.name == "a/kernel"))][:] = 7
    assert not np.any(np.asarray(model.get_layer("a").kernel) == 7)


def test_assigned_weights_are_in_force_with_what_layers_derive_from_them() -> None:
    model = build()
    model.get_layer("scale").adapt(X)
    enliven(model, X)
    network, copy = inspect(model), extract(model, inspect(model), {})
    other = build()
    other.get_layer("scale").adapt(3 * X + 1)
    enliven(other, 3 * X + 1)
    assign(copy, network, weights(other, network))
    np.testing.assert_allclose(np.asarray(copy(X)), np.asarray(other(X)), rtol=1e-5)
    assert np.abs(np.asarray(model(X)) - np.asarray(copy(X))).max() > 0.1


def test_values_of_another_shape_are_refused_before_any_weight_changes() -> None:
    model = build()
    network, own = inspect(model), weights(model, inspect(model))
    with pytest.raises(InputError, match=r"has shape \(3,\), but the values have shape \(2,\)"):
        assign(model, network, [*(2 * w for w in own[:-1]), own[-1][:2]])
    assert all(np.array_equal(a, b) for a, b in zip(own, weights(model, network), strict=True))


def test_a_members_weights_are_slices_of_the_full_networks() -> None:
    model = build()
    network = inspect(model)
    kept = {"a": np.array([4, 0])}
    member = weights(extract(model, network, kept), network)
    for part, whole, weight in zip(member, weights(model, network), network.weights, strict=True):
        slices = np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))
        np.testing.assert_array_equal(part, whole[slices])


@pytest.mark.parametrize("kept", [[], [5], [-1], [1, 1]])
def test_channels_that_are_no_choice_are_refused(kept: list[int]) -> None:
    model = build()
    with pytest.raises(InputError, match="group 'a' are not distinct indices below 5"):
        extract(model, inspect(model), {"a": np.array(kept, dtype=np.int64)})


def test_an_unknown_group_is_refused() -> None:
    model = build()
    with pytest.raises(InputError, match="no channel group 'out'"):
        extract(model, inspect(model), {"out": np.array([0])})


def test_the_description_of_another_model_is_refused() -> None:
    model = build()
    network = inspect(model)
    other = keras.Sequential([keras.Input((6,)), L.Dense(5, name="a"), L.Dense(3, name="out")], name="other")
    for use in (lambda: weights(other, network), lambda: extract(other, network, {"a": np.array([0])})):
        with pytest.raises(InputError, match="'other' is not the one that was described"):
            use()
    smaller = extract(model, network, {"a": np.array([0, 1])})
    with pytest.raises(InputError, match="is not the one that was described"):
        extract(smaller, network, {"a": np.array([0])})


def test_initial_values_for_each_channel_do_not_hinder(tmp_path: Path) -> None:
    """Word vectors are given as an initializer (keras.io): of the copy they would have another shape."""
    vectors = np.random.default_rng(0).normal(size=(9, 6)).astype("float32")
    tokens = keras.Input((5,))
    x = keras.layers.Embedding(9, 6, embeddings_initializer=keras.initializers.Constant(vectors), name="words")(tokens)
    start = keras.initializers.Constant(np.arange(4.0))
    x = keras.layers.Dense(4, bias_initializer=start, kernel_initializer=keras.initializers.Constant(0.5), name="a")(x)
    model = keras.Model(tokens, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    path = tmp_path / "model.keras"
    model.save(path)
    for given in (model, keras.saving.load_model(path)):
        network = inspect(given)
        small = extract(given, network, {"words": np.array([5, 1]), "a": np.array([3, 0])})
        np.testing.assert_array_equal(small.get_layer("words").get_weights()[0], vectors[:, [5, 1]])
        np.testing.assert_array_equal(small.get_layer("a").bias, [3, 0])
        assert small.get_layer("a").get_config()["kernel_initializer"]["config"]["value"] == 0.5
        small.save(tmp_path / "small.keras")
        keras.saving.load_model(tmp_path / "small.keras")
