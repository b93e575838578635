"""Names of layers and weights: the same in a model and in every model that is extracted from it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras

from reds_core.errors import UnsupportedError

_AUTOMATIC = re.compile(r"variable(_\d+)?$")  # Keras's names of unnamed weights, numbered in each process


def as_functional(model: Any) -> Any:
    """Return a plain uncompiled Functional model with the same layers and graph as `model`.

    Raises:
        UnsupportedError: if `model` has no graph of layers, or does more than run it.
    """
    what, fix = f"model '{model.name}' of type {type(model).__name__}", "build it as a Functional or Sequential model"
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        if isinstance(model, keras.Sequential):
            raise UnsupportedError(f"{what} does not know the shape of its input", "begin it with a keras.Input")
        raise UnsupportedError(f"{what} has no graph of layers with inputs", fix)
    if isinstance(model, keras.Sequential):
        functional = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        stock_call = keras.Sequential.call
    else:
        functional = keras.Model(_only_or_all(model.input), _only_or_all(model.output), name=model.name)
        stock_call = type(functional).call
    if type(model).call is not stock_call:
        raise UnsupportedError(f"{what} has a call method of its own", fix)
    return functional


def graph_of(operation: Any) -> Any | None:
    """Return the Functional model of an operation that is a model whose layers can be followed; otherwise None."""
    if not isinstance(operation, keras.Model):
        return None
    try:
        return as_functional(operation)
    except UnsupportedError:
        return None


def graph_inside(operation: Any) -> Any | None:
    """Return the Functional model that a (nested) TimeDistributed layer runs at each step; otherwise None."""
    if type(operation) is not keras.layers.TimeDistributed:
        return None
    return graph_of(operation.layer) or graph_inside(operation.layer)


def layer_names(functional: Any) -> dict[int, str]:
    """Return the name of each layer by id, preceded by the names of what contains it where it first occurs."""
    names: dict[int, str] = {}
    for operation, name in _operations(functional, ""):
        names.setdefault(id(operation), name)
    return names


@dataclass(frozen=True, eq=False)
class NamedVariable:
    """A weight of a model.

    Attributes:
        variable: the Keras variable.
        layer: name of the layer that it belongs to.
        name: name of the weight, unique in the model, which starts with that of the layer.
    """

    variable: Any
    layer: str
    name: str


def variables_of(functional: Any) -> dict[int, NamedVariable]:
    """Return every weight of a model by id. A shared weight is named after its first occurrence."""
    found: dict[int, NamedVariable] = {}
    for operation, name in _operations(functional, ""):
        if isinstance(operation, keras.Layer) and graph_inside(operation) is None:
            own = weight_names(operation)
            for variable in operation.weights:
                found.setdefault(id(variable), NamedVariable(variable, name, f"{name}/{own[id(variable)]}"))
    return found


def weight_names(layer: Any) -> dict[int, str]:
    """Return the name of each weight of a layer by id. Names are unique within the layer."""
    names, seen = {}, Counter[str]()
    for variable in layer.weights:
        name = "variable" if _AUTOMATIC.match(variable.name) else variable.name
        seen[name] += 1
        names[id(variable)] = name if seen[name] == 1 else f"{name}/{seen[name]}"
    return names


def named_variables(model: Any) -> dict[str, Any]:
    """Return the weights of `model` by their names in its description."""
    return {named.name: named.variable for named in variables_of(as_functional(model)).values()}


def _operations(functional: Any, prefix: str) -> list[tuple[Any, str]]:
    """Return every operation of the graph and of nested graphs, with its name preceded by those of what contains it."""
    found: list[tuple[Any, str]] = []
    for operation in functional.operations:
        name = f"{prefix}{operation.name}"
        inner = graph_of(operation)
        if inner is None:
            found.append((operation, name))
            inner = graph_inside(operation)
        if inner is not None:
            found += _operations(inner, f"{name}/")
    return found


def _only_or_all(tensors: Any) -> Any:
    """Unwrap a list of one tensor, as old model files have them, because Keras would warn at every call."""
    return tensors[0] if isinstance(tensors, list | tuple) and len(tensors) == 1 else tensors
