"""What a handler sees of one call of a layer, and what it can say about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import keras

from reds_core.axis import Axis
from reds_core.builder import NetworkBuilder
from reds_core.dims import Dims, fixed_dims
from reds_core.errors import UnsupportedError
from reds_core.network import MacsTerm, Weight, WeightKind

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
        key: of the config.
        declared: key of the axes whose lengths it holds, as the builder knows them.
        is_shape: whether the entry is a tuple; else one number.
    """

    key: str
    declared: Hashable
    is_shape: bool


class Call:
    """One call of a layer.

    Attributes:
        layer: the Keras layer.
        name: its name, with those of the models it is nested in before it.
        kind: its type, such as "Conv2D".
        inputs: axes of each input tensor, without the batch dimension.
        output_shapes: full shape of each output tensor, without the batch dimension.
        weights, macs, resizings: what the handler has said.
    """

    def __init__(
        self,
        builder: NetworkBuilder,
        layer: Any,
        name: str,
        inputs: tuple[Dims, ...],
        output_shapes: tuple[tuple[int, ...], ...],
    ) -> None:
        self._builder = builder
        self.layer = layer
        self.name = name
        self.kind = type(layer).__name__
        self.inputs = inputs
        self.output_shapes = output_shapes
        self.weights: list[Any] = []
        self.macs: list[MacsTerm] = []
        self.resizings: list[Resizing] = []

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
        """Make the groups of `axes` stay whole, with a warning of the form "layer 'x' of type Y WHY"."""
        for axis in axes:
            self._builder.freeze(axis, f"{self.where} {why}, so the channels it touches stay at full width")

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
        self.weights.append(variable)
        name = f"{self.name}/{variable.name}"
        trainable = bool(variable.trainable)
        self._builder.weight(id(variable), Weight(name, self.name, kind, axes, output_axis, trainable))

    def kernel(self, variable: Any, axes: Dims, output_axis: int | None) -> None:
        """List a kernel."""
        self.weight(variable, WeightKind.KERNEL, axes, output_axis)

    def bias(self, axis: Axis) -> None:
        """List the layer's bias if it has one."""
        self.weight(self.layer.bias, WeightKind.BIAS, (axis,), 0)

    def count(self, coefficient: int, *factors: Axis) -> None:
        """Add `coefficient` x the product of the lengths of `factors` to the multiply-accumulates."""
        self.macs.append(MacsTerm(coefficient, factors))

    def resize(self, **entries: Axis) -> None:
        """Entries of the layer's config that hold the length of an axis."""
        for key, axis in entries.items():
            self._resize(key, (axis,), False)

    def resize_shape(self, key: str, dims: Dims) -> None:
        """An entry of the layer's config that holds a shape."""
        self._resize(key, dims, True)

    def activation(self, function: Any, dims: Dims) -> None:
        """Check a fused activation; one that works across channels freezes them.

        Raises:
            UnsupportedError: if it is not one of Keras's own, whose working is known.
        """
        if _stock_activation(_ELEMENTWISE, function) or type(function) in ELEMENTWISE_LAYERS or function is None:
            return
        if not _stock_activation(_OVER_LAST_AXIS, function):
            name = getattr(function, "__name__", type(function).__name__)
            raise self.unsupported(f"has activation '{name}', which is not supported", "use one of Keras's activations")
        self.freeze(f"has activation '{function.__name__}' over channels", dims[-1])

    def _resize(self, key: str, dims: Dims, is_shape: bool) -> None:
        declared = (id(self.layer), key)
        self._builder.declare(declared, dims, self.where)
        self.resizings.append(Resizing(key, declared, is_shape))


Flow = Callable[[Call], tuple[Dims, ...]]
"""Says all there is to say about a call and gives the axes of its outputs."""


@dataclass(frozen=True)
class Handler:
    """How one layer type is treated.

    Attributes:
        flow: says how channels flow through a call of it, what it costs and how it is resized.
        in_place: whether its output may take the storage of its input.
    """

    flow: Flow
    in_place: bool = False
