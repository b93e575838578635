"""The interface of handlers: one call of a layer, and how to describe it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from reds_core.errors import UnsupportedError
from reds_core.network import Axis, Buffer, Dims, Fixed, MacsTerm, NetworkBuilder, Weight, WeightKind, fixed_dims
from reds_tensorflow.call_records import Given, Resizing, Said, Work
from reds_tensorflow.names import NamedVariable
from reds_tensorflow.options import TensorFlowOptions

# Elementwise layers and functions, which channels pass at any width.
ELEMENTWISE_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)
# fmt: off
_ELEMENTWISE = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh", "tanh_shrink",
    "threshold",
)
# fmt: on
_OVER_LAST_AXIS = ("softmax", "log_softmax", "sparsemax")


def _stock_activation(names: tuple[str, ...], function: Any) -> bool:
    """Whether `function` is one of Keras's own activations of these names, not a user's function of the same name."""
    return any(getattr(keras.activations, name, None) is function for name in names)


@dataclass(frozen=True, eq=False)
class Following:
    """The state that all calls share while a model is traced.

    Attributes:
        builder: collects the network description.
        options: options of the framework.
        variables: for each weight, by id, its name and that of its layer.
        follow: follows a call of a layer, or of a model, inside another call.
        work: counts the multiply-accumulates of an unknown call.
    """

    builder: NetworkBuilder
    options: TensorFlowOptions
    variables: Mapping[int, NamedVariable]
    follow: Callable[[Call], tuple[Dims, ...]]
    work: Callable[[Call], Work]


class Call:
    """One call of a layer.

    Attributes:
        layer: the Keras layer.
        name: its name, preceded by those of the models and layers that contain it.
        kind: its type, such as "Conv2D".
        given: the arguments of the call.
        times: number of times that the layer is called: 1, unless it is inside a layer that loops over steps.
        steps: number of these calls that pass states from one to the next.
        said: what the handler has stated about the call.
    """

    def __init__(self, following: Following, layer: Any, name: str, given: Given) -> None:
        self._following = following
        self._builder = following.builder
        self.layer = layer
        self.name = name
        self.kind = type(layer).__name__
        self.given = given
        self.times = self.steps = 1
        self.said = Said()
        self._root: Any = layer  # the layer whose config contains this layer's config, at the path
        self._path: tuple[str | int, ...] = ()

    @property
    def inputs(self) -> tuple[Dims, ...]:
        """Axes of each input tensor without the batch dimension; constant arrays count as inputs."""
        return self.given.inputs

    @property
    def constants(self) -> frozenset[int]:
        """Indices of the inputs that are constant arrays."""
        return self.given.constants

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Positional arguments of the call, including symbolic tensors."""
        return self.given.arguments

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Full shape of each output tensor, without the batch dimension."""
        return self.given.output_shapes

    @property
    def options(self) -> TensorFlowOptions:
        """Options of the framework."""
        return self._following.options

    @property
    def where(self) -> str:
        """The layer, or the call of a Keras function, as it is named in messages."""
        return f"{_what(self.layer)} '{self.name}' of type {self.kind}"

    @property
    def dims(self) -> Dims:
        """Axes of the only input."""
        (dims,) = self.inputs
        return dims

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Full shape of the only output."""
        (shape,) = self.output_shapes
        return shape

    @property
    def is_sum(self) -> bool:
        """Whether it adds tensors of the same shape, and nothing else."""
        layer = self.layer
        adds = type(layer) is keras.layers.Add or (
            type(layer).__name__ == "Add" and type(layer).__module__.startswith("keras.src.ops")
        )
        if not adds or self.constants:
            return False
        return all((self.sizes(dims),) == self.output_shapes for dims in self.inputs)

    def unsupported(self, why: str, fix: str) -> UnsupportedError:
        """Return an error that names this layer, with a reason and a remedy."""
        return UnsupportedError(f"{self.where} {why}", fix)

    def fresh(self, channels: int) -> Axis:
        """Return a new axis of channels that this layer computes. Its weights tie further calls of the layer to it."""
        return self._builder.fresh(channels)

    def size(self, axis: Axis) -> int:
        """Full length of an axis."""
        return self._builder.length(axis)

    def sizes(self, dims: Dims) -> tuple[int, ...]:
        """Full shape of a tensor."""
        return tuple(self._builder.length(axis) for axis in dims)

    def tie(self, first: Axis, second: Axis) -> None:
        """Make two axes keep the same positions."""
        self._builder.tie(first, second, self.where)

    def freeze(self, why: str, *axes: Axis) -> None:
        """Exclude the groups of `axes` from pruning, with a warning of the form "layer 'x' of type Y WHY".

        There is no warning for a single channel, which is never pruned.
        """
        warning = f"{self.where} {why}, so the channels that it reads or writes are not pruned"
        for axis in axes:
            self._builder.freeze(axis, warning if self.size(axis) > 1 else None)

    def keep(self, *axes: Axis) -> None:
        """Exclude the groups of `axes` from pruning without a warning, where nothing is lost by it."""
        for axis in axes:
            self._builder.freeze(axis)

    def normalise(self, *axes: Axis) -> None:
        """State that the layer normalises over these axes, which are then pruned only if the options allow it."""
        self.said.mixing.append(self.where)
        if not self.options.prune_normalised:
            self.freeze("normalises over channels", *axes)

    def argument(self, name: str) -> Any:
        """Return the argument of the layer's `call` for the parameter `name`, with dims for tensors, or None."""
        return self.given.named.get(name)

    def axes_of(self, variable: Any) -> Dims:
        """Return the axes of a weight that has been listed."""
        return self._builder.declared(id(variable))

    def part(
        self,
        layer: Any,
        arguments: Mapping[str, Any],
        output_shapes: tuple[tuple[int, ...], ...] | None = None,
        times: int = 1,
        path: tuple[str | int, ...] | None = None,
        apart: bool = False,
    ) -> tuple[Dims, ...]:
        """Follow a call of a layer, or of a model, inside this one. Its costs and weights are added to this call.

        Args:
            layer: the inner layer or model.
            arguments: arguments of its `call` by name, with dims in place of tensors.
            output_shapes: shapes of its outputs; by default those of this call.
            times: number of times that it is called in sequence.
            path: path of its config within this layer's config; None if this layer is rebuilt around a copy of it.
            apart: whether the calls are independent, passing nothing from one to the next.

        Returns:
            The dims of its outputs.
        """
        given = Given(
            inputs=tuple(dims_in(tuple(arguments.values()))),
            output_shapes=self.output_shapes if output_shapes is None else output_shapes,
            named=arguments,
            dtype=self.given.dtype,
        )
        part = self.inner(layer, f"{self.name}/{layer.name}", given)
        part.times = self.times * times
        part.steps = 1 if apart else self.steps * times
        if path is not None:
            part._root, part._path = self._root, (*self._path, *path)
        return self._following.follow(part)

    def inner(self, layer: Any, name: str, given: Given) -> Call:
        """Return a call inside this one that is to be followed. Its costs and weights are added to this call."""
        inner = copy.copy(self)  # with the same `said`
        inner.layer, inner.name, inner.kind, inner.given = layer, name, type(layer).__name__, given
        inner._root, inner._path = layer, ()
        return inner

    @contextmanager
    def buffers_apart(self) -> Iterator[list[tuple[Buffer, ...]]]:
        """Collect the buffers that are stated inside the context, instead of adding them to this call.

        The caller adds them together with what else is held at the same time.
        """
        said, taken = self.said.buffers, list[tuple[Buffer, ...]]()
        before = len(said)
        yield taken
        taken += said[before:]
        del said[before:]

    def one_moving(self, dims: Dims) -> Dims:
        """Return `dims` with channels on at most one axis, the last that has any; channels on others are not pruned."""
        return self._builder.with_one_moving(dims, self.where)

    def channel_axis(self, at: int) -> Axis:
        """Return the axis of the only input at `at`; channels on the others, which the layer mixes, are not pruned."""
        others = list(self.dims)
        axis = others.pop(at)
        self.freeze("works across dimensions that hold channels", *others)
        return axis

    def output_dims(self, at: int, axis: Axis) -> tuple[Dims]:
        """Return the dims of the only output, with `axis` at dimension `at` and all others fixed."""
        dims = list(fixed_dims(self.output_shape))
        dims[at] = axis
        return (tuple(dims),)

    def weight(
        self,
        variable: Any,
        kind: WeightKind,
        axes: Dims,
        output_axis: int | None = None,
        scale_axes: tuple[int, ...] | None = None,
    ) -> None:
        """List a weight of the layer. None, such as the bias of a layer without one, is ignored."""
        if variable is None:
            return
        if not isinstance(variable, keras.Variable):
            raise self.unsupported("computes a weight from others, as LoRA does", "merge the adapters into the weights")
        if self.sizes(axes) != tuple(variable.shape):
            raise ValueError(f"weight '{variable.name}' of shape {tuple(variable.shape)} has axes {self.sizes(axes)}")
        self.said.weights.append(variable)
        named = self._following.variables[id(variable)]
        weight = Weight(named.name, named.layer, kind, axes, output_axis, bool(variable.trainable), None, scale_axes)
        self._builder.weight(id(variable), weight)

    def kernel(
        self, variable: Any, axes: Dims, output_axis: int | None, scale_axes: tuple[int, ...] | None = None
    ) -> None:
        """List a kernel. scale_axes: those of `Weight`, if they do not follow from `output_axis`."""
        self.weight(variable, WeightKind.KERNEL, axes, output_axis, scale_axes)

    def bias(self, axis: Axis) -> None:
        """List the layer's bias if it has one."""
        self.weight(self.layer.bias, WeightKind.BIAS, (axis,), 0)

    def count(self, coefficient: int, *factors: Axis) -> None:
        """Add `coefficient` x the product of the lengths of `factors` to the multiply-accumulates."""
        self.said.macs.append(MacsTerm(coefficient * self.times, factors))

    def buffer(self, elements: int, *axes: Axis) -> Buffer:
        """Return a buffer of `elements` for each position of `axes`, at most one of which may hold channels."""
        moving = [axis for axis in axes if not isinstance(axis, Fixed)]
        elements *= math.prod(self.size(axis) for axis in axes if isinstance(axis, Fixed))
        return Buffer(elements, *moving) if moving else Buffer(elements, Fixed(1))

    def inside(self, *buffers: Buffer) -> None:
        """Add an inner step: buffers that the layer holds at the same time as its inputs, before its outputs exist."""
        self.said.buffers.append(buffers)

    def resize(self, **entries: Axis) -> None:
        """State entries of the layer's config that are the length of an axis."""
        for key, axis in entries.items():
            self._resize(key, (axis,), False)

    def resize_shape(self, key: str, dims: Dims, with_batch: bool = False) -> None:
        """State an entry of the layer's config that is a shape, for functions with a leading batch dimension."""
        self._resize(key, dims, True, with_batch)

    def opaque(self, why: str) -> tuple[Dims, ...]:
        """Describe an unknown call: none of the channels that it reads, computes or has weights for are pruned.

        Its multiply-accumulates are counted by running it on shapes alone, and are a fixed cost. There is always a
        warning of the form "layer 'x' of type Y WHY".
        """
        for dims in self.inputs:
            self.keep(*dims)
        for variable in self.layer.weights if isinstance(self.layer, keras.Layer) else ():
            self.weight(variable, WeightKind.OTHER, fixed_dims(variable.shape))
        work = self.fixed_work()
        told = [f"its {work.macs * self.times} MACs are fixed"] if work.macs or not work.missing else []
        told += [f"{work.missing} is not in the MACs"] if work.missing else []
        self._builder.warn(
            f"{self.where} {why}, so the channels that it reads or writes are not pruned and {' and '.join(told)}"
        )
        return tuple(fixed_dims(shape) for shape in self.output_shapes)

    def fixed_work(self) -> Work:
        """Run the call on shapes alone, and add its multiply-accumulates as a fixed cost."""
        work = self._following.work(self)
        if work.macs:
            self.count(work.macs, Fixed(1))
        return work

    def activation(self, function: Any, dims: Dims) -> None:
        """Check a fused activation. Channels are not pruned if it works across them or is not one of Keras's own."""
        if _stock_activation(_ELEMENTWISE, function) or type(function) in ELEMENTWISE_LAYERS or function is None:
            return
        name = getattr(function, "__name__", type(function).__name__)
        self.said.mixing.append(self.where)
        if _stock_activation(_OVER_LAST_AXIS, function):
            if not self.options.prune_normalised:
                self.freeze(f"has activation '{name}' over channels", dims[-1])
        else:
            self.freeze(f"has activation '{name}', which is not known to treat each element by itself", *dims)

    def _resize(self, key: str, dims: Dims, is_shape: bool, with_batch: bool = False) -> None:
        declared = (id(self.layer), key)
        self._builder.declare(declared, dims, self.where)
        entries = self.said.resizings.setdefault(id(self._root), [])
        entries.append(Resizing((*self._path, key), declared, is_shape, with_batch))


