"""Follows every call of a Keras model in execution order and describes it as a `Network`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from reds_core.axis import Fixed
from reds_core.builder import NetworkBuilder, Value
from reds_core.dims import Dims
from reds_core.errors import UnsupportedError
from reds_core.network import Network
from reds_tensorflow.calls import Call, Handler, Resizing
from reds_tensorflow.handlers import HANDLERS


@dataclass(frozen=True, eq=False)
class Trace:
    """A model that was followed.

    Attributes:
        network: its description.
        variables: the Keras variables behind `network.weights`, in their order.
        configs: by id of a layer the entries of its config that follow the widths, and the axes that they hold.
        inputs: by id of the model and of each model nested in it the axes of its inputs; of length 0 where it has no
            size of its own.
    """

    network: Network
    variables: tuple[Any, ...]
    configs: Mapping[int, tuple[tuple[Resizing, Dims], ...]]
    inputs: Mapping[int, tuple[Dims, ...]]


def inspect(model: Any) -> Network:
    """Describe `model`: layers, tensors, weights, channel groups.

    Raises:
        UnsupportedError: naming a layer that is not understood, or if the model has no fixed graph or input shape.
    """
    return trace(model).network


def trace(model: Any, handlers: Mapping[type, Handler] = HANDLERS) -> Trace:
    """Follow `model`.

    Raises:
        UnsupportedError: as `inspect`.
    """
    tracer = _Tracer(handlers)
    functional = as_functional(model)
    inputs = [tracer.builder.input(_fixed_shape(tensor)) for tensor in functional.inputs]
    outputs = tracer.follow(functional, id(model), inputs, "")
    _check_all_known(model, tracer.variables)
    network = tracer.builder.finish(model.name, outputs)
    configs = {
        layer: tuple((r, tracer.builder.declared(r.declared)) for r in resizings)
        for layer, resizings in tracer.resizings.items()
    }
    models = {
        key: tuple(tracer.builder.declared((key, "input", i)) for i in range(count))
        for key, count in tracer.models.items()
    }
    return Trace(network, tuple(tracer.variables.values()), configs, models)


def as_functional(model: Any) -> Any:
    """A plain uncompiled Functional model over the same layers and graph as `model`.

    Raises:
        UnsupportedError: if `model` has no graph of layers, or does something else than run it.
    """
    what, mend = f"model '{model.name}' of type {type(model).__name__}", "build it as a Functional or Sequential model"
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise UnsupportedError(f"{what} has no graph of layers with inputs", mend)
    if isinstance(model, keras.Sequential):
        functional = keras.Model(inputs[0], outputs[0], name=model.name)
        stock_call = keras.Sequential.call
    else:
        functional = keras.Model(_only_or_all(model.input), _only_or_all(model.output), name=model.name)
        stock_call = type(functional).call
    if type(model).call is not stock_call:
        raise UnsupportedError(f"{what} has a call method of its own", mend)
    return functional


def _only_or_all(tensors: Any) -> Any:
    """The only tensor of a list, as old model files have them: Keras would warn at every call; else all."""
    return tensors[0] if isinstance(tensors, list | tuple) and len(tensors) == 1 else tensors


class _Seen(keras.Operation):  # type: ignore[misc]
    """Stands for an operation in the graph that is made while tracing, so that the model's layers gain no calls."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.seen = operation

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self.seen.compute_output_spec(*args, **kwargs)


