"""Tracing: follows every call of a Keras model in execution order and describes the model as a `Network`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import keras
import numpy as np

from reds_core.errors import RedsError, UnsupportedError, argument
from reds_core.network import Dims, Fixed, Network, NetworkBuilder, Value, fixed_dims
from reds_tensorflow.call_records import Given, Resizing, Work
from reds_tensorflow.calls import Call, Following, Handler
from reds_tensorflow.handlers import private_handler
from reds_tensorflow.handlers.normalisation import is_offset
from reds_tensorflow.handlers.opaque import unknown
from reds_tensorflow.inner_memory import StepByStep
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.names import NamedVariable, as_functional, graph_of, layer_names, variables_of
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.work import work_of

_USERS_OWN = (
    "activity_regularizer",
    *(f"{part}_{role}" for part in ("kernel", "bias", "embeddings") for role in ("regularizer", "constraint")),
)
"""Attributes of a layer that may be the user's own code."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A traced model.

    Attributes:
        network: the description of the model.
        variables: the Keras variables of `network.weights`, in their order.
        configs: for each layer, by id, the entries of its config that depend on the widths, and the axes they describe.
        inputs: for the model and each nested model, by id, the axes of its inputs. An axis has length 0 if the model
            does not fix its size.
    """

    network: Network
    variables: tuple[Any, ...]
    configs: Mapping[int, tuple[tuple[Resizing, Dims], ...]]
    inputs: Mapping[int, tuple[Dims, ...]]


def inspect(model: Any, reading: Reading = STOCK) -> Network:
    """Describe `model`: layers, tensors, weights, channel groups.

    Raises:
        UnsupportedError: if a layer is not supported, or if the model has no fixed graph or input shape. The message
            names the layer.
    """
    return trace(model, reading).network


def trace(model: Any, reading: Reading = STOCK) -> Trace:
    """Trace `model`.

    Raises:
        UnsupportedError: under the conditions of `inspect`.
    """
    functional = as_functional(model)
    tracer = _Tracer(reading, layer_names(functional), variables_of(functional))
    inputs = [tracer.builder.input(_fixed_shape(tensor)) for tensor in functional.inputs]
    outputs = tracer.follow(functional, id(model), inputs, tracer.call)
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


class Seen(keras.Operation):  # type: ignore[misc]
    """Represents an operation in the graph of a trace, so that no calls are added to the model's own layers."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.seen = operation

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self.seen.compute_output_spec(*args, **kwargs)


@dataclass(frozen=True, eq=False)
class _Met:
    """A call in a graph.

    Attributes:
        operation: a layer or a function.
        inputs: the values and constant arrays that it reads.
        given: their dims, and everything else about the call.
    """

    operation: Any
    inputs: tuple[Any, ...]
    given: Given


