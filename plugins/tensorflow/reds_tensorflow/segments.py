"""Segments of models, whose latencies are measured one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from reds_core.cost import Segment, touched_groups
from reds_core.errors import UnsupportedError
from reds_core.framework import Arrays, Segmenter
from reds_core.network import Network
from reds_tensorflow.calls import Handler
from reds_tensorflow.names import as_functional, graph_of
from reds_tensorflow.reading import STOCK, Reading

EXAMPLES = 4
"""Number of random examples; the values that a file computes do not affect its latency."""


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of an operation at the top level of a model.

    Attributes:
        calls: number of layers that it represents: more than one if the operation is a nested model.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    calls: int


class KerasSegmenter(Segmenter):
    """Cuts models into their layers, each with the layers that LiteRT fuses into it.

    Args:
        reading: How models are read; it says which layers work in place.
    """

    def __init__(self, reading: Reading = STOCK) -> None:
        self._handlers = reading.handlers

    def segments(self, model: Any, network: Network) -> tuple[Segment, ...]:
        """Return a segment for each layer, with the layers that LiteRT fuses into it; a nested model is one segment."""
        calls = _recorded(model)
        ends = np.cumsum([c.calls for c in calls]).tolist()
        if (ends[-1] if ends else 0) != len(network.layers):
            raise UnsupportedError(f"the calls of model '{model.name}' cannot be told apart", "report this as a bug")
        found = []
        for index, chain in enumerate(_chains(calls, self._handlers)):
            at = tuple(i for c in chain for i in range(ends[c] - calls[c].calls, ends[c]))
            layers = tuple(dict.fromkeys(network.layers[i].name for i in at))
            found.append(Segment(index, layers, at, touched_groups(network, at)))
        return tuple(found)

    def models(self, model: Any, indices: Sequence[int]) -> list[Any]:
        calls = _recorded(model)
        chains = _chains(calls, self._handlers)
        return [_standalone([calls[c] for c in chains[index]]) for index in indices]

    def examples(self, model: Any) -> Arrays:
        random = np.random.default_rng(0)
        shapes = [tensor.shape[1:] for tensor in model.inputs]
        drawn = [[random.standard_normal((1, *s)).astype(np.float32) for s in shapes] for _ in range(EXAMPLES)]
        x = tuple(np.concatenate(column) for column in zip(*drawn, strict=True))
        return Arrays(x if len(x) > 1 else x[0], np.zeros(EXAMPLES, np.int64))

    def nothing(self) -> Any:
        one = keras.Input((1,), name="one")
        return keras.Model(one, keras.layers.ReLU()(one), name="nothing")


def _recorded(model: Any) -> list[_Call]:
    """Return the calls at the top level of `model`, in execution order."""
    functional = as_functional(model)
    calls: list[_Call] = []

    def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
        made = operation(*args, **kwargs)
        inputs = tuple(t for t in keras.tree.flatten((args, kwargs)) if isinstance(t, keras.KerasTensor))
        inner = graph_of(operation)
        count = 1 if inner is None else sum(c.calls for c in _recorded(inner))
        calls.append(_Call(operation, args, kwargs, inputs, tuple(keras.tree.flatten(made)), count))
        return made

    keras.models.clone_model(functional, clone_function=lambda layer: layer, call_function=record)
    return calls


def _chains(calls: list[_Call], handlers: Mapping[type, Handler]) -> list[list[int]]:
    """Group each call with the in-place calls that follow it and are the only readers of its output."""
    readers: dict[int, list[int]] = {}
    for index, call in enumerate(calls):
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(index)
    chains: list[list[int]] = []
    taken: set[int] = set()
    for index in range(len(calls)):
        if index in taken:
            continue
        chain = [index]
        while len(calls[chain[-1]].outputs) == 1:
            behind = readers.get(id(calls[chain[-1]].outputs[0]), [])
            handler = handlers.get(type(calls[behind[0]].operation)) if len(behind) == 1 else None
            if handler is None or not handler.in_place or len(calls[behind[0]].inputs) != 1:
                break
            chain.append(behind[0])
        taken.update(chain)
        chains.append(chain)
    return chains


def _standalone(chain: list[_Call]) -> Any:
    """Return the calls of a chain as a separate model."""
    values: dict[int, Any] = {}
    starts = []
    for tensor in chain[0].inputs:
        if id(tensor) not in values:
            values[id(tensor)] = keras.Input(tensor.shape[1:], dtype=tensor.dtype)
            starts.append(values[id(tensor)])
    for call in chain:

        def known(value: Any) -> Any:
            return values.get(id(value), value)

        args, kwargs = keras.tree.map_structure(known, (call.args, call.kwargs))
        made = call.operation(*args, **kwargs)
        values.update(zip(map(id, call.outputs), keras.tree.flatten(made), strict=True))
    return keras.Model(starts[0] if len(starts) == 1 else starts, [values[id(t)] for t in chain[-1].outputs])
