"""The meaning of a task for a model: a loss, a metric and a kind of labels for each of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError
from reds_core.network import are_exits

_PASSED_BY = ("Dropout", "Flatten", "Reshape", "Identity")


class Activation(Enum):
    """The last activation of a network."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    OTHER = "other"


_FUNCTIONS = {"Softmax": Activation.SOFTMAX, "Sigmoid": Activation.SIGMOID}


@dataclass(frozen=True)
class Outputs:
    """One output of a network.

    Attributes:
        shape: its shape without the batch dimension; None for open lengths.
        activation: the last activation before it.
    """

    shape: tuple[int | None, ...]
    activation: Activation


class Labels(Enum):
    """Kinds of labels."""

    CLASSES = "class numbers"
    ONE_HOT = "one-hot rows"
    BINARY = "zeros and ones"
    REAL = "real numbers"


def as_they_are(values: Any) -> Any:
    """Return `values`."""
    return values


@dataclass(frozen=True)
class Head:
    """Loss and metric of one output of a model.

    Targets are labels in the form that a loss or a metric takes. They are computed from plain labels, which are NumPy
    arrays, or tensors inside a graph; arrays give arrays.

    Attributes:
        name: name of the output.
        weight: factor of its loss in the total loss.
        loss_name: name of the loss.
        labels: kind of the labels.
        outputs: shape and last activation of the output.
        loss: function of (targets of the loss, outputs, weights or None) that returns a scalar tensor: the mean over
            examples of the loss of each, multiplied by its weight. The mean divides by the number of examples and not
            by the sum of the weights, as in Keras.
        loss_targets: converts plain labels to the targets of the loss.
        metric_name: name of the metric; empty if the output has none.
        metric_targets: converts plain labels to the targets of the metric.
        new_metric: returns a new Keras metric, to be updated with (targets of the metric, `scores(outputs)`); None if
            the output has none.
        scores: converts outputs to the form that the metric takes: probabilities if labels are classes and the metric
            is given by its name.
        metric_weights: returns the weights for an update of the metric, given plain labels and the weights of the
            examples, or None.
    """

    name: str
    weight: float
    loss_name: str
    labels: Labels
    outputs: Outputs
    loss: Callable[..., Any]
    loss_targets: Callable[[Any], Any]
    metric_name: str = ""
    metric_targets: Callable[[Any], Any] = as_they_are
    new_metric: Callable[[], Any] | None = None
    scores: Callable[[Any], Any] = as_they_are
    metric_weights: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True)