class _Tracer:
    """The state of one trace."""

    def __init__(self, reading: Reading, names: Mapping[int, str], variables: Mapping[int, NamedVariable]) -> None:
        self.builder = NetworkBuilder()
        self.variables: dict[int, Any] = {}
        self.resizings: dict[int, list[Resizing]] = {}
        self.models: dict[int, int] = {}
        self._reading = reading
        self._names = names
        self._following = Following(self.builder, reading.options, variables, self._part, self._work)

    def follow(
        self, functional: Any, key: int, inputs: Sequence[Value], call: Callable[[_Met], Sequence[Value]]
    ) -> list[Value]:
        """Follow one call of a model. Nested models are followed where they are called.

        Args:
            functional: the model.
            key: key under which the axes of its inputs are declared.
            inputs: the values that the model is called with.
            call: handles each call of a layer or a function, and returns its outputs.
        """
        self.models[key] = len(inputs)
        for i, (reference, value) in enumerate(zip(functional.inputs, inputs, strict=True)):
            if len(value.dims) + 1 != len(reference.shape):
                raise UnsupportedError(
                    f"model '{functional.name}' is called with an input of another rank than its own",
                    "add a Reshape layer before it",
                )
            free = Fixed(0)  # a dimension without a fixed size may differ between calls
            dims = (free if n is None else axis for n, axis in zip(reference.shape[1:], value.dims, strict=True))
            self.builder.declare((key, "input", i), tuple(dims), f"model '{functional.name}'")
        values: dict[int, tuple[Any, Value]] = {}  # references to the tensors keep their ids unique

        def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
            made = Seen(operation)(*args, **kwargs)
            tensors = keras.tree.flatten(made)
            inner = graph_of(operation)
            outputs: Sequence[Value]
            if inner is not None:
                arguments = keras.tree.flatten((args, kwargs))
                read = [values[id(a)][1] for a in arguments if id(a) in values]
                outputs = self.follow(inner, id(operation), read, call)
            else:
                shapes = tuple(_fixed_shape(t) for t in tensors)
                outputs = call(self._met(operation, args, kwargs, {k: v for k, (_, v) in values.items()}, shapes))
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

    def call(self, met: _Met) -> tuple[Value, ...]:
        """Follow a call that becomes a layer of the description."""
        name = self._names[id(met.operation)]  # a layer has the same name in every model that calls it
        call = Call(self._following, met.operation, name, met.given)
        outputs, said = self._part(call), call.said
        self.variables.update((id(v), v) for v in said.weights)
        self.resizings.update(said.resizings)
        values = [v for v in met.inputs if isinstance(v, Value)]
        keys = dict.fromkeys(id(v) for v in said.weights)
        handler, activation = self._handler(met.operation), getattr(met.operation, "activation", None)
        is_activated = activation is not None and activation is not keras.activations.linear
        return self.builder.call(
            name,
            call.kind,
            values,
            outputs,
            keys,
            said.macs,
            handler.in_place or is_offset(met.operation),
            said.buffers,
            is_identity=handler.identity or (isinstance(met.operation, keras.layers.Activation) and not is_activated),
            is_activated=is_activated,
            epsilon=said.epsilons[0] if isinstance(met.operation, keras.layers.BatchNormalization) else None,
            mixes_channels=bool(said.mixing),
            is_sum=call.is_sum,
        )

    def _met(
        self,
        operation: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        values: Mapping[int, Value],
        output_shapes: tuple[tuple[int, ...], ...],
    ) -> _Met:
        rank = max(map(len, output_shapes))

        def resolved(argument: Any) -> Any:
            if isinstance(argument, Value):
                return tuple(map(self.builder.resolved, argument.dims))
            return _constant_dims(argument, rank) if _is_input(argument) else argument

        arguments = keras.tree.flatten((args, kwargs))
        inputs = tuple(i for i in (values.get(id(a), a) for a in arguments) if _is_input(i))
        named = _by_name(operation, args, kwargs, values)
        # Keras passes masks of steps to every layer that supports masks; they have no channels to follow.
        mask = named.get("mask")
        is_of_steps = isinstance(mask, Value) and not any(axis.groups() for axis in resolved(mask))
        followed = [v for v in inputs if not (is_of_steps and v is mask)]
        given = Given(
            inputs=tuple(map(resolved, followed)),
            output_shapes=output_shapes,
            arguments=args,
            constants=frozenset(i for i, v in enumerate(followed) if not isinstance(v, Value)),
            named=keras.tree.map_structure(resolved, named),
            symbolic=(args, kwargs),
            dtype=next((a.dtype for a in arguments if isinstance(a, keras.KerasTensor)), "float32"),
        )
        return _Met(operation, inputs, given)

    def _part(self, call: Call) -> tuple[Dims, ...]:
        """Pass a call to the handler of its layer type. The channels of layers without a handler are not pruned."""
        graph = graph_of(call.layer)
        if graph is not None:
            return self._graph(call, graph)
        handler, before = self._handler(call.layer), call.said.copy()
        refused = (), "takes a constant array"
        outputs, why = _followed(call, handler) if handler.constants or not call.constants else refused
        if why:
            call.said.go_back(before)
            outputs = call.opaque(why)
        for role in _USERS_OWN:
            own = getattr(call.layer, role, None)
            if own is not None and type(own).__module__.partition(".")[0] != "keras":
                why = f"has {role} '{type(own).__name__}', which may need the widths as they are"
                seen = outputs if role == "activity_regularizer" else (*call.inputs, *outputs)
                call.freeze(why, *(axis for tensor in seen for axis in tensor))
        return outputs

    def _graph(self, outer: Call, graph: Any) -> tuple[Dims, ...]:
        """Follow a call of a model inside a layer. Costs and weights of its layers are added to that layer."""
        steps = StepByStep(outer)

        def call(met: _Met) -> list[Value]:
            name = self._names.get(id(met.operation), f"{outer.name}/{met.operation.name}")
            inner = outer.inner(met.operation, name, met.given)
            with inner.buffers_apart() as buffers:
                dims = [inner.one_moving(made) for made in self._part(inner)]
            read = [v.index for v in met.inputs if isinstance(v, Value)]
            return steps.called(read, dims, self._handler(met.operation).in_place, buffers)

        outputs = self.follow(graph, id(outer.layer), [steps.value(dims) for dims in outer.inputs], call)
        steps.finish([value.index for value in outputs])
        return tuple(value.dims for value in outputs)

    def _work(self, call: Call) -> Work:
        """Count the work of an unknown call, with handlers for the known layers inside it."""
        return work_of(call, self._work_inside)

    def _work_inside(self, layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> int | None:
        """Return the multiply-accumulates of a layer called inside an unknown call; None if it is unknown too."""
        handler = self._reading.handlers.get(type(layer))
        if handler is None:
            return None
        tensors = [a for a in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(a)]
        own = {id(v): NamedVariable(v, layer.name, v.name) for v in layer.weights}
        tracer = _Tracer(self._reading, {}, own)
        values = {id(t): Value(-1, fixed_dims(t.shape[1:])) for t in tensors if len(t.shape)}
        shapes = tuple(tuple(t.shape[1:]) for t in keras.tree.flatten(made))
        try:
            met = tracer._met(layer, args, kwargs, values, shapes)
            call = Call(tracer._following, layer, layer.name, met.given)
            _, why = _followed(call, handler)
        except Exception:  # its operations are counted instead
            return None
        lengths = ([tracer.builder.length(axis) for axis in term.factors] for term in call.said.macs)
        macs = sum(t.coefficient * math.prod(n) for t, n in zip(call.said.macs, lengths, strict=True))
        return None if why else macs * (tensors[0].shape[0] if tensors else 1)

    def _handler(self, layer: Any) -> Handler:
        """Return the handler of a layer's exact type, since a subclass may compute something else."""
        handler = self._reading.handlers.get(type(layer)) or private_handler(type(layer))
        if handler is None:
            handler = Handler(unknown, constants=True)
            for broken in self._reading.broken:
                self.builder.warn(broken)
        return handler


def _followed(call: Call, handler: Handler) -> tuple[tuple[Dims, ...], str]:
    """Return the axes of the outputs, and why the call cannot be followed, which is empty if it can."""
    try:
        outputs = handler.flow(call)
        shapes = tuple(call.sizes(dims) for dims in outputs)
        if shapes != call.output_shapes:
            if handler.plugin is None:
                return (), "gives another shape than reds expects"
            raise ValueError(f"the handler states outputs of shapes {shapes}, but they are {call.output_shapes}")
        listed = {id(variable) for variable in call.said.weights}
        forgotten = [v.name for v in getattr(call.layer, "weights", ()) if handler.plugin and id(v) not in listed]
        if forgotten:
            raise ValueError(f"weight '{forgotten[0]}' is not listed")
    except RedsError:
        raise
    except Exception as error:
        if handler.plugin is None:
            raise
        reason = first_sentence(error)
        return (), f"has a handler of layer plugin '{handler.plugin}' that failed ({type(error).__name__}: {reason})"
    return outputs, ""


def _by_name(
    operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], values: Mapping[int, Value]
) -> Mapping[str, Any]:
    """Return the arguments of a call by parameter name, with values in place of the tensors that are followed."""
    try:
        bound = signature(operation.call).bind(*args, **kwargs)
    except (TypeError, ValueError):  # Keras accepts some calls that do not fit the signature, by removing arguments
        return {}
    bound.apply_defaults()
    named: Mapping[str, Any] = keras.tree.map_structure(lambda a: values.get(id(a), a), dict(bound.arguments))
    return named


def _is_input(argument: Any) -> bool:
    """Whether an argument of a call is a followed value or an array."""
    return isinstance(argument, Value | np.ndarray) or bool(keras.ops.is_tensor(argument))


def _constant_dims(array: Any, rank: int) -> Dims:
    """Return the dimensions of a constant array combined with tensors of `rank`, without a batch dimension."""
    return fixed_dims(array.shape[-rank:] if rank else ())


def _fixed_shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a tensor without its batch dimension."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UnsupportedError(
            f"tensor '{tensor.name}' has no fixed shape, but {tuple(tensor.shape)}",
            f"give a file's inputs a shape by {argument('input_shape', '224,224,3')}, or a model object's by "
            "x = keras.Input(shape), keras.Model(x, model(x))",
        )
    return shape


def _check_all_known(model: Any, variables: Mapping[int, Any]) -> None:
    """Check that every weight of the model was listed, since unknown weights cannot be sliced."""
    for variable in model.weights:
        if id(variable) not in variables:
            raise UnsupportedError(
                f"weight '{variable.path}' of model '{model.name}' is not one that reds knows of its layer",
                "merge adapters such as LoRA, undo quantisation, or replace the layer",
            )
