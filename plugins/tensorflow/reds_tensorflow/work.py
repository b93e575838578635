"""Multiply-accumulates of unknown layers, counted by running them on shapes alone.

Calls of known layers inside are counted by their handlers, everything else by TensorFlow's operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend

from reds_core.network import Axis
from reds_tensorflow.call_records import Work
from reds_tensorflow.calls import Call
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced
from reds_tensorflow.scopes import scopes_named_plainly

_LOOPS = ("While", "StatelessWhile")
_BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
_FUNCTIONS = ("PartitionedCall", "StatefulPartitionedCall")


CountKnown = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Any], int | None]
"""Returns the multiply-accumulates of a layer's call, given its arguments and outputs; None if it is unknown."""


def work_of(call: Call, count_known: CountKnown) -> Work:
    """Count the multiply-accumulates of one call of an unknown layer or function, for one example.

    Args:
        call: the call.
        count_known: counts calls of known layers inside it.
    """
    args, kwargs = _of_fixed_batch(call)
    examples = next((a.shape[0] for a in keras.tree.flatten((args, kwargs)) if isinstance(a, keras.KerasTensor)), 1)
    total = 0
    missing: list[str] = []

    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal total
        graph = tf.compat.v1.get_default_graph()
        with _counted_inside(call.layer, count_known, graph) as inside:
            made = call.layer(*args, **kwargs)
        outputs = [t for t in keras.tree.flatten(made) if isinstance(t, tf.Tensor) and t.graph is graph]
        total = inside.macs + _operations(_needed(outputs), inside.names, missing)
        return made

    try:
        with scopes_named_plainly():
            backend.compute_output_spec(run, *args, **kwargs)
    except Exception as error:  # users' code may raise anything
        return Work(0, f"what it computes, since it did not run on shapes alone ({first_sentence(error)}),")
    return Work(total // examples, " and ".join(dict.fromkeys(missing)))


def _of_fixed_batch(call: Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return the arguments of a call, with a batch of one in symbolic tensors whose batch size is open."""
    if call.given.symbolic is None:
        return (), {name: _symbols(call, argument) for name, argument in call.given.named.items()}

    def fixed(argument: Any) -> Any:
        if not isinstance(argument, keras.KerasTensor):
            return argument
        return keras.KerasTensor((argument.shape[0] or 1, *argument.shape[1:]), dtype=argument.dtype)

    args, kwargs = keras.tree.map_structure(fixed, call.given.symbolic)
    return args, kwargs


def _symbols(call: Call, argument: Any) -> Any:
    """Return an argument with symbolic tensors of one example in place of dims."""
    if isinstance(argument, tuple) and argument and all(isinstance(axis, Axis) for axis in argument):
        return keras.KerasTensor((1, *call.sizes(argument)), dtype=call.given.dtype)
    return [_symbols(call, a) for a in argument] if isinstance(argument, list | tuple) else argument


@dataclass(eq=False)
class _Inside:
    """The multiply-accumulates of known layers inside, and the names of the operations that they created."""

    macs: int = 0
    names: set[str] = field(default_factory=set)


@contextmanager
def _counted_inside(operation: Any, count_known: CountKnown, graph: Any) -> Iterator[_Inside]:
    """Count calls of known layers in `operation` within the context, except in loops and functions of the graph."""
    inside, running = _Inside(), False

    def counted(layer: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal running
        compute = partial(type(layer).call, layer)
        if running or tf.compat.v1.get_default_graph() is not graph:
            return compute(*args, **kwargs)
        running, before = True, len(graph.get_operations())
        try:
            made = compute(*args, **kwargs)
        finally:
            running = False
        macs = count_known(layer, args, kwargs, made)
        if macs is not None:
            inside.macs += macs
            inside.names.update(o.name for o in graph.get_operations()[before:])
        return made

    parts = all_layers(operation) if isinstance(operation, keras.Layer) else []
    with methods_replaced([layer for layer in parts if "call" not in vars(layer)], "call", counted):
        yield inside


def _needed(outputs: Sequence[Any]) -> list[Any]:
    """Return the operations of a graph that its outputs depend on."""
    found: dict[str, Any] = {}
    open_ = [tensor.op for tensor in outputs]
    while open_:
        operation = open_.pop()
        if operation.name not in found:
            found[operation.name] = operation
            open_ += [tensor.op for tensor in operation.inputs]
    return list(found.values())


def _operations(operations: Sequence[Any], counted: set[str], missing: list[str]) -> int:
    """Return the multiply-accumulates of operations of a graph that are not in `counted`."""
    total = 0
    for operation in operations:
        if operation.name in counted:
            continue
        try:
            total += _operation(operation, missing)
        except (TypeError, ValueError):  # a shape is unknown
            missing.append(f"its operation {operation.type}, whose shape is not fixed")
    return total


def _operation(operation: Any, missing: list[str]) -> int:
    kind = operation.type
    if kind in _LOOPS:
        rounds = _number(operation.inputs[1]) if len(operation.inputs) > 1 else None
        body = _body(operation, "body", missing)
        if body and (rounds is None or rounds < 0):
            missing.append("what it computes in a loop")
            return 0
        return (rounds or 0) * body
    if kind in _FUNCTIONS:
        return _body(operation, "f", missing)
    if kind in _BRANCHES:
        missing.append("what it computes in branches")
        return 0
    if kind not in _COUNTED:
        return 0
    read = [tuple(tensor.shape) for tensor in operation.inputs]
    return _COUNTED[kind](operation, read, math.prod(operation.outputs[0].shape))


def _number(tensor: Any) -> int | None:
    """Return the constant value of a tensor, or None. Keras gives the rounds of a loop as a maximum of one number."""
    value = tf.get_static_value(tensor)
    if value is None and tensor.op.type == "Max":
        return _number(tensor.op.inputs[0])
    return None if value is None or getattr(value, "size", 1) != 1 else int(value)


def _body(operation: Any, attribute: str, missing: list[str]) -> int:
    """Return the multiply-accumulates of the function that an operation calls."""
    name = operation.get_attr(attribute).name
    function = operation.graph._get_function(name)
    graph = getattr(function, "graph", None)
    if graph is None:
        missing.append("what it computes in functions of TensorFlow")
        return 0
    return _operations(_needed([t for t in graph.outputs if t is not None]), set(), missing)


def _einsum(operation: Any, read: list[tuple[int, ...]], _: int) -> int:
    letters: dict[str, int] = {}
    sources = operation.get_attr("equation").decode().split("->")[0].split(",")
    around: tuple[int, ...] = ()
    for source, shape in zip(sources, read, strict=True):
        before, dots, after = source.partition("...")
        letters.update(zip(before, shape, strict=False))
        letters.update(zip(reversed(after), reversed(shape), strict=False))
        free = shape[len(before) : len(shape) - len(after)] if dots else ()
        around = max(around, free, key=math.prod)
    return math.prod(letters.values()) * math.prod(around) if len(sources) > 1 else 0


_COUNTED: Mapping[str, Callable[[Any, list[tuple[int, ...]], int], int]] = {
    "MatMul": lambda o, read, made: made * read[0][0 if o.get_attr("transpose_a") else 1],
    **dict.fromkeys(
        ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"),
        lambda o, read, made: made * read[0][-2 if o.get_attr("adj_x") else -1],
    ),
    "Einsum": _einsum,
    **dict.fromkeys(("Conv2D", "Conv3D", "Conv"), lambda o, read, made: made * math.prod(read[1][:-1])),
    "DepthwiseConv2dNative": lambda o, read, made: made * math.prod(read[1][:2]),
    **dict.fromkeys(
        ("Conv2DBackpropInput", "Conv3DBackpropInputV2"),
        lambda o, read, made: math.prod(read[2]) * math.prod(read[1][:-1]),
    ),
}
"""Counters by type of operation, given the operation, the shapes it reads and the number of elements it computes."""
