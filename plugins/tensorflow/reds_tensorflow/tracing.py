"""Follows every call of a Keras model in execution order and describes it as a `Network`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import keras
import numpy as np

from reds_core.errors import RedsError, UnsupportedError
from reds_core.network import Dims, Fixed, Network, NetworkBuilder, Value, fixed_dims
from reds_tensorflow.call_records import Given, Resizing, Work
from reds_tensorflow.calls import Call, Following, Handler
from reds_tensorflow.handlers import private_handler
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
"""What may be code of the user's own, beside the layer."""


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


def inspect(model: Any, reading: Reading = STOCK) -> Network:
    """Describe `model`: layers, tensors, weights, channel groups.

    Raises:
        UnsupportedError: naming a layer that is not understood, or if the model has no fixed graph or input shape.
    """
    return trace(model, reading).network


def trace(model: Any, reading: Reading = STOCK) -> Trace:
    """Follow `model`.

    Raises:
        UnsupportedError: as `inspect`.
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
    """Stands for an operation in the graph that is made while tracing, so that the model's layers gain no calls."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.seen = operation

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self.seen.compute_output_spec(*args, **kwargs)


@dataclass(frozen=True, eq=False)
class _Met:
    """A call that was met in a graph.

    Attributes:
        operation: a layer or a function.
        inputs: values that it reads, and constant arrays among them.
        given: dims of these, and all else about the call.
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
        """Follow one call of a model; nested models are followed where they are called.

        Args:
            key: under which the axes of its inputs are declared.
            call: what is done about each call of a layer or a function; gives its outputs.
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
        """Follow a call that has a place of its own in the description."""
        name = self._names[id(met.operation)]  # one layer has one name, in whichever model it is called
        call = Call(self._following, met.operation, name, met.given)
        outputs, said = self._part(call), call.said
        self.variables.update((id(v), v) for v in said.weights)
        self.resizings.update(said.resizings)
        values = [v for v in met.inputs if isinstance(v, Value)]
        keys = dict.fromkeys(id(v) for v in said.weights)
        in_place = self._handler(met.operation).in_place
        return self.builder.call(name, call.kind, values, outputs, keys, said.macs, in_place, said.buffers)

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
        # Keras hands its masks of steps to every layer that knows of masks; they hold no channels to follow.
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
        """Hand a call to the handler of its layer type; what has none passes with all its channels."""
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
        """Follow a call of a model inside a layer: what its layers say counts as said of that."""
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
        """What a call that is not known costs, by what is known inside it."""
        return work_of(call, self._work_inside)

    def _work_inside(self, layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> int | None:
        """Multiply-accumulates of a call of a layer with tensors inside one that is not known."""
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
        except Exception:  # it is counted by its operations instead
            return None
        lengths = ([tracer.builder.length(axis) for axis in term.factors] for term in call.said.macs)
        macs = sum(t.coefficient * math.prod(n) for t, n in zip(call.said.macs, lengths, strict=True))
        return None if why else macs * (tensors[0].shape[0] if tensors else 1)

    def _handler(self, layer: Any) -> Handler:
        """The handler of a layer's own type, not of one that it is derived from: that may do something else."""
        handler = self._reading.handlers.get(type(layer)) or private_handler(type(layer))
        if handler is None:
            handler = Handler(unknown, constants=True)
            for broken in self._reading.broken:
                self.builder.warn(broken)
        return handler


def _followed(call: Call, handler: Handler) -> tuple[tuple[Dims, ...], str]:
    """Axes of the outputs, and why the call cannot be followed: empty where it can."""
    try:
        outputs = handler.flow(call)
        shapes = tuple(call.sizes(dims) for dims in outputs)
        if shapes != call.output_shapes:
            if handler.plugin is None:
                return (), "gives another shape than reds expects"
            raise ValueError(f"outputs of shapes {shapes} are told, but they are {call.output_shapes}")
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
    """The arguments of a call by the names of its parameters, with values in place of tensors that are followed."""
    try:
        bound = signature(operation.call).bind(*args, **kwargs)
    except (TypeError, ValueError):  # a call that Keras's wrapping lets pass, as with arguments it takes away
        return {}
    bound.apply_defaults()
    named: Mapping[str, Any] = keras.tree.map_structure(lambda a: values.get(id(a), a), dict(bound.arguments))
    return named


def _is_input(argument: Any) -> bool:
    """Whether an argument of a call is a value that is followed, or an array."""
    return isinstance(argument, Value | np.ndarray) or bool(keras.ops.is_tensor(argument))


def _constant_dims(array: Any, rank: int) -> Dims:
    """Dimensions of a constant array that meets tensors of `rank`; if it has one for the batch, without that."""
    return fixed_dims(array.shape[-rank:] if rank else ())


def _fixed_shape(tensor: Any) -> tuple[int, ...]:
    """Shape of a tensor without its batch dimension."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UnsupportedError(
            f"tensor '{tensor.name}' has no fixed shape, but {tuple(tensor.shape)}",
            "give the model an input of fixed shape: x = keras.Input(shape), keras.Model(x, model(x))",
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
