"""Whole models in TimeDistributed, Bidirectional and other wrappers: followed, or counted as fixed work."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import layers as L
from keras_precision import precision
from keras_unrolled import same_choice, unrolled
from keras_wrapped import FRAME, INNER, OTHERS, WRAPPERS, Squeezed, branching, sequential
from litert_files import export
from reds_dp.solver import DpSolver
from reds_tensorflow.extraction import extract, variables
from reds_tensorflow.loading import save_model
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.tracing import inspect
from slow_cases import slow_except

from reds_core.cost import macs as counted_macs
from reds_core.cost import params, parse_budgets, peak_ram
from reds_core.errors import InfeasibleError, InputError
from reds_core.formulation import Statement, WidthRules, check_reachable, formulate
from reds_core.knapsack import solve
from reds_core.network import Network
from reds_core.scoring import ScoreTable

QUICK = [*product(WRAPPERS, ["sequential"]), *product(["at each step"], ["models in models", "recurrent"])]
CASES = [
    *slow_except(QUICK, product(WRAPPERS, INNER), lambda pair: ": ".join(pair)),
    *(pytest.param("", name, id=name) for name in OTHERS),
]
"""Every kind of model in every kind of wrapper, most of them slow."""


def built(wrapper: str, inner: str, times: int = 1, steps: int = 3) -> Any:
    return WRAPPERS[wrapper](INNER[inner](times), steps) if wrapper else OTHERS[inner](times)


def examples_of(model: Any, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(count, *tensor.shape[1:])) for tensor in model.inputs]


def feed(arrays: list[np.ndarray]) -> Any:
    return arrays if len(arrays) > 1 else arrays[0]


def macs(network: Network, kept: dict[str, np.ndarray] | None = None) -> int:
    return counted_macs(network).at({**network.channels, **{g: len(k) for g, k in (kept or {}).items()}})


def counted(model: Any) -> int:
    """Multiply-accumulates of one example by what the layers of Keras read and make."""
    return reference.count_macs_by_watching(model, *examples_of(model, 1))


@pytest.mark.parametrize(("wrapper", "inner"), CASES)
def test_removed_equals_masked_and_costs_equal_an_independent_count(wrapper: str, inner: str) -> None:
    """What is masked is the same network with its steps written out."""
    with precision("float64"):
        model = built(wrapper, inner)
        arrays = examples_of(model, 12)
        reference.enliven(model, *arrays)
        network, plain = inspect(model), unrolled(model)
        np.testing.assert_allclose(plain(feed(arrays)), model(feed(arrays), training=False), rtol=1e-9, atol=1e-12)
        kept = reference.random_kept(network, 0.5, seed=3, ordered=False)
        small = extract(model, network, kept)
        (masked,) = reference.masked_outputs(plain, inspect(plain), same_choice(model, plain, kept), *arrays)
        assert reference.relative_error(np.asarray(small(feed(arrays), training=False)), masked) < 1e-9
        assert macs(network) == counted(model)
        assert macs(network, kept) == counted(small)
        again = inspect(small)
        widths = {group: len(channels) for group, channels in kept.items()}
        assert params(network).at(widths) == small.count_params()
        assert peak_ram(network).at(widths) == peak_ram(again).at(again.channels)


@pytest.mark.parametrize(("wrapper", "inner"), CASES)
def test_half_the_macs_are_used_or_refused_for_what_is_fixed(wrapper: str, inner: str) -> None:
    model = built(wrapper, inner, times=8, steps=2)
    network, whole = inspect(model), counted(model)
    rng = np.random.default_rng(0)
    scores = ScoreTable({group: rng.uniform(1, 2, channels) for group, channels in network.channels.items()})
    form = counted_macs(network)
    try:
        check_reachable(Statement(network), parse_budgets(["macs=0.5"]))
    except InfeasibleError:
        assert any("MACs are fixed" in warning for warning in network.warnings)
        assert form.at(dict.fromkeys(network.channels, 1)) > whole / 2
        return
    formulation = formulate(network, scores, {"macs": form}, {"macs": whole // 2}, "half")
    choice = solve(formulation.problem, DpSolver()).choice
    assert choice is not None
    groups = zip(formulation.problem.groups, choice, strict=True)
    kept = {group.name: np.sort(formulation.order[group.name][: group.widths[option]]) for group, option in groups}
    assert 0.45 <= counted(extract(model, network, kept)) / whole <= 0.5


def test_the_weights_of_a_shared_model_are_one_set_in_the_copy() -> None:
    for wrapper in ("shared", "shared by two wrappers"):
        model = built(wrapper, "sequential")
        network = inspect(model)
        small = extract(model, network, reference.random_kept(network, 0.5, seed=1))
        assert len(small.weights) == len(model.weights)
        assert [tuple(v.shape) for v in variables(small, network)] == [
            tuple(axis.length().at(inspect(small).channels) for axis in weight.axes)
            for weight in inspect(small).weights
        ]


def test_files_are_read_by_keras_and_litert_and_say_the_same(tmp_path: Path) -> None:
    for name, inner in (("sequential", sequential()), ("branching", branching())):
        inputs = L.Input((3, *FRAME))
        x = L.TimeDistributed(L.TimeDistributed(inner))(L.Reshape((1, 3, *FRAME))(inputs))
        model = keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))
        (array,) = examples_of(model, 8)
        array = array.astype("float32")
        reference.enliven(model, array)
        network = inspect(model)
        small = extract(model, network, reference.random_kept(network, 0.5, seed=1))
        expected = np.asarray(small(array))
        save_model(small, tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras", compile=False, safe_mode=True)
        np.testing.assert_array_equal(np.asarray(loaded(array)), expected)
        export(small, tmp_path / f"{name}.tflite", None, quantise=False)
        found = reference.run_exported(tmp_path / f"{name}.tflite", array)
        assert reference.relative_error(found, expected) < 1e-4


def test_groups_and_weights_of_a_model_at_each_step_have_the_names_of_its_layers() -> None:
    inputs = L.Input((4, 8, 8, 1))
    inner = keras.Sequential([L.Input((8, 8, 1)), L.Conv2D(6, 3, name="a"), L.Flatten(), L.Dense(5, name="b")])
    x = L.TimeDistributed(inner, name="frames")(inputs)
    network = inspect(keras.Model(inputs, L.Dense(3)(L.LSTM(4, name="lstm")(x))))
    assert network.channels == {"frames/a": 6, "frames/b": 5, "lstm": 4}
    assert network.warnings == ()
    assert [w.name for w in network.weights][:2] == ["frames/a/kernel", "frames/a/bias"]
    for pattern, kept in (("frames", {"frames/a", "frames/b"}), ("frames/a", {"frames/a"}), ("*/b", {"frames/b"})):
        rules = WidthRules(keep=(pattern,))
        rules.check(network)
        assert {g.name for g in network.groups if len(rules.widths(g)) == 1} == kept
    with pytest.raises(InputError, match="no layer"):
        WidthRules(keep=("frame",)).check(network)


def test_layers_inside_wrappers_and_layers_of_ones_own_are_among_all_layers() -> None:
    inputs = L.Input((3, *FRAME))
    inner = keras.Sequential([L.Input(FRAME), L.Conv2D(2, 3), L.BatchNormalization(), Squeezed()])
    x = L.TimeDistributed(L.BatchNormalization())(L.TimeDistributed(L.TimeDistributed(L.BatchNormalization()))(inputs))
    model = keras.Model(inputs, L.TimeDistributed(inner)(x))
    kinds = [type(layer) for layer in all_layers(model)]
    assert kinds.count(L.BatchNormalization) == 3
    assert kinds.count(L.Dense) == kinds.count(Squeezed) == 1
    assert kinds.count(keras.Sequential) == 1


def test_tensors_at_each_step_are_held_as_litert_holds_them() -> None:
    """The input cut into steps, one step's tensors beside what is collected, and at last what is collected twice."""
    inputs = L.Input((4, 8, 8, 3))
    inner = keras.Sequential([L.Input((8, 8, 3)), L.Conv2D(5, 3), L.Conv2D(7, 3), L.Flatten(), L.Dense(2)])
    network = inspect(keras.Model(inputs, L.TimeDistributed(inner, name="frames")(inputs)))
    (layer,) = network.layers
    held = [sum(b.elements * b.axis.full(network.channels) for b in step) for step in layer.inside]
    given, collected = 4 * 8 * 8 * 3, 4 * 2
    first, second = 8 * 8 * 3 + 6 * 6 * 5, 6 * 6 * 5 + 4 * 4 * 7
    flat, last = 4 * 4 * 7, 4 * 4 * 7 + 2
    assert held == [given, *(n + collected for n in (first, second, flat, last)), 2 * collected]
