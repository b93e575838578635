"""Lambda layers of the user's model object: taken from memory when files of its run are loaded, never from the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reds_tensorflow.model_files.entries import Entry
from reds_tensorflow.own_layers import OwnLayers, copied_lambda

_NAME = "reds>Lambda:"


@dataclass(frozen=True)
class _Given:
    """Takes the place of a layer class while a file is read, and returns a copy of the layer in memory."""

    layer: Any

    def from_config(self, config: Mapping[str, Any]) -> Any:
        return copied_lambda(self.layer)


def give_lambdas(found: Sequence[Entry], own: OwnLayers) -> dict[str, Any]:
    """Replace the Lambda layers in a config that the user has in memory.

    Returns:
        The custom objects that Keras needs while it reads the file, by name.
    """
    given: dict[str, Any] = {}
    for entry in found:
        if entry.kind != "Lambda":
            continue
        own_name = str(entry.config.get("name", entry.layer))  # inside a wrapper, `entry.layer` is the wrapper
        layer = own.lambda_of(own_name, entry.config.get("function"))
        if layer is not None:
            name = _NAME + own_name
            given[name] = _Given(layer)
            entry.serialized.update(class_name=name, registered_name=name, module=None, config={"name": own_name})
            entry.serialized.pop("build_config", None)
    return given
