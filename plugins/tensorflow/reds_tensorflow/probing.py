"""Statistics of a network's activations at inference, and its loss with other weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import (
    ActivationStatistics,
    Arrays,
    Task,
    WeightArrays,
    batches,
    columns,
    each,
    each_batch,
)
from reds_core.network import Network
from reds_tensorflow.evaluation import BATCH_SIZE, arguments, as_float32, as_tensors, batch_spec, compiled, resolve
from reds_tensorflow.extraction import variables
from reds_tensorflow.names import as_functional, graph_of, layer_names
from reds_tensorflow.scopes import scopes_named_plainly
from reds_tensorflow.task import inputs_for
from reds_tensorflow.tracing import Seen


@dataclass(frozen=True, eq=False)
class _OtherWeights:
    """Calls of a model with other weights in place of its own, whose variables are not changed.

    Variables that the network does not list, such as states of random generators, keep their values.

    Attributes:
        model: the model.
        order: the place of each variable in the weights of the network, by its identity.
        given: the variables whose values are given, in the order of the model.
    """

    model: Any
    order: Mapping[int, int]
    given: tuple[Any, ...]

    @classmethod
    def of(cls, model: Any, network: Network) -> _OtherWeights:
        """Return the calls of a model that `network` describes."""
        order = {id(variable): i for i, variable in enumerate(variables(model, network))}
        everything = (*model.trainable_variables, *model.non_trainable_variables)
        return cls(model, order, tuple(v for v in everything if id(v) in order))

    def called(self, values: Sequence[Any], x: Any) -> Any:
        """Return the outputs for a batch at inference, in a graph; `values` are as `values_of` returns them."""
        place = {id(v): i for i, v in enumerate(self.given)}

        def taken(wanted: Sequence[Any]) -> list[Any]:
            return [values[place[id(v)]] if id(v) in place else v.value for v in wanted]

        trained, others = taken(self.model.trainable_variables), taken(self.model.non_trainable_variables)
        found = self.model.stateless_call(trained, others, inputs_for(self.model, each(as_float32, x)), training=False)
        return found[0]

    def values_of(self, weights: WeightArrays) -> list[Any]:
        """Return the values of the given variables, from weights in the order of the network."""
        return [tf.constant(weights[self.order[id(v)]], v.dtype) for v in self.given]

    def traced(self, function: Callable[..., Any], arrays: Sequence[Any]) -> Callable[..., Any]:
        """Compile a function of values and of batches of `arrays` to a graph, which is traced once, in this call."""
        signature = [[tf.TensorSpec(v.shape, v.dtype) for v in self.given], *(each(batch_spec, a) for a in arrays)]
        run: Callable[..., Any] = tf.function(function, input_signature=signature, autograph=False)
        with scopes_named_plainly():
            run.get_concrete_function()  # type: ignore[attr-defined]
        return run


def losses(model: Any, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task) -> Iterator[float]:
    """Yield the task's mean loss on `data` with other weights in place of the model's own, for each of `variants`.

    The computation is traced once, and the model's variables are not changed.

    Args:
        model: the model.
        network: its description.
        variants: weights in the order of `network.weights`, with the same shapes.
        data: examples and labels.
        task: defines the loss.
    """
    data, aim = resolve(model, data, task)
    other = _OtherWeights.of(model, network)

    def summed(values: Sequence[Any], x: Any, y: Any, weights: Any = None) -> Any:
        return aim.loss(y, other.called(values, x), weights) * tf.cast(tf.shape(columns(x)[0])[0], tf.float32)

    run = other.traced(summed, arguments(data))
    for weights in variants:
        values, parts = other.values_of(weights), each_batch(data, BATCH_SIZE)
        total = sum(float(run(values, *map(as_tensors, arguments(batch)))) for batch in parts)
        yield total / len(data)


def outputs(
    model: Any, network: Network, variants: Iterable[WeightArrays], x: Any
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the outputs of a model of one output on `x` with other weights in place of its own, for each variant.

    The computation is traced once, and the model's variables are not changed.

    Args:
        model: the model.
        network: its description.
        variants: weights in the order of `network.weights`, with the same shapes.
        x: examples (N, *input shape); a tuple for models of several inputs.
    """
    other = _OtherWeights.of(model, network)
    run = other.traced(lambda values, batch: tf.nest.flatten(other.called(values, batch))[0], (x,))
    for weights in variants:
        values = other.values_of(weights)
        parts = [run(values, as_tensors(each(itemgetter(p), x))) for p in batches(len(columns(x)[0]), BATCH_SIZE)]
        yield np.concatenate([np.asarray(part) for part in parts]).astype(np.float32)


def activation_statistics(
    model: Any, network: Network, tensors: Sequence[int], x: Any, batch_size: int
) -> list[ActivationStatistics]:
    """Measure statistics of some tensors at inference over the examples `x`.

    Only sums are kept over the batches, not activations.

    Args:
        model: the model.
        network: its description.
        tensors: indices into `network.tensors`.
        x: examples (N, *input shape); a tuple for models of several inputs, in their order.
        batch_size: number of examples in a batch.

    Raises:
        InputError: if `network` describes another model.
    """
    replay = _Replay(model, network)

    def sums(batch: Any) -> list[Any]:
        found = []
        values = replay.run(batch)
        for t in tensors:
            value = values[t]
            rank = len(value.shape)
            others = [d for d in range(rank) if d != rank + network.tensors[t].dimension]
            active = tf.cast(value != 0, tf.float32)
            found.append((tf.reduce_sum(tf.abs(value), others), tf.reduce_sum(active, others)))
        return found

    counts = [len(columns(x)[0]) * network.tensors[t].positions for t in tensors]
    totals = _over_batches(sums, x, batch_size)
    return [ActivationStatistics(m / n, a / n) for (m, a), n in zip(totals, counts, strict=True)]