class _Tracer:
    """The state of one trace."""

    def __init__(self, handlers: Mapping[type, Handler]) -> None:
        self.builder = NetworkBuilder()
        self.variables: dict[int, Any] = {}
        self.resizings: dict[int, list[Resizing]] = {}
        self.models: dict[int, int] = {}
        self._handlers = handlers
        self._names: dict[int, str] = {}

    def follow(self, functional: Any, key: int, inputs: Sequence[Value], prefix: str) -> list[Value]:
        """Follow one call of a model; nested models are followed where they are called.

        Args:
            key: under which the axes of its inputs are declared.
            prefix: names of the models it is nested in, each with a "/" behind.
        """
        self.models[key] = len(inputs)
        for i, (reference, value) in enumerate(zip(functional.inputs, inputs, strict=True)):
            if len(value.dims) + 1 != len(reference.shape):
                raise UnsupportedError(
                    f"model '{functional.name}' is called with an input of another rank than its own",
                    "add a Reshape layer before it",
                )
            free = Fixed(0)  # a dimension without a size of its own may differ from call to call
            dims = (free if n is None else axis for n, axis in zip(reference.shape[1:], value.dims, strict=True))
            self.builder.declare((key, "input", i), tuple(dims), f"model '{functional.name}'")
        values: dict[int, tuple[Any, Value]] = {}  # the tensors are held, lest another takes the id of one

        def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
            arguments = keras.tree.flatten((args, kwargs))
            for argument in arguments:
                if isinstance(argument, np.ndarray) or (keras.ops.is_tensor(argument) and id(argument) not in values):
                    raise UnsupportedError(
                        f"layer '{prefix}{operation.name}' of type {type(operation).__name__} takes a constant array",
                        "make the array a layer's weight or an input",
                    )
            read = [values[id(a)][1] for a in arguments if id(a) in values]
            made = _Seen(operation)(*args, **kwargs)
            tensors = keras.tree.flatten(made)
            if isinstance(operation, keras.Model):
                inner = as_functional(operation)
                outputs: Sequence[Value] = self.follow(inner, id(operation), read, f"{prefix}{operation.name}/")
            else:
                outputs = self._call(operation, f"{prefix}{operation.name}", read, [_fixed_shape(t) for t in tensors])
            values.update((id(t), (t, v)) for t, v in zip(tensors, outputs, strict=True))
            return made

        starts = []
        for reference, value in zip(functional.inputs, inputs, strict=True):
            shape = tuple(self.builder.length(axis) for axis in value.dims)
            starts.append(keras.Input(shape, dtype=reference.dtype, name=reference.name))
            values[id(starts[-1])] = (starts[-1], value)
        structured = keras.tree.pack_sequence_as(functional.input, starts)
        copy = keras.models.clone_model(
            functional, input_tensors=structured, clone_function=lambda layer: layer, call_function=record
        )
        return [values[id(tensor)][1] for tensor in copy.outputs]

    def _call(
        self, layer: Any, name: str, inputs: Sequence[Value], output_shapes: list[tuple[int, ...]]
    ) -> tuple[Value, ...]:
        """Hand one call to the handler of its layer type."""
        name = self._names.setdefault(id(layer), name)  # one layer has one name, in whichever model it is called
        dims = tuple(tuple(self.builder.resolved(axis) for axis in value.dims) for value in inputs)
        call = Call(self.builder, layer, name, dims, tuple(output_shapes))
        handler = self._handlers.get(type(layer))
        if handler is None:
            raise call.unsupported("is not supported", "replace it by a supported layer, or prune the model without it")
        outputs = handler.flow(call)
        if tuple(call.sizes(d) for d in outputs) != call.output_shapes:
            raise call.unsupported("gives another shape than reds expects", "report it with the model")
        self.variables.update((id(v), v) for v in call.weights)
        self.resizings[id(layer)] = call.resizings
        keys = [id(v) for v in call.weights]
        return self.builder.call(name, call.kind, inputs, outputs, keys, call.macs, handler.in_place)


def _fixed_shape(tensor: Any) -> tuple[int, ...]:
    """Shape of a tensor without its batch dimension."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UnsupportedError(
            f"tensor '{tensor.name}' has no fixed shape, but {tuple(tensor.shape)}",
            "build the model with a fixed input shape",
        )
    return shape


def _check_all_known(model: Any, variables: Mapping[int, Any]) -> None:
    """Every weight of the model must have been listed: what is not known cannot be sliced."""
    for variable in model.weights:
        if id(variable) not in variables:
            raise UnsupportedError(
                f"weight '{variable.path}' of model '{model.name}' is not one that reds knows of its layer",
                "merge adapters such as LoRA, undo quantisation, or replace the layer",
            )
