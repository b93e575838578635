"""Translation of functions in a model's graph, as Keras 2 or HDF5 files store them, to operations of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from reds_tensorflow.model_files.entries import Entry
from reds_tensorflow.model_files.old_calls import call, old_arguments

_NOT_ARGUMENTS = ("name",)


@dataclass(frozen=True)
class _Function:
    """An operation of Keras 3 that is equivalent to a function of TensorFlow.

    Attributes:
        kind: name of the operation's class.
        others: TensorFlow's names of the arguments after the first.
        settings: TensorFlow's names of arguments that Keras keeps in the config, with Keras's names.
    """

    kind: str
    others: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


_REDUCTION = {"axis": "axis", "keepdims": "keepdims"}
_FUNCTIONS: Mapping[str, _Function] = {
    "__operators__.add": _Function("Add", ("y",)),
    "math.add": _Function("Add", ("y",)),
    "math.subtract": _Function("Subtract", ("y",)),
    "math.multiply": _Function("Multiply", ("y",)),
    "math.truediv": _Function("TrueDivide", ("y",)),
    "math.divide": _Function("TrueDivide", ("y",)),
    "math.maximum": _Function("Maximum", ("y",)),
    "math.minimum": _Function("Minimum", ("y",)),
    "math.pow": _Function("Power", ("y",)),
    "math.square": _Function("Square"),
    "math.sqrt": _Function("Sqrt"),
    "math.exp": _Function("Exp"),
    "math.abs": _Function("Absolute"),
    "math.negative": _Function("Negative"),
    "math.sigmoid": _Function("Sigmoid"),
    "math.tanh": _Function("Tanh"),
    "math.reduce_mean": _Function("Mean", settings=_REDUCTION),
    "math.reduce_sum": _Function("Sum", settings=_REDUCTION),
    "math.reduce_max": _Function("Max", settings=_REDUCTION),
    "nn.relu": _Function("Relu"),
    "nn.relu6": _Function("Relu6"),
    "nn.sigmoid": _Function("Sigmoid"),
    "nn.tanh": _Function("Tanh"),
    "nn.silu": _Function("Silu"),
    "nn.swish": _Function("Silu"),
    "concat": _Function("Concatenate", settings={"axis": "axis"}),
}
"""Operations by the name of TensorFlow's function, without "tf."."""


def translate_function(entry: Entry) -> None:
    """Convert the TFOpLambda layers of a model, which call functions of TensorFlow, to operations of Keras 3.

    Functions that are not in the table are left unchanged and refused later.
    """
    names = {str(layer.get("name")) for layer in entry.layers() if isinstance(layer, dict)}
    for layer in entry.layers():
        if isinstance(layer, dict) and layer.get("class_name") == "TFOpLambda" and isinstance(layer["config"], dict):
            function = _FUNCTIONS.get(str(layer["config"].get("function")))
            calls = [_arguments(node, names) for node in layer.get("inbound_nodes") or ()]
            if function is not None and all(c is not None for c in calls):
                _translate(layer, function, [c for c in calls if c is not None])


def _arguments(node: Any, names: set[str]) -> tuple[list[Any], dict[str, Any]] | None:
    arguments = old_arguments(node, names)
    if arguments is None:
        return None
    return arguments[0], {key: value for key, value in arguments[1].items() if key not in _NOT_ARGUMENTS}


def _translate(layer: dict[str, Any], function: _Function, calls: list[tuple[list[Any], dict[str, Any]]]) -> None:
    settings = [{key: kwargs.pop(key) for key in function.settings if key in kwargs} for _, kwargs in calls]
    is_complete = all(set(kwargs) == set(function.others) for _, kwargs in calls)
    if not is_complete or any(s != settings[0] for s in settings):
        return
    config = {function.settings[key]: value for key, value in (settings[0] if settings else {}).items()}
    layer.pop("build_config", None)
    kind = _operations()[function.kind]
    layer.update(_entry(kind), config={**config, "name": layer["config"].get("name", layer.get("name"))})
    layer["inbound_nodes"] = [call([*args, *(kwargs[key] for key in function.others)], {}) for args, kwargs in calls]


def restore_operation(entry: Entry) -> None:
    """Restore the module of an operation, which HDF5 files do not store.

    An operation that has the name of a layer class is recognised by its config, which lacks what every layer has.
    """
    nodes = entry.serialized.get("inbound_nodes")
    if not entry.is_layer or "module" in entry.serialized or not isinstance(nodes, list) or not nodes:
        return
    if not all(isinstance(node, dict) for node in nodes):
        return  # written by Keras 2, which had no operations
    kind = _operations().get(entry.kind)
    if kind is not None and "trainable" not in entry.config:
        entry.serialized.update(_entry(kind))


def _entry(kind: type[Any]) -> dict[str, Any]:
    return {"module": kind.__module__, "class_name": kind.__name__, "registered_name": kind.__name__}


def _operations() -> Mapping[str, type[Any]]:
    """Return the operations of Keras by the names of their classes."""
    return {kind.__name__: kind for kind in _kinds(keras.Operation)}


def _kinds(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith(("keras.src.ops.", "keras.src.activations.")):
            yield kind
        yield from _kinds(kind)
