"""The user's own layers: classes of imported modules, and Lambda layers of the given model object."""

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
    """Objects that model files may refer to, besides Keras's own and those registered with it.

    Attributes:
        objects: classes and functions by name.
        lambdas: Lambda layers of the user's model object, whose code is trusted, by name.
    """

    objects: Mapping[str, Any] = field(default_factory=dict)
    lambdas: Mapping[str, Any] = field(default_factory=dict)

    def lambda_of(self, name: str, function: Any) -> Any | None:
        """Return the user's Lambda layer of this name; None if its function differs from the one in the file.

        Args:
            name: name of the layer.
            function: the serialized function in the file.
        """
        layer = self.lambdas.get(name)
        if layer is None or _plain(layer.get_config()["function"]) != _plain(function):
            return None
        return layer


NONE = OwnLayers()


@contextmanager
def made_known(objects: Mapping[str, Any]) -> Iterator[None]:
    """Let Keras find these classes and functions within the context, in addition to those of enclosing scopes."""
    empty = keras.saving.custom_object_scope({})  # an inner Keras scope hides the outer ones
    with empty:
        outer = empty.backup
    with keras.saving.custom_object_scope({**outer, **objects}):
        yield


def own_layers(code: UsersCode) -> OwnLayers:
    """Import the modules that the user named, and find the Lambda layers of the model object that the user gave.

    Raises:
        InputError: if a module cannot be imported.
    """
    modules = import_modules(code.imports)
    layers: Iterable[Any] = () if code.model is None else all_layers(code.model)
    return OwnLayers(
        {name: thing for module in modules for name, thing in _objects(module)},
        {layer.name: layer for layer in layers if isinstance(layer, keras.layers.Lambda)},
    )


def copied_lambda(layer: Any) -> Any:
    """Return a Lambda layer with the same function, which Keras would otherwise deserialize from a config."""
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
    """Yield the functions of a module, and its classes that Keras can create from a config."""
    for name, thing in vars(module).items():
        is_own = getattr(thing, "__module__", "").partition(".")[0] not in _LIBRARIES
        if is_own and isclass(thing) and hasattr(thing, "from_config"):
            yield keras.saving.get_registered_name(thing), thing
            yield thing.__name__, thing
        elif isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_"):
            yield name, thing


def _plain(config: Any) -> Any:
    """Return a config after a round trip through JSON."""
    return json.loads(json.dumps(config))
