"""Translation of calls in the graph of a Functional model that Keras 2 wrote.

Keras 2 lists the tensors of a call as [layer, node, tensor, keyword arguments]. Keras 3 does not convert these keyword
arguments when it reads them, so tensors and constants among them are lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reds_tensorflow.model_files.entries import Entry

_CONSTANT = "_CONSTANT_VALUE"
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional")
_STATES, _CONSTANTS = "initial_state", "constants"


def number_calls_from_zero(entry: Entry) -> None:
    """Count calls of nested models from 0, except at outputs of a Functional, where Keras 3 counts from 1 too."""
    kinds = {str(layer.get("name")): layer.get("class_name") for layer in _layers(entry)}
    nested = {name for name, kind in kinds.items() if kind in ("Sequential", "Functional", "Model")}
    if not nested or not _is_of_keras_2(entry):
        return
    inner = [r for layer in _layers(entry) for r in _references(layer.get("inbound_nodes"), nested)]
    outer = list(_references(entry.config.get("output_layers"), nested))
    for name in nested:
        found = [r for r in (*inner, *outer) if r[0] == name]
        if found and min(r[1] for r in found) > 0:
            for reference in inner if kinds[name] != "Sequential" else found:
                if reference[0] == name:
                    reference[1] -= 1


def unwrap_single_tensors(entry: Entry) -> None:
    """Unwrap a single input or output, which Keras 2 put into a list whether or not the model takes lists."""
    if _is_of_keras_2(entry):
        for key in ("input_layers", "output_layers"):
            listed = entry.config.get(key)
            if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], list):
                (entry.config[key],) = listed


def rename_layers(entry: Entry) -> None:
    """Replace slashes in layer names, which Keras 3 does not allow."""
    used = {str(layer.get("name", layer.get("config", {}).get("name"))) for layer in _layers(entry)}
    renamed: dict[str, str] = {}
    for name in sorted(name for name in used if "/" in name):
        new = name.replace("/", "_")
        while new in used:
            new += "_"
        used.add(new)
        renamed[name] = new
    for part in ("input_layers", "output_layers"):
        _rename(entry.config.get(part), renamed)
    for layer in _layers(entry):
        _rename(layer.get("inbound_nodes"), renamed)
        for holder in (layer, layer.get("config")):
            if isinstance(holder, dict) and holder.get("name") in renamed:
                holder["name"] = renamed[holder["name"]]


def _rename(references: Any, renamed: Mapping[str, str]) -> None:
    for reference in list(_references(references, set(renamed))):
        reference[0] = renamed[reference[0]]


def _is_of_keras_2(entry: Entry) -> bool:
    """Whether the calls of a model are in the form of Keras 2."""
    nodes = (layer.get("inbound_nodes") for layer in _layers(entry))
    return any(isinstance(node, list) for listed in nodes if isinstance(listed, list) for node in listed)


def translate_calls(entry: Entry) -> None:
    """Translate calls whose arguments contain tensors or constants to the form of Keras 3."""
    names = {str(layer.get("name")) for layer in _layers(entry)}
    for layer in _layers(entry):
        nodes = layer.get("inbound_nodes")
        if isinstance(nodes, list):
            layer["inbound_nodes"] = [_translated(node, str(layer.get("class_name")), names) for node in nodes]


def tensor(reference: list[Any]) -> dict[str, Any]:
    """Return a reference to a tensor in the form of Keras 3, which finds its shape through the tensor's history."""
    config = {"shape": [None], "dtype": "float32", "keras_history": reference[:3]}
    return {"class_name": "__keras_tensor__", "config": config}


def call(args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a call in the form of Keras 3."""
    return {"args": args, "kwargs": kwargs}


def old_arguments(node: Any, names: set[str]) -> tuple[list[Any], dict[str, Any]] | None:
    """Convert the arguments of a call that Keras 2 wrote to the form of Keras 3.

    Args:
        node: the call as the config has it.
        names: names of the layers of the model.

    Returns:
        The positional and keyword arguments; None if the call is not in the form of Keras 2.
    """
    if not isinstance(node, list) or not node:
        return None
    listed = node if isinstance(node[0], list) else [node]
    if not all(isinstance(item, list) and len(item) in (3, 4) for item in listed):
        return None
    given = [item[2] if item[0] == _CONSTANT else tensor(item) for item in listed]
    keywords: dict[str, Any] = {}
    for item in listed:
        keywords.update({key: _revived(value, names) for key, value in (item[3] if len(item) == 4 else {}).items()})
    return [given if isinstance(node[0], list) and len(given) > 1 else given[0]], keywords


def _translated(node: Any, kind: str, names: set[str]) -> Any:
    arguments = old_arguments(node, names)
    if arguments is None:
        return node
    (first,), keywords = arguments
    has_states = kind in _RECURRENT and isinstance(first, list)
    if has_states:  # the states follow the input
        first, *states = first
        keywords[_STATES] = states
    if kind in _RECURRENT and keywords.get(_CONSTANTS, 0) is None:  # Bidirectional has no such argument in Keras 3
        del keywords[_CONSTANTS]
    listed = node if isinstance(node[0], list) else [node]
    holds_tensors = any(item[0] == _CONSTANT or list(_references(item[3:], names)) for item in listed)
    return call([first], keywords) if has_states or holds_tensors or listed is not node else node


def _revived(value: Any, names: set[str]) -> Any:
    """Convert the tensors in an argument to the form of Keras 3."""
    if _is_reference(value, names):
        return tensor(value)
    if isinstance(value, list):
        return [_revived(each, names) for each in value]
    if isinstance(value, dict):
        return {key: _revived(each, names) for key, each in value.items()}
    return value


def _is_reference(value: Any, names: set[str]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in names
        and all(isinstance(number, int) for number in value[1:3])
    )


def _references(value: Any, names: set[str]) -> Iterator[list[Any]]:
    """Yield every [layer, node, tensor, ...] of a layer in `names` within `value`, except those in nested models."""
    if _is_reference(value, names):
        yield value
    if isinstance(value, list):
        for each in value:
            yield from _references(each, names)
    elif isinstance(value, dict):
        for key, each in value.items():
            if not (key == "config" and "class_name" in value and value["class_name"] != "__keras_tensor__"):
                yield from _references(each, names)


def _layers(entry: Entry) -> list[dict[str, Any]]:
    return [layer for layer in entry.layers() if isinstance(layer, dict)]
