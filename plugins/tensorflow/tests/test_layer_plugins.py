"""Layers of other packages: a custom layer with a handler is pruned; a handler that fails costs its channels alone."""

from __future__ import annotations

import importlib.metadata
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_reference import enliven, masked_outputs, random_kept, relative_error
from mixer import Mixer, mixed, mixing
from reds_tensorflow.calls import Call, Handler
from reds_tensorflow.framework import TensorFlowFramework

from reds_core import Registry, hookimpl
from reds_core.framework import LayerPlugin
from reds_core.network import Dims

X = np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("float32")


class Mixers(LayerPlugin):
    name = "mixers"
    framework = "tensorflow"

    def handlers(self) -> Mapping[type, Any]:
        keras.saving.register_keras_serializable("mixers")(Mixer)
        return {Mixer: Handler(mixed)}


def framework_with(*plugins: type[LayerPlugin]) -> TensorFlowFramework:
    """The framework as a registry makes it that finds `plugins`."""

    @hookimpl
    def reds_frameworks() -> list[type[Any]]:
        return [TensorFlowFramework]

    @hookimpl
    def reds_layers() -> list[type[LayerPlugin]]:
        return list(plugins)

    module = types.SimpleNamespace(__name__="m", reds_frameworks=reds_frameworks, reds_layers=reds_layers)

    class EntryPoint:
        name, value, dist = "mine", "m", None

        def load(self) -> Any:
            return module

    entry_points: Any = [EntryPoint()]
    framework = Registry(entry_points).default_framework()
    assert isinstance(framework, TensorFlowFramework)
    return framework


def model_with_mixer() -> Any:
    return enliven(mixing(), X)


def test_a_custom_layer_with_a_handler_is_pruned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import keras_reference

    monkeypatch.setattr(keras_reference, "PRODUCERS", (*keras_reference.PRODUCERS, Mixer))
    framework, model = framework_with(Mixers), model_with_mixer()
    network = framework.inspect(model)
    assert (network.channels, network.warnings) == ({"a": 6, "mine": 7, "b": 5}, ())
    kept = random_kept(network, 0.5, seed=1)
    small = framework.extract(model, network, kept)
    (expected,) = masked_outputs(model, network, kept, X)
    assert relative_error(np.asarray(small(X)), expected) < 1e-4
    assert small.get_layer("mine").channels == len(kept["mine"])
    assert sum(t.coefficient for layer in network.layers for t in layer.macs if layer.name == "mine") == 36
    framework.save_model(small, tmp_path / "small.keras")
    reloaded = framework_with(Mixers).load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(np.asarray(reloaded(X)), np.asarray(small(X)))


def test_without_its_plugin_the_layer_keeps_the_channels_it_touches() -> None:
    network = framework_with().inspect(model_with_mixer())
    assert network.channels == {"b": 5}
    assert "layer 'mine' of type Mixer is not known to reds" in network.warnings[0]


def broken(call: Call) -> tuple[Dims, ...]:
    call.kernel(call.layer.mix, (call.dims[-1], call.fresh(7)), 1)
    raise KeyError("no such thing")


def misshapen(call: Call) -> tuple[Dims, ...]:
    call.kernel(call.layer.mix, (call.fresh(7), call.dims[-1]), 1)
    return call.inputs


def forgetful(call: Call) -> tuple[Dims, ...]:
    outer = call.fresh(7)
    call.kernel(call.layer.mix, (call.dims[-1], outer), 1)
    return ((*call.dims[:-1], outer),)


def untrue(call: Call) -> tuple[Dims, ...]:
    mixed(call)
    return call.inputs


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        (broken, "KeyError: no such thing"),
        (misshapen, "ValueError: weight 'mix' of shape (6, 7) has axes (7, 6)"),
        (forgetful, "ValueError: weight 'factor' is not listed"),
        (untrue, "ValueError: the handler states outputs of shapes ((6, 6, 6),), but they are ((6, 6, 7),)"),
        (lambda call: None, "TypeError"),
    ],
)
def test_a_handler_that_fails_costs_the_channels_it_touches(flow: Callable[[Call], Any], reason: str) -> None:
    class Failing(Mixers):
        def handlers(self) -> Mapping[type, Any]:
            return {Mixer: Handler(flow)}

    model = model_with_mixer()
    framework = framework_with(Failing)
    network = framework.inspect(model)
    assert network.channels == {"b": 5}
    assert f"has a handler of layer plugin 'mixers' that failed ({reason}" in network.warnings[0]
    kept = random_kept(network, 0.5, seed=1)
    (expected,) = masked_outputs(model, network, kept, X)
    assert relative_error(np.asarray(framework.extract(model, network, kept)(X)), expected) < 1e-4


def test_a_broken_plugin_is_told_where_a_layer_is_not_known_and_nowhere_else() -> None:
    class Broken(Mixers):
        def handlers(self) -> Mapping[type, Any]:
            raise ImportError("no module named 'mixers'")

    framework = framework_with(Broken)
    told = [w for w in framework.inspect(model_with_mixer()).warnings if "plugin 'mixers' is broken" in w]
    assert len(told) == 1
    assert "(ImportError: no module named 'mixers')" in told[0]
    inputs = keras.Input((4,))
    assert framework.inspect(keras.Model(inputs, L.Dense(2)(L.Dense(3)(inputs)))).warnings == ()


def test_a_plugin_cannot_take_over_a_layer_of_keras() -> None:
    class Greedy(Mixers):
        def handlers(self) -> Mapping[type, Any]:
            return {L.Dense: Handler(mixed), "Dense": 3}

    class Taking(Mixers):
        name = "taking"

        def handlers(self) -> Mapping[type, Any]:
            return {L.Dense: Handler(mixed)}

    reading = framework_with(Taking).reading
    assert reading.handlers[L.Dense].plugin is None
    assert reading.broken == ("layer plugin 'taking' has a handler of Dense, which has one already",)
    assert "layer plugin 'mixers' is broken (" in framework_with(Greedy).reading.broken[0]


def test_a_plugin_without_a_framework_is_refused_when_it_is_found() -> None:
    class Homeless(LayerPlugin):
        name = "homeless"

        def handlers(self) -> Mapping[type, Any]:
            return {}

    entry_point = types.SimpleNamespace(
        name="homeless", value="h", dist=None, load=lambda: types.SimpleNamespace(__name__="h", reds_layers=hook)
    )

    @hookimpl(specname="reds_layers")
    def hook() -> list[type[LayerPlugin]]:
        return [Homeless]

    entry_points: list[importlib.metadata.EntryPoint] = [entry_point]  # type: ignore[list-item]
    (record,) = Registry(entry_points).records
    assert "does not declare framework" in record.detail