def second_moments(
    model: Any, network: Network, tensors: Sequence[int], x: Any, batch_size: int = BATCH_SIZE
) -> list[npt.NDArray[np.float64]]:
    """Measure E[x x^T] of the channels of some tensors at inference, over the examples `x` and all positions.

    Args:
        model: the model.
        network: its description.
        tensors: indices into `network.tensors`.
        x: examples (N, *input shape); a tuple for models of several inputs, in their order.
        batch_size: number of examples in a batch.

    Raises:
        InputError: if `network` describes another model.
    """
    replay = _Replay(model, network)

    def sums(batch: Any) -> list[Any]:
        found, values = [], replay.run(batch)
        for t in tensors:
            value, axis = values[t], network.tensors[t].dimension % len(values[t].shape)
            order = [*(d for d in range(len(value.shape)) if d != axis), axis]
            rows = tf.reshape(tf.transpose(tf.cast(value, tf.float32), order), [-1, value.shape[axis]])
            found.append((tf.matmul(rows, rows, transpose_a=True), tf.shape(rows)[0]))
        return found

    return [total / count for total, count in _over_batches(sums, x, batch_size)]


def _over_batches(sums: Callable[[Any], Any], x: Any, batch_size: int) -> list[list[npt.NDArray[np.float64]]]:
    """Add up in double precision what a function returns for each batch.

    Args:
        sums: returns several tensors for each of some tensors of the network, given a batch of examples.
        x: all examples, at least one.
        batch_size: number of examples in a batch.
    """
    run = compiled(sums, x)
    totals: list[list[npt.NDArray[np.float64]]] = []
    for part in batches(len(columns(x)[0]), batch_size):
        batch = run(as_tensors(each(itemgetter(part), x)))
        found = [[np.asarray(one, np.float64) for one in several] for several in batch]
        totals = [[*map(np.add, *pair)] for pair in zip(totals, found, strict=True)] if totals else found
    return totals


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a layer, with its symbolic input and output tensors."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Any, ...]


class _Replay:
    """Runs a model call by call, including nested models, which makes every tensor of the network accessible.

    Raises:
        InputError: if `network` describes another model.
    """

    def __init__(self, model: Any, network: Network) -> None:
        self._network = network
        self._steps: list[_Call | tuple[Any, Any]] = []  # or two tensors, of which the second is an alias of the first
        functional = as_functional(model)
        self._starts = [keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name) for t in functional.inputs]
        self._follow(functional, self._starts)
        names = layer_names(functional)
        calls = [step for step in self._steps if isinstance(step, _Call)]
        if [names[id(call.operation)] for call in calls] != [layer.name for layer in network.layers]:
            raise InputError(f"model '{model.name}' is not the one that was described", "inspect it again")
        self._indices = {
            id(tensor): index
            for call, layer in zip(calls, network.layers, strict=True)
            for tensor, index in zip(call.outputs, layer.outputs, strict=True)
        }

    def _follow(self, functional: Any, starts: Sequence[Any]) -> list[Any]:
        """Record every call of a graph whose inputs are `starts`, and return its outputs."""

        def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
            made = Seen(operation)(*args, **kwargs)
            outputs = tuple(keras.tree.flatten(made))
            inner = graph_of(operation)
            if inner is None:
                self._steps.append(_Call(operation, args, kwargs, outputs))
                return made
            given = [a for a in keras.tree.flatten((args, kwargs)) if isinstance(a, keras.KerasTensor)]
            inside = [keras.Input(batch_shape=t.shape, dtype=t.dtype) for t in given]
            self._steps += zip(given, inside, strict=True)
            self._steps += zip(self._follow(inner, inside), outputs, strict=True)
            return made

        structured = keras.tree.pack_sequence_as(functional.input, list(starts))
        copy = keras.models.clone_model(
            functional, input_tensors=structured, clone_function=lambda layer: layer, call_function=record
        )
        return list(copy.outputs)

    def run(self, x: Any) -> dict[int, Any]:
        """Return every tensor by its index in the network, for a batch `x`: a tensor for each input."""
        batch = columns(x)
        values = {id(start): value for start, value in zip(self._starts, batch, strict=True)}
        found = dict(zip(self._network.inputs, batch, strict=True))
        for step in self._steps:
            if isinstance(step, tuple):
                values[id(step[1])] = values[id(step[0])]
                continue
            args, kwargs = keras.tree.map_structure(
                lambda a: values[id(a)] if isinstance(a, keras.KerasTensor) else a, (step.args, dict(step.kwargs))
            )
            made = keras.tree.flatten(step.operation(*args, **kwargs))
            for symbol, value in zip(step.outputs, made, strict=True):
                values[id(symbol)] = value
                found[self._indices[id(symbol)]] = value
        return found
