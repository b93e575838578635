"""The serialized objects in a model's config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Entry:
    """A serialized object in a model's config.

    Attributes:
        layer: name of the layer itself, or of the innermost layer that contains the object.
        kind: the class name.
        key: the key of the config that contains the object; empty for the model itself.
        is_layer: whether it is in a model's list of layers.
        serialized: the serialized form, which translations change in place.
    """

    layer: str
    kind: str
    key: str
    is_layer: bool
    serialized: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The config of the object; empty if it has none."""
        config = self.serialized.get("config")
        return config if isinstance(config, dict) else {}

    def layers(self) -> list[Any]:
        """The serialized layers of a model; empty if the object is not a model."""
        layers = self.config.get("layers")
        return layers if isinstance(layers, list) else []

    def is_of_keras(self) -> bool:
        """Whether it is a class or function of Keras itself."""
        module = self.serialized.get("module")
        if isinstance(module, str):
            # Functions are looked up by name among those of Keras and the registered ones.
            return module.partition(".")[0] == "keras" or (module, self.kind) == ("builtins", "function")
        return self.kind == "Functional" or hasattr(keras.layers, self.kind) or hasattr(keras.models, self.kind)

    def is_registered(self) -> bool:
        """Whether the user has registered it with Keras in this process."""
        registered = self.serialized.get("registered_name") or self.kind
        return keras.saving.get_registered_object(registered) is not None

    def is_known(self) -> bool:
        """Whether Keras can find it: it is Keras's own, registered, or not a layer and identified only by name."""
        is_named = not self.is_layer and not isinstance(self.serialized.get("module"), str)
        return is_named or self.is_of_keras() or self.is_registered()


def entries(config: Any) -> list[Entry]:
    """Return every serialized object in `config`, starting with the model; each precedes the objects inside it."""
    return list(_entries(config, "", "", in_layers=False))


def _entries(node: Any, layer: str, key: str, in_layers: bool) -> Iterator[Entry]:
    if isinstance(node, dict):
        config = node.get("config")
        if in_layers and isinstance(config, dict):
            layer = str(config.get("name", node.get("name", layer)))
        if isinstance(node.get("class_name"), str):
            yield Entry(layer, node["class_name"], key, in_layers, node)
        for inner, value in node.items():
            are_layers = inner == "layers" and isinstance(value, list)
            yield from _entries(value, layer, key if inner == "config" else inner, are_layers)
    elif isinstance(node, list):
        for element in node:
            yield from _entries(element, layer, key, in_layers)
