"""Checks of data against a model, before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Arrays, Data, Stream, Task, as_examples, columns
from reds_tensorflow.evaluation import as_tensors, called, measure, resolve
from reds_tensorflow.kernels import ONEDNN
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.task import Objective, are_exit_outputs, input_names, names_of_layers, output_names

TRIED_EXAMPLES = 2


def check_data(model: Any, data: Data, task: Task, what: str) -> Data:
    """Convert `data` to the form that `model` takes: with a last dimension of 1 if it is missing, and plain labels.

    Lists and dicts with an array for each input or output become tuples in the order of the model. The loss and the
    metric are computed for two examples, so that unsuitable ones are refused before any work is done. The batches of a
    stream are converted as they are read.

    Args:
        model: the model.
        data: examples and labels.
        task: defines the loss and the metric.
        what: name of the data in messages.

    Raises:
        InputError: if shapes do not fit the model's inputs, labels do not fit its outputs, or the loss or the metric
            cannot be computed from them.
        UnsupportedError: if TensorFlow has no kernel on this machine for a layer of the model.
    """
    interface = Interface.of(model)
    if isinstance(data, Stream):
        stream, aim = resolve(model, data.mapped(lambda batch: shaped(interface, batch, what)), task, what)
        _try(model, stream.sample(TRIED_EXAMPLES), aim)
        return stream.mapped(_labelled_once) if interface.are_exits else stream
    arrays, aim = resolve(model, shaped(interface, data, what), task, what)
    _try(model, arrays, aim)
    return _labelled_once(arrays) if interface.are_exits else arrays


def _labelled_once(data: Arrays) -> Arrays:
    """Return data of a network with exits with the labels of the last one, since all have the same.

    Parts of the network that end at one of them take the same data.
    """
    return Arrays(data.x, columns(data.y)[-1], data.weights)


def check_inputs(model: Any, x: Any, what: str) -> Any:
    """Convert examples without labels to the form that `model` takes, as `check_data` does it.

    Args:
        model: the model.
        x: an array (N, ...), or a list, tuple or dict of arrays.
        what: name of the examples in messages.

    Raises:
        InputError: if shapes or numbers of arrays do not fit the inputs of the model.
    """
    found = shaped_inputs(Interface.of(model), x, what)
    return tuple(found) if len(found) > 1 else found[0]


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a model, or of a file.

    Attributes:
        inputs: the names of the inputs, in their order.
        other_inputs: what else a dict of arrays may call them.
        shapes: the shape of each input, without the batch dimension.
        outputs: the names of the outputs, in their order.
        other_outputs: what else a dict of labels may call them.
        are_exits: whether the outputs are early exits and the output of the whole network, which share their labels.
    """

    inputs: Sequence[str]
    other_inputs: Sequence[str]
    shapes: Sequence[tuple[int | None, ...]]
    outputs: Sequence[str]
    other_outputs: Sequence[str]
    are_exits: bool = False

    @classmethod
    def of(cls, model: Any) -> Interface:
        """The interface of a Keras model."""
        shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
        others = names_of_layers(model.inputs), names_of_layers(model.outputs)
        return cls(input_names(model), others[0], shapes, output_names(model), others[1], are_exit_outputs(model))

    @classmethod
    def named(
        cls,
        inputs: Sequence[str],
        shapes: Sequence[tuple[int | None, ...]],
        outputs: Sequence[str],
        exits: bool = False,
    ) -> Interface:
        """The interface of a file, whose inputs and outputs have one name each, and whose outputs may be exits."""
        return cls(inputs, inputs, shapes, outputs, outputs, exits)


def shaped(interface: Interface, data: Arrays, what: str) -> Arrays:
    """Return data whose columns are in the order of the inputs and outputs, with examples of their shapes.

    Args:
        interface: the inputs and outputs.
        data: examples and labels.
        what: name of the data in messages.

    Raises:
        InputError: if shapes or numbers of arrays do not fit.
    """
    x = shaped_inputs(interface, data.x, what)
    several = len(x) > 1
    y = _labels_in_order(data.y, interface, what)
    count = len(x[0])
    for name, array in zip(interface.outputs[-len(y) :], y, strict=True):
        if count == 0 or len(array) != count:
            where = f" for output '{name}'" if len(y) > 1 else ""
            raise InputError(
                f"the {what} has {count} examples and {len(array)} labels{where}", "give one label an example"
            )
    return Arrays(tuple(x) if several else x[0], tuple(y) if len(y) > 1 else y[0], data.weights)


