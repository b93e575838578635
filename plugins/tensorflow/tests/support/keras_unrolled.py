"""A model whose TimeDistributed layers are written out: the layer inside called once for each step.

Both have the same layers and weights, so whatever holds of one must hold of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L
from reds_tensorflow.names import as_functional
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.tracing import trace

from reds_core.network import Kept


def unrolled(model: Any) -> Any:
    """A model of the same layers without TimeDistributed."""
    return _unrolled(model, {})


def _unrolled(model: Any, made: dict[int, Any]) -> Any:
    """`made` holds the models inside that are written out already, by the ids of those that they stand for."""
    functional = as_functional(model)
    starts = [keras.Input(t.shape[1:], dtype=t.dtype, name=t.name) for t in functional.inputs]
    copy = keras.models.clone_model(
        functional,
        input_tensors=keras.tree.pack_sequence_as(functional.input, starts),
        clone_function=lambda layer: layer,
        call_function=lambda layer, *args, **kwargs: _written_out(layer, made)(*args, **kwargs),
    )
    return as_functional(copy)


def _written_out(layer: Any, made: dict[int, Any]) -> Callable[..., Any]:
    if isinstance(layer, L.TimeDistributed):
        inner = _written_out(layer.layer, made)

        def at_each_step(x: Any, mask: Any = None) -> Any:
            return keras.ops.stack([inner(x[:, i]) for i in range(x.shape[1])], axis=1)

        return at_each_step
    if isinstance(layer, keras.Model) and any(isinstance(part, L.TimeDistributed) for part in layer._flatten_layers()):
        if id(layer) not in made:
            made[id(layer)] = _unrolled(layer, made)
        return made[id(layer)]  # type: ignore[no-any-return]
    call: Callable[..., Any] = layer
    return call


def same_choice(model: Any, other: Any, kept: Kept, reading: Reading = STOCK) -> Kept:
    """`kept` of `model` in the names that the groups have in `other`, a model of the same weights."""
    one, two = trace(model, reading), trace(other, reading)
    axes = {id(v): w.axes for v, w in zip(two.variables, two.network.weights, strict=True)}
    names: dict[str, str] = {}
    for variable, weight in zip(one.variables, one.network.weights, strict=True):
        for mine, theirs in zip(weight.axes, axes[id(variable)], strict=True):
            for one_group, other in zip(mine.groups(), theirs.groups(), strict=True):
                assert names.setdefault(one_group, other) == other, weight.name
    assert len(set(names.values())) == len(names)
    assert names.keys() == one.network.channels.keys()
    assert set(names.values()) == two.network.channels.keys()
    return {names[group]: np.asarray(channels) for group, channels in kept.items()}
