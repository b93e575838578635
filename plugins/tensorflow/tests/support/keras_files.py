"""Model files rewritten to what other versions of Keras wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py

Config = dict[str, Any]
Edit = Callable[[Config], None]


def edited(path: Path, edit: Edit) -> Path:
    """A copy of a model file with its model's config changed."""
    target = path.with_name("edited" + path.suffix)
    if path.suffix == ".h5":
        target.write_bytes(path.read_bytes())
        with h5py.File(target, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config)
            file.attrs["model_config"] = json.dumps(config)
        return target

    def changed(content: bytes) -> bytes:
        config = json.loads(content)
        edit(config)
        return json.dumps(config).encode()

    return _rewritten(path, target, {"config.json": changed})


def with_weights(path: Path, change: Callable[[h5py.File], None]) -> Path:
    """A copy of a .keras file with its weights file changed."""
    target = path.with_name("moved.keras")

    def changed(content: bytes) -> bytes:
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    return _rewritten(path, target, {"model.weights.h5": changed})


def written_by(path: Path, version: str) -> Path:
    """A copy of a model file that says which Keras wrote it."""
    target = path.with_name("versioned" + path.suffix)
    if path.suffix == ".h5":
        target.write_bytes(path.read_bytes())
        with h5py.File(target, "r+") as file:
            file.attrs["keras_version"] = version
        return target
    return _rewritten(path, target, {"metadata.json": lambda _: json.dumps({"keras_version": version}).encode()})


def _rewritten(path: Path, target: Path, changes: dict[str, Callable[[bytes], bytes]]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, bytes)(old.read(name)))
    return target


def layer_entries(config: Any) -> Iterator[Config]:
    """Every entry in a list of layers, of nested models and of wrappers too."""
    if isinstance(config, dict):
        yield from config.get("layers", ()) if isinstance(config.get("layers"), list) else ()
        for value in config.values():
            yield from layer_entries(value)
    elif isinstance(config, list):
        for value in config:
            yield from layer_entries(value)


def layer_config(config: Config, kind: str) -> Config:
    """The arguments of the first layer of a type."""
    return next(layer["config"] for layer in layer_entries(config) if layer["class_name"] == kind)


def with_old_calls(config: Config) -> None:
    """Calls as Keras 2 listed them: calls of nested models counted from 1, a single input or output in a list."""
    for layer in layer_entries(config):
        if "layers" in layer["config"]:
            with_old_calls(layer)
    inner = config["config"]
    if "output_layers" not in inner:
        return
    nested = {layer["name"] for layer in inner["layers"] if "layers" in layer["config"]}
    functional = {layer["name"] for layer in inner["layers"] if layer["class_name"] == "Functional"}
    for layer in inner["layers"]:
        layer["inbound_nodes"] = [_old_node(node, nested) for node in layer["inbound_nodes"] if isinstance(node, dict)]
    for key in ("input_layers", "output_layers"):
        listed = inner[key] if isinstance(inner[key][0], list) else [inner[key]]
        inner[key] = [[name, n + (name in nested - functional), t] for name, n, t in listed]


def _old_node(node: Config, nested: set[str]) -> list[Any]:
    """A call: its tensors, those after the first argument and the keyword arguments in the dict of the first."""
    (first, *others), kwargs = node["args"], node["kwargs"]

    def old(value: Any) -> Any:
        if isinstance(value, list):
            return [old(each) for each in value]
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, number, tensor = value["config"]["keras_history"]
            return [name, number + (name in nested), tensor]
        return value

    tensors = old(first) if isinstance(first, list) else [old(first)]
    keywords = {key: old(value) for key, value in kwargs.items()}
    if others:
        keywords["value"] = old(others[0])
    states = keywords.pop("initial_state", None) or []
    return [[*tensor, dict(keywords)] for tensor in [*tensors, *states]]