def shaped_inputs(interface: Interface, values: Any, what: str) -> list[npt.NDArray[Any]]:
    """Return an array for each input, in their order, with examples of their shapes.

    Raises:
        InputError: if shapes or numbers of arrays or examples do not fit.
    """
    names = interface.inputs
    found = _in_order(values, names, interface.other_inputs, "input", what)
    x = []
    for name, shape, array in zip(names, interface.shapes, found, strict=True):
        x.append(_example_shaped(array, shape, f" for input '{name}'" if len(names) > 1 else "", what))
    count = len(x[0])
    for name, array in zip(names, x, strict=True):
        if len(array) != count:
            raise InputError(
                f"the {what} has {count} examples for input '{names[0]}' but {len(array)} for input '{name}'",
                "give the same number of examples for each input",
            )
    return x


def _labels_in_order(y: Any, interface: Interface, what: str) -> list[npt.NDArray[Any]]:
    """Return an array for each output, in their order; those of exits, which have the same labels, only once.

    Raises:
        InputError: if exits are given labels that differ.
    """
    if interface.are_exits and not isinstance(y, list | tuple | Mapping):
        return [np.asarray(y)]
    found = _in_order(y, interface.outputs, interface.other_outputs, "output", what)
    if interface.are_exits:
        if not all(np.array_equal(each, found[-1]) for each in found):
            raise InputError(
                f"the {what} has labels that differ between outputs, but outputs named exit_1 and so on are taken for "
                "early exits, which have the same labels",
                "give the layers of these outputs other names if they have tasks of their own",
            )
        return found[-1:]
    return found


def _in_order(
    values: Any, names: Sequence[str], other_names: Sequence[str], kind: str, what: str
) -> list[npt.NDArray[Any]]:
    """Return the arrays of a nest in the order of the model's inputs or outputs.

    Args:
        values: an array, a list or a tuple of arrays in order, or a dict by name.
        names, other_names: what a dict may call them.
        kind: "input" or "output".
        what: name of the data in messages.
    """
    if isinstance(values, Mapping):
        for known in (names, other_names):
            if set(known) == set(values):
                return [np.asarray(values[name]) for name in known]
        raise InputError(
            f"the {what} has {_listed(kind, list(values))}, but the model has {_listed(kind, names)}",
            f"name the arrays after the {kind}s of the model",
        )
    found = list(values) if isinstance(values, list | tuple) else [values]
    if len(found) != len(names):
        raise InputError(
            f"the {what} has {len(found)} array{'s' * (len(found) != 1)} for {_listed(kind, names)} of the model",
            f"give one array for each {kind}, in this order or in a dict",
        )
    return [np.asarray(array) for array in found]


def _listed(kind: str, names: Sequence[Any]) -> str:
    return f"{kind}{'s' * (len(names) != 1)} {', '.join(map(repr, map(str, names)))}"


def _example_shaped(x: npt.NDArray[Any], wanted: tuple[int | None, ...], where: str, what: str) -> npt.NDArray[Any]:
    """Return examples of the shape `wanted`, with a missing last dimension of 1 added."""
    given = x.shape[1:]
    if len(wanted) == x.ndim and wanted[-1] == 1:
        x = x[..., None]
    if len(wanted) + 1 != x.ndim or any(w not in (None, n) for w, n in zip(wanted, x.shape[1:], strict=True)):
        raise InputError(
            f"an example of the {what}{where} has shape {_shape(given)}, the model takes {_shape(wanted)}",
            "give data of the shape of the model's input",
        )
    return as_examples(x)


def _try(model: Any, data: Arrays, aim: Objective) -> None:
    """Compute the losses and the metrics of a few examples.

    Raises:
        InputError: if one cannot be computed; the message names it and the shape of the outputs.
        UnsupportedError: if TensorFlow has no kernel on this machine for a layer of the model.
    """
    data = data.take(np.arange(min(len(data), TRIED_EXAMPLES)))
    try:
        outputs = [np.asarray(output) for output in called(model, as_tensors(data.x))]
    except tf.errors.UnimplementedError as error:
        raise UnsupportedError(
            f"TensorFlow cannot compute the model on this machine ({first_sentence(error)})",
            f"set {ONEDNN}=1 before TensorFlow is imported if layers have data_format='channels_first', or use a GPU",
        ) from error
    for head, y, found in zip(aim.heads, columns(data.y), outputs, strict=True):
        puts_out = f"outputs of shape {_shape(found.shape[1:])}"
        alone = Objective((head,))
        for kind, name, compute in (
            ("loss", head.loss_name, lambda: alone.loss(as_tensors(y), as_tensors(found), data.weights)),  # noqa: B023
            ("metric", head.metric_name, lambda: measure(alone, y, found, data.weights)),  # noqa: B023
        ):
            if not name:
                continue
            try:
                float(compute())
            except Exception as error:  # Keras or the user's own class may raise anything
                reason = first_sentence(error)
                raise InputError(
                    f"{kind} '{name}' does not fit {puts_out} ({reason})",
                    f"give another {kind}, one for such outputs",
                ) from error


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if n is None else str(n) for n in shape)
