"""Diagnosis of model files that Keras cannot load."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import keras

from reds_core.errors import InputError, RedsError, UnsupportedError
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.model_files.container import ModelFile
from reds_tensorflow.model_files.entries import Entry
from reds_tensorflow.model_files.refusal import GIVE_IT
from reds_tensorflow.quiet import silenced


def fault_of(error: Exception, found: Sequence[Entry], file: ModelFile) -> RedsError:
    """Return an error that names the layer which Keras cannot create or, if there is none, quotes Keras's own error."""
    if _lacks_input(found[0]):
        return UnsupportedError(
            f"'{file.path}' does not hold the shape of its input{file.origin.told}",
            "load it where it was made, call it on an example, give it an InputLayer and save it again",
        )
    for entry in found:
        if entry.is_layer and not entry.layers():
            reason = _reason(entry)
            if reason is not None:
                return UnsupportedError(
                    f"layer '{entry.layer}' of type {entry.kind} cannot be loaded ({reason}){file.origin.told}",
                    _advice(file) if entry.is_of_keras() else f"make the class read its own config, or {GIVE_IT}",
                )
    return InputError(
        f"'{file.path}' cannot be loaded by Keras {keras.__version__} ({first_sentence(error)}){file.origin.told}",
        _advice(file),
    )


def _lacks_input(whole: Entry) -> bool:
    """Whether a model is a Sequential whose input shape is unknown."""
    first: dict[str, Any] = next(iter(whole.layers()), {})
    is_open = first.get("class_name") != "InputLayer" and "layers" not in first.get("config", {})
    return whole.kind == "Sequential" and is_open and not whole.config.get("build_input_shape")


def _reason(entry: Entry) -> str | None:
    """Return why Keras cannot create the layer from its config, or None if it can."""
    serialized = copy.deepcopy(entry.serialized)  # deserialization modifies the config
    try:
        with silenced():
            if "module" in serialized:
                keras.saving.deserialize_keras_object(serialized)
            else:
                keras.utils.legacy.deserialize_keras_object(serialized, module_objects=vars(keras.layers))
    except Exception as error:
        return first_sentence(error)
    return None


def _advice(file: ModelFile) -> str:
    """Return advice for an intact file that the installed Keras cannot read."""
    if not file.origin.is_older:
        return "save the model as .keras with the Keras that created it" if not file.is_zip else "save the model again"
    wrote = f"Keras {file.origin.version}"
    if file.is_zip:
        return f"load it in {wrote} and save it as .h5"
    return (
        "build the model again in Keras 3, load its weights with model.load_weights and save it as .keras, or"
        f" {GIVE_IT}"
    )
