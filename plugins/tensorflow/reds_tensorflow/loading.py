"""Loading and saving of model files. No code in a file is run, and files are written atomically."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from reds_core.errors import InputError, RedsError
from reds_core.system import temporary_folder, written_beside
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.model_files.container import ModelFile, open_model_file
from reds_tensorflow.model_files.entries import Entry, entries
from reds_tensorflow.model_files.faults import fault_of
from reds_tensorflow.model_files.lambdas import give_lambdas
from reds_tensorflow.model_files.old_configs import translate
from reds_tensorflow.model_files.old_numerics import keep_hard_sigmoid, refuse_other_numerics
from reds_tensorflow.model_files.old_weights import translate_weights
from reds_tensorflow.model_files.open_shapes import Shapes, fill_open_shapes, parse_shapes
from reds_tensorflow.model_files.refusal import refuse_code
from reds_tensorflow.own_layers import NONE, OwnLayers, made_known
from reds_tensorflow.quiet import silenced

_SUFFIXES = (".keras", ".h5", ".hdf5")
_DAMAGED = (
    OSError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
    NotImplementedError,
    zipfile.BadZipFile,
)
"""Errors that reading a damaged file may raise."""


def load_model(path: Path, own: OwnLayers = NONE, input_shape: str = "") -> Any:
    """Read a .keras (zip) or HDF5 model file, whatever its suffix, in Keras's safe mode and uncompiled.

    Files of older Keras versions are translated.

    Args:
        path: path of the file.
        own: the user's own layers, which the file may refer to.
        input_shape: shapes for inputs whose sizes are open, as in the options of the framework.

    Raises:
        InputError: if the file is missing, damaged or not a model file, or its inputs cannot have that shape.
        UnsupportedError: if it contains code, or layers that cannot be loaded.
    """
    with made_known(own.objects):
        return _loaded(path, own, parse_shapes(input_shape))


def _loaded(path: Path, own: OwnLayers, shapes: Shapes) -> Any:
    try:
        file = open_model_file(path)
        config = json.loads(file.config)
        if not isinstance(config, dict) or "class_name" not in config:
            raise InputError(f"'{path}' holds no Keras model", "save the whole model with model.save()")
        before = json.dumps(config)
        config.pop("compile_config", None)  # not needed, and may refer to the user's own loss
        translate(config)
        fill_open_shapes(config, shapes)
        lambdas = give_lambdas(entries(config), own)
        found, text = entries(config), json.dumps(config)
        with made_known(lambdas), temporary_folder() as folder:
            refuse_code(found, file)
            refuse_other_numerics(found, file)
            copy = file.copy(folder, file.config if text == before else text, translate_weights)
            model = _load(file, copy, found)
    except RedsError:
        raise
    except _DAMAGED as error:
        raise InputError(f"'{path}' is damaged ({first_sentence(error)})", "save or copy the model again") from error
    keep_hard_sigmoid(model, file)
    return model


def _load(file: ModelFile, copy: Path, found: list[Entry]) -> Any:
    """Load a copy with Keras. If Keras fails, raise an error that names the layer at fault."""
    try:
        with silenced():
            return keras.models.load_model(copy, compile=False, safe_mode=True)
    except Exception as raised:
        error = raised
    # Outside of `except`, so that errors of the diagnosis are not chained to this one.
    raise fault_of(error, found, file) from error


def save_model(model: Any, path: Path) -> None:
    """Write `model` atomically as .keras, or as HDF5 if the suffix is .h5 or .hdf5.

    Raises:
        InputError: if `path` has another suffix, or the file cannot be written.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"'{path}' has no suffix of a model file", f"choose one of {', '.join(_SUFFIXES)}")
    with written_beside(path) as temporary, silenced():
        model.save(temporary)