class Objective:
    """Loss and metric of a task for all outputs of a model.

    Labels `y` are plain: an array or a tensor, or a tuple with one for each output. Outputs are what the model returns:
    a tensor, or a nest of one for each output. Weights are those of the examples (N,), or None.

    Attributes:
        heads: the loss and the metric of each output, in the order of `model.outputs`.
        are_exits: whether all but the last are early exits, which are trained but not measured.
    """

    heads: tuple[Head, ...]
    are_exits: bool = False

    @property
    def measured(self) -> tuple[int, ...]:
        """The positions of the outputs that have a metric; of exits, that of the last one."""
        found = tuple(position for position, head in enumerate(self.heads) if head.new_metric)
        return found[-1:] if self.are_exits else found

    @property
    def measured_heads(self) -> tuple[Head, ...]:
        """The heads of these outputs."""
        return tuple(self.heads[position] for position in self.measured)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The name of the metric of each output that has one."""
        return tuple(head.metric_name for head in self.measured_heads)

    def loss(self, y: Any, outputs: Any, weights: Any = None) -> Any:
        """Return the sum over outputs of the mean loss, times the weight of the output, as a scalar in float32."""
        total: Any = None
        for head, labels, found in self._columns(y, outputs):
            value = keras.ops.cast(head.loss(head.loss_targets(labels), found, weights), "float32")
            value = value if head.weight == 1 else head.weight * value
            total = value if total is None else total + value
        return total

    def of(self, positions: Sequence[int]) -> Objective:
        """Return the objective of some of the outputs, each of which counts as much as if it were the only one."""
        if len(positions) == len(self.heads):
            return self
        return Objective(tuple(replace(self.heads[i], weight=1.0) for i in positions))

    def new_metrics(self) -> tuple[Any, ...]:
        """Return a new Keras metric for each output that has one."""
        return tuple(head.new_metric() for head in self.measured_heads if head.new_metric)

    def update(self, metrics: Sequence[Any], y: Any, outputs: Any, weights: Any = None) -> None:
        """Update the metrics that `new_metrics` returned with a batch."""
        given = list(self._columns(y, outputs))
        measured = [given[position] for position in self.measured]
        for metric, (head, labels, found) in zip(metrics, measured, strict=True):
            factors = _by_position(head.metric_weights(labels, weights), found) if head.metric_weights else None
            metric.update_state(head.metric_targets(labels), head.scores(found), sample_weight=factors)

    def figure(self, metrics: Sequence[Any]) -> float:
        """Return the mean over outputs of the results of their metrics, each averaged if it has several numbers."""
        return float(np.mean([float(np.mean(metric.result())) for metric in metrics]))

    def _columns(self, y: Any, outputs: Any) -> Iterator[tuple[Head, Any, Any]]:
        return zip(self.heads, y if isinstance(y, tuple) else (y,), keras.tree.flatten(outputs), strict=True)


def _by_position(weights: Any, outputs: Any) -> Any:
    """Return weights of examples (N,) as those of their positions where a mask of Keras leaves some out.

    Keras multiplies weights by the mask (N, positions) and does not broadcast them itself.

    Args:
        weights: weights (N, ...), or None.
        outputs: outputs of a network, which may have a mask.
    """
    mask = keras.src.backend.get_keras_mask(outputs)
    if weights is None or mask is None or len(weights.shape) >= len(mask.shape):
        return weights
    by_example = keras.ops.reshape(weights, (-1, *[1] * (len(mask.shape) - 1)))
    return by_example * keras.ops.ones_like(mask, dtype=by_example.dtype)


def outputs_of(model: Any) -> tuple[Outputs, ...]:
    """Return the shape and the last activation of each output of a Keras model, in the order of `model.outputs`."""
    return tuple(Outputs(tuple(tensor.shape[1:]), _last_activation(model, tensor)) for tensor in model.outputs)


def outputs_in_order(model: Any, outputs: Any) -> tuple[Any, ...]:
    """Return what `model` returned for a batch as one tensor for each of `model.outputs`, in their order."""
    found = tuple(keras.tree.flatten(outputs))
    if len(found) != len(model.outputs):
        raise ValueError(f"model '{model.name}' returned {len(found)} outputs instead of {len(model.outputs)}")
    return found


def inputs_for(model: Any, x: Any) -> Any:
    """Return a batch in the structure that `model` takes, such as a dict.

    Args:
        model: the model.
        x: a tensor, or a tuple with one for each of `model.inputs`, in their order.

    Raises:
        InputError: if the number of tensors differs from that of the inputs.
    """
    count = len(x) if isinstance(x, tuple) else 1
    if count != len(model.inputs):
        raise InputError(
            f"model '{model.name}' has {len(model.inputs)} inputs, but the data has {count}",
            f"give an array for each of {', '.join(input_names(model))}",
        )
    return keras.tree.pack_sequence_as(_structure(model, "input"), list(x)) if isinstance(x, tuple) else x


def input_names(model: Any) -> tuple[str, ...]:
    """Return the name of each of `model.inputs`: its key if the model takes a dict, otherwise that of its layer."""
    return _names(_structure(model, "input"), names_of_layers(model.inputs))


def output_names(model: Any) -> tuple[str, ...]:
    """Return the name of each of `model.outputs`: its key if the model returns a dict, otherwise that of its layer."""
    return _names(_structure(model, "output"), names_of_layers(model.outputs))


def are_exit_outputs(model: Any) -> bool:
    """Whether the outputs of a model are early exits, followed by the output of the whole network."""
    shapes = {tuple(tensor.shape[1:]) for tensor in model.outputs}
    return len(shapes) == 1 and are_exits(names_of_layers(model.outputs))


def positions_of_outputs(model: Any, full: Any) -> tuple[int, ...]:
    """Return which of the outputs of a network another one has, by their positions.

    A part that ends at an exit has the output of that exit. Any other network that was cut from `full` has all of them.
    """
    if len(model.outputs) == len(full.outputs):
        return tuple(range(len(full.outputs)))
    names = names_of_layers(full.outputs)
    return tuple(names.index(name) for name in names_of_layers(model.outputs))


def names_of_layers(tensors: Sequence[Any]) -> list[str]:
    """Return the name of the layer behind each of some symbolic tensors."""
    return [_producer(tensor).operation.name for tensor in tensors]


def _structure(model: Any, kind: str) -> Any:
    """Return the nest of symbolic tensors that a model takes or returns; `kind` is "input" or "output"."""
    # A Sequential model only knows a single one of each, and has no structure before it is called.
    return getattr(model, f"{kind}s")[0] if isinstance(model, keras.Sequential) else getattr(model, kind)


def _names(structure: Any, names: list[str]) -> tuple[str, ...]:
    """Return the keys of a flat dict in the order of its flattened values, or else `names`, numbered where equal."""
    if isinstance(structure, dict) and len(structure) == len(names):
        return tuple(str(path[0]) for path, _ in keras.tree.flatten_with_path(structure))
    return tuple(
        name if name not in names[:i] else f"{name}_{1 + names[: i + 1].count(name)}" for i, name in enumerate(names)
    )


def _producer(tensor: Any) -> Any:
    return tensor._keras_history  # Keras offers no public way to find the layer of a symbolic tensor


def _last_activation(model: Any, tensor: Any) -> Activation:
    """Follow the chain of layers of one input back from an output, until one decides the range of the outputs."""
    while True:
        history = _producer(tensor)
        layer = history.operation
        while isinstance(layer, keras.layers.Wrapper):  # such as a layer that is applied to each step
            layer = layer.layer
        if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
            position = history.tensor_index if len(layer.outputs) > history.tensor_index else 0
            return _last_activation(layer, layer.outputs[position])
        if type(layer).__name__ in _FUNCTIONS:  # a layer, or a function of keras.ops
            return _FUNCTIONS[type(layer).__name__]
        name = getattr(getattr(layer, "activation", None), "__name__", None)
        passes = type(layer).__name__ in _PASSED_BY or (type(layer).__name__ == "Activation" and name == "linear")
        if not passes:
            return _FUNCTIONS.get(str(name).capitalize(), Activation.OTHER)
        before = keras.tree.flatten(history.operation._inbound_nodes[history.node_index].input_tensors)
        if len(before) != 1:
            return Activation.OTHER
        tensor = before[0]