def _what(operation: Any) -> str:
    """Return the kind of an operation for messages: a layer, or the function that the user called."""
    if isinstance(operation, keras.Layer):
        return "layer"
    module = type(operation).__module__
    if module.startswith("keras.src.activations"):
        return "the keras.activations call"
    return "the keras.ops call" if module.partition(".")[0] == "keras" else "the call"


def dims_in(argument: Any) -> Iterator[Dims]:
    """Yield the dims in an argument of a call, which may contain any number of tensors."""
    if isinstance(argument, tuple) and argument and all(isinstance(axis, Axis) for axis in argument):
        yield argument
    elif isinstance(argument, list | tuple):
        for element in argument:
            yield from dims_in(element)


Flow = Callable[[Call], tuple[Dims, ...]]
"""A function that describes a call completely and returns the axes of its outputs."""


@dataclass(frozen=True)
class Handler:
    """How one layer type is treated.

    Attributes:
        flow: describes how channels pass a call of the layer, what it costs and how it is resized.
        in_place: whether its output may share the storage of its input.
        constants: whether the flow supports constant arrays among the inputs.
        identity: whether its output is its input when the model is used, rather than trained.
        plugin: name of the layer plugin that provides the handler; None for those of this package.
    """

    flow: Flow
    in_place: bool = False
    constants: bool = False
    identity: bool = False
    plugin: str | None = None
