"""Layers of the user's own: classes of the modules that were imported, and Lambdas of the model that was given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isclass, isfunction
from types import ModuleType
from typing import Any

import keras

from reds_core.system import UsersCode, import_modules
from reds_tensorflow.nesting import all_layers

_LIBRARIES = ("keras", "tensorflow")


@dataclass(frozen=True)
class OwnLayers:
    """What model files may refer to beside Keras's own layers and those registered with it.

    Attributes:
        objects: classes and functions by name.
        lambdas: Lambda layers whose code the user runs anyway, by name.
    """

    objects: Mapping[str, Any] = field(default_factory=dict)
    lambdas: Mapping[str, Any] = field(default_factory=dict)

    def lambda_of(self, name: str, function: Any) -> Any | None:
        """The user's Lambda layer that a file names; None where its function is not the one in the file.

        Args:
            function: as the file holds it.
        """
        layer = self.lambdas.get(name)
        if layer is None or _plain(layer.get_config()["function"]) != _plain(function):
            return None
        return layer


NONE = OwnLayers()


@contextmanager
def made_known(objects: Mapping[str, Any]) -> Iterator[None]:
    """Keras finds classes and functions by these names inside, beside those of scopes that are open."""
    empty = keras.saving.custom_object_scope({})  # Keras's scopes hide one another
    with empty:
        outer = empty.backup
    with keras.saving.custom_object_scope({**outer, **objects}):
        yield


def own_layers(code: UsersCode) -> OwnLayers:
    """Import what the user named, and find the Lambdas of the model that the user gave.

    Raises:
        InputError: if something cannot be imported.
    """
    modules = import_modules(code.imports)
    layers: Iterable[Any] = () if code.model is None else all_layers(code.model)
    return OwnLayers(
        {name: thing for module in modules for name, thing in _objects(module)},
        {layer.name: layer for layer in layers if isinstance(layer, keras.layers.Lambda)},
    )


def copied_lambda(layer: Any) -> Any:
    """A Lambda layer that calls the same function, not one that is read from a config as Keras does it."""
    return keras.layers.Lambda(
        layer.function,
        output_shape=layer._output_shape,
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
    )


def _objects(module: ModuleType) -> Iterable[tuple[str, Any]]:
    """The classes that Keras can make from a config, and the functions, that a module brings."""
    for name, thing in vars(module).items():
        is_own = getattr(thing, "__module__", "").partition(".")[0] not in _LIBRARIES
        if is_own and isclass(thing) and hasattr(thing, "from_config"):
            yield keras.saving.get_registered_name(thing), thing
            yield thing.__name__, thing
        elif isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_"):
            yield name, thing


def _plain(config: Any) -> Any:
    """A config as JSON keeps it."""
    return json.loads(json.dumps(config))
