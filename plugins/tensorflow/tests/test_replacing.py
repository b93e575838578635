"""Attributes are replaced for a while, and then are what they were."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from reds_tensorflow.replacing import methods_replaced, replaced


class Base:
    value = 1


class Derived(Base):
    pass


def test_own_and_inherited_attributes_and_properties_come_back() -> None:
    layer, own = keras.layers.Dense(2), Base()
    own.value = 2
    policy, before = layer.dtype_policy, dict(vars(layer))
    changes = [(layer, "dtype_policy", keras.DTypePolicy("float16")), (layer, "units", 3), (own, "value", 4)]
    with replaced(*changes, (Derived, "value", 5), (own, "value", 6)):
        assert (layer.compute_dtype, layer.units, own.value, Derived.value) == ("float16", 3, 6, 5)
    assert layer.dtype_policy is policy
    assert vars(layer).keys() == before.keys()
    assert (layer.units, own.value, Derived.value) == (2, 2, 1)
    assert "value" not in vars(Derived)


def test_they_come_back_after_an_error() -> None:
    own = Base()
    with pytest.raises(KeyError), replaced((own, "value", 2)):
        raise KeyError
    assert "value" not in vars(own)


def test_methods_are_those_of_the_class_again_and_own_ones_stay_own() -> None:
    plain, own = keras.layers.ReLU(), keras.layers.ReLU()
    own.call = lambda inputs: 2 * inputs

    def call(layer: Any, inputs: Any) -> Any:
        return inputs + 1 if layer is plain else inputs + 2

    with methods_replaced([plain, own, plain], "call", call):  # a layer that is shared may be named twice
        assert (plain.call(1), own.call(1)) == (2, 3)
    assert "call" not in vars(plain)
    assert own.call(4) == 8
