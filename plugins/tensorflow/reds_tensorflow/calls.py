"""What a handler sees of one call of a layer, and what it can say about it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from reds_core.axis import Axis, Fixed
from reds_core.builder import NetworkBuilder
from reds_core.dims import Dims, fixed_dims
from reds_core.errors import UnsupportedError
from reds_core.network import Buffer, MacsTerm, Weight, WeightKind
from reds_tensorflow.names import weight_names
from reds_tensorflow.options import TensorFlowOptions

# Layers and functions that work on each element alone: channels pass them whatever their width.
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
    """Whether `function` is one of Keras's own activations of these names; a user's `relu` is not."""
    return any(getattr(keras.activations, name, None) is function for name in names)


@dataclass(frozen=True)
class Resizing:
    """An entry of a layer's config that follows the widths.

    Attributes:
        path: keys and indices that lead to it, for it may stand in the config of a layer inside.
        declared: key of the axes whose lengths it holds, as the builder knows them.
        is_shape: whether the entry is a tuple; else one number.
        with_batch: whether the tuple begins with the batch dimension.
    """

    path: tuple[str | int, ...]
    declared: Hashable
    is_shape: bool
    with_batch: bool = False


class Call:
    """One call of a layer.

    Attributes:
        layer: the Keras layer.
        name: its name, with those of the models it is nested in before it.
        kind: its type, such as "Conv2D".
        arguments: positional arguments of the call, with symbolic tensors.
        inputs: axes of each input tensor, without the batch dimension; constant arrays are inputs as well.
        constants: which of the inputs are constant arrays.
        output_shapes: full shape of each output tensor, without the batch dimension.
        options: of the framework.
        times: how often the layer is called here: 1, but in a layer that goes step by step.
        weights, macs, resizings, buffers: what the handler has said.
    """

    def __init__(
        self,
        builder: NetworkBuilder,
        layer: Any,
        name: str,
        inputs: tuple[Dims, ...],
        output_shapes: tuple[tuple[int, ...], ...],
        arguments: tuple[Any, ...] = (),
        constants: frozenset[int] = frozenset(),
        named: Mapping[str, Any] | None = None,
        options: TensorFlowOptions | None = None,
        handler_of: Callable[[Any], Handler] | None = None,
    ) -> None:
        self._builder = builder
        self._weight_names = weight_names(layer) if isinstance(layer, keras.Layer) else {}
        self.layer = layer
        self.name = name
        self.kind = type(layer).__name__
        self.arguments = arguments
        self.inputs = inputs
        self.constants = constants
        self.output_shapes = output_shapes
        self.options = options or TensorFlowOptions()
        self._named = named or {}
        self._handler_of = handler_of
        self._owner, self.times = name, 1
        self._path: tuple[str | int, ...] = ()
        self.weights: list[Any] = []
        self.macs: list[MacsTerm] = []
        self.resizings: list[Resizing] = []
        self.buffers: list[tuple[Buffer, ...]] = []

    @property
    def where(self) -> str:
        """The layer, or the call of a function of keras.ops, as messages name it."""
        what = "layer" if isinstance(self.layer, keras.Layer) else "the keras.ops call"
        return f"{what} '{self.name}' of type {self.kind}"

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

    def unsupported(self, why: str, mend: str) -> UnsupportedError:
        """The error that names this layer."""
        return UnsupportedError(f"{self.where} {why}", mend)

    def fresh(self, channels: int) -> Axis:
        """The axis of channels that this layer makes. Further calls of the layer are tied to it by the weights."""
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
        """Make the groups of `axes` stay whole, with a warning of the form "layer 'x' of type Y WHY".

        A single channel stays in any case: nothing is said of it.
        """
        warning = f"{self.where} {why}, so the channels it touches stay at full width"
        for axis in axes:
            self._builder.freeze(axis, warning if self.size(axis) > 1 else None)

    def keep(self, *axes: Axis) -> None:
        """Make the groups of `axes` stay whole without a word, where there is nothing to lose."""
        for axis in axes:
            self._builder.freeze(axis)

    def normalise(self, *axes: Axis) -> None:
        """Say that the layer normalises over these axes: their groups stay whole unless the options say otherwise."""
        if not self.options.prune_normalised:
            self.freeze("normalises over channels", *axes)

    def argument(self, name: str) -> Any:
        """What the layer's `call` was given for its parameter `name`: dims in place of tensors; None for nothing."""
        return self._named.get(name)

    def axes_of(self, variable: Any) -> Dims:
        """Axes of a weight that was listed before."""
        return self._builder.declared(id(variable))

    def part(
        self,
        layer: Any,
        path: tuple[str | int, ...],
        arguments: Mapping[str, Any],
        output_shapes: tuple[tuple[int, ...], ...] | None = None,
        times: int = 1,
    ) -> tuple[Dims, ...]:
        """Follow a call of a layer inside this one; what it says counts as said of this one.

        Args:
            path: where its config stands in this layer's.
            arguments: of its `call`, by name, with dims in place of tensors.
            output_shapes: as of this call by default.
            times: how often it is called, one call after the other.
        """
        part = copy.copy(self)  # with the same lists of weights, costs and config entries
        part.layer, part.name, part.kind = layer, f"{self.name}/{layer.name}", type(layer).__name__
        part._named, part.inputs = arguments, tuple(dims_in(tuple(arguments.values())))
        part.arguments, part.constants = (), frozenset()
        part._path, part.times = (*self._path, *path), self.times * times
        if output_shapes is not None:
            part.output_shapes = output_shapes
        assert self._handler_of is not None, "only layers of a model have parts"
        return self._handler_of(layer).flow(part)

    def channel_axis(self, at: int) -> Axis:
        """The axis of the only input at dimension `at`, for a layer that mixes all the others: those stay whole."""
        others = list(self.dims)
        axis = others.pop(at)
        self.freeze("works across dimensions that hold channels", *others)
        return axis

    def output_dims(self, at: int, axis: Axis) -> tuple[Dims]:
        """The only output with `axis` at dimension `at` and all others fixed."""
        dims = list(fixed_dims(self.output_shape))
        dims[at] = axis
        return (tuple(dims),)

    def weight(self, variable: Any, kind: WeightKind, axes: Dims, output_axis: int | None = None) -> None:
        """List a weight of the layer; None, as of a layer without bias, is passed over."""
        if variable is None:
            return
        if not isinstance(variable, keras.Variable):
            raise self.unsupported("computes a weight from others, as LoRA does", "merge the adapters into the weights")
        if self.sizes(axes) != tuple(variable.shape):
            raise ValueError(f"weight '{variable.name}' of shape {tuple(variable.shape)} has axes {self.sizes(axes)}")
        self.weights.append(variable)
        name = f"{self._owner}/{self._weight_names[id(variable)]}"
        trainable = bool(variable.trainable)
        self._builder.weight(id(variable), Weight(name, self._owner, kind, axes, output_axis, trainable))

    def kernel(self, variable: Any, axes: Dims, output_axis: int | None) -> None:
        """List a kernel."""
        self.weight(variable, WeightKind.KERNEL, axes, output_axis)

    def bias(self, axis: Axis) -> None:
        """List the layer's bias if it has one."""
        self.weight(self.layer.bias, WeightKind.BIAS, (axis,), 0)

    def count(self, coefficient: int, *factors: Axis) -> None:
        """Add `coefficient` x the product of the lengths of `factors` to the multiply-accumulates."""
        self.macs.append(MacsTerm(coefficient * self.times, factors))

    def buffer(self, elements: int, *axes: Axis) -> Buffer:
        """A tensor inside the layer: `elements` for each position of `axes`, of which one may hold channels."""
        moving = [axis for axis in axes if not isinstance(axis, Fixed)]
        elements *= math.prod(self.size(axis) for axis in axes if isinstance(axis, Fixed))
        return Buffer(elements, *moving) if moving else Buffer(elements, Fixed(1))

    def inside(self, *buffers: Buffer) -> None:
        """Add an inner step: what is held inside the layer at once, beside its inputs and before its outputs."""
        self.buffers.append(buffers)

    def resize(self, **entries: Axis) -> None:
        """Entries of the layer's config that hold the length of an axis."""
        for key, axis in entries.items():
            self._resize(key, (axis,), False)

    def resize_shape(self, key: str, dims: Dims, with_batch: bool = False) -> None:
        """An entry of the layer's config that holds a shape, of functions with the batch dimension before it."""
        self._resize(key, dims, True, with_batch)

    def opaque(self, why: str) -> tuple[Dims, ...]:
        """Pass data through a call whose working is not known: all that it reads, makes and owns stays whole.

        A warning of the form "layer 'x' of type Y WHY" is always given, for the call's own multiply-accumulates are
        not counted.
        """
        for dims in self.inputs:
            self.keep(*dims)
        for variable in self.layer.weights if isinstance(self.layer, keras.Layer) else ():
            self.weight(variable, WeightKind.OTHER, fixed_dims(variable.shape))
        self._builder.warn(
            f"{self.where} {why}, so the channels it touches stay at full width and its own work counts as 0 MACs"
        )
        return tuple(fixed_dims(shape) for shape in self.output_shapes)

    def activation(self, function: Any, dims: Dims) -> None:
        """Check a fused activation; one that works across channels, or is not Keras's own, freezes them."""
        if _stock_activation(_ELEMENTWISE, function) or type(function) in ELEMENTWISE_LAYERS or function is None:
            return
        name = getattr(function, "__name__", type(function).__name__)
        if _stock_activation(_OVER_LAST_AXIS, function):
            if not self.options.prune_normalised:
                self.freeze(f"has activation '{name}' over channels", dims[-1])
        else:
            self.freeze(f"has activation '{name}', which is not known to treat each element by itself", *dims)

    def _resize(self, key: str, dims: Dims, is_shape: bool, with_batch: bool = False) -> None:
        declared = (id(self.layer), key)
        self._builder.declare(declared, dims, self.where)
        self.resizings.append(Resizing((*self._path, key), declared, is_shape, with_batch))


def dims_in(argument: Any) -> Iterator[Dims]:
    """The dims in an argument of a call: of one tensor, of several, or none."""
    if isinstance(argument, tuple) and argument and all(isinstance(axis, Axis) for axis in argument):
        yield argument
    elif isinstance(argument, list | tuple):
        for element in argument:
            yield from dims_in(element)


Flow = Callable[[Call], tuple[Dims, ...]]
"""Says all there is to say about a call and gives the axes of its outputs."""


@dataclass(frozen=True)
class Handler:
    """How one layer type is treated.

    Attributes:
        flow: says how channels flow through a call of it, what it costs and how it is resized.
        in_place: whether its output may take the storage of its input.
        constants: whether the flow knows what to do with constant arrays among the inputs.
        plugin: name of the layer plugin that it comes of; None for those of this package.
    """

    flow: Flow
    in_place: bool = False
    constants: bool = False
    plugin: str | None = None
