"""Model files: read without running code of theirs, told apart by content; written whole or not at all."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras

from reds_core.errors import InputError, RedsError, UnsupportedError
from reds_core.files import written_beside
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.quiet import silenced

_ZIP_MAGIC = b"PK\x03\x04"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_CONFIG = "config.json"
_SUFFIXES = (".keras", ".h5", ".hdf5")

# Keys that Keras 2 wrote into the configs of these layers and Keras 3 refuses; they said nothing there.
_KEYS_OF_KERAS_2 = {
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), ("groups",)),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), ("groups",)),
    **dict.fromkeys(
        ("SeparableConv1D", "SeparableConv2D"),
        ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    ),
}


@dataclass(frozen=True)
class _Entry:
    """A serialized object in a model's config.

    Attributes:
        layer: name of the innermost layer that it is, or belongs to.
        kind: its class name.
        is_layer: whether it is a layer of a model.
        serialized: the dict that holds it.
    """

    layer: str
    kind: str
    is_layer: bool
    serialized: dict[str, Any]

    def unsupported(self, why: str) -> UnsupportedError:
        """The error that names the layer."""
        return UnsupportedError(f"layer '{self.layer}' {why}", "replace it by a layer of Keras 3")

    def is_known(self) -> bool:
        """Whether it is Keras's own, or registered by the user in this process."""
        module = self.serialized.get("module")
        if isinstance(module, str):
            # functions are looked up by name among Keras's own and the registered ones
            known = module.partition(".")[0] == "keras" or (module, self.kind) == ("builtins", "function")
        else:
            known = not self.is_layer or self.kind == "Functional"
            known = known or hasattr(keras.layers, self.kind) or hasattr(keras.models, self.kind)
        registered = self.serialized.get("registered_name") or self.kind
        return known or keras.saving.get_registered_object(registered) is not None


def load_model(path: Path) -> Any:
    """Read a .keras (zip) or HDF5 model file, whatever its suffix, in Keras's safe mode and uncompiled.

    Raises:
        InputError: if the file is missing, damaged or no model file.
        UnsupportedError: if it holds code, or layers that cannot be loaded.
    """
    magic = _first_bytes(path, max(len(_ZIP_MAGIC), len(_HDF5_MAGIC)))
    is_zip = magic.startswith(_ZIP_MAGIC)
    if not is_zip and magic != _HDF5_MAGIC:
        raise InputError(f"'{path}' is no Keras model file", "give a model saved as .keras or .h5")
    try:
        text = _zip_config(path) if is_zip else _hdf5_config(path)
        config = json.loads(text)
        is_of_model = isinstance(config, dict) and "class_name" in config
        compiled = config.pop("compile_config", None) if is_of_model else None  # a loss of the user's own: not needed
        if is_of_model:
            _refuse_class_of_file(config, path)
        entries = list(_entries(config, ""))
        _refuse_code(entries)
        changed = _modernised(entries) or compiled is not None
        with tempfile.TemporaryDirectory(prefix="reds-") as folder:
            # Keras goes by the suffix
            plain = Path(folder) / ("model.keras" if is_zip else "model.h5")
            copy = _copy_zip if is_zip else _copy_hdf5
            copy(path, plain, json.dumps(config) if changed else text)
            return _load(plain, path, entries)
    except RedsError:
        raise
    except (OSError, EOFError, KeyError, ValueError, RecursionError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(f"'{path}' is damaged ({first_sentence(error)})", "save or copy the model again") from error


def save_model(model: Any, path: Path) -> None:
    """Write `model` as .keras, or as HDF5 if the suffix is .h5 or .hdf5; whole or not at all.

    Raises:
        InputError: if the suffix is another, or the file cannot be written.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"'{path}' has no suffix of a model file", f"choose one of {', '.join(_SUFFIXES)}")
    with written_beside(path) as temporary, silenced():
        model.save(temporary)


def _first_bytes(path: Path, count: int) -> bytes:
    if path.is_dir():
        raise InputError(f"'{path}' is a folder", "give a model saved as one .keras or .h5 file")
    try:
        with path.open("rb") as file:
            return file.read(count)
    except FileNotFoundError:
        raise InputError(f"model file '{path}' does not exist", "check the path") from None
    except OSError as error:
        raise InputError(f"model file '{path}' cannot be read ({error.strerror})", "check its permissions") from error


def _zip_config(path: Path) -> str:
    """The model's config in a .keras file whose content is sound."""
    with zipfile.ZipFile(path) as archive:
        if _CONFIG not in archive.namelist():
            raise InputError(f"'{path}' is a zip file, but holds no Keras model", "give a model saved as .keras")
        broken = archive.testzip()
        if broken is not None:
            raise InputError(f"'{path}' is damaged ('{broken}' in it)", "save or copy the model again")
        return archive.read(_CONFIG).decode()


def _hdf5_config(path: Path) -> str:
    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config")
    if config is None:
        raise InputError(f"'{path}' holds no model, at most its weights", "save the whole model with model.save()")
    return config.decode() if isinstance(config, bytes) else str(config)


def _copy_zip(source: Path, target: Path, config: str) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            new.writestr(member, config.encode() if member == _CONFIG else old.read(member))


def _copy_hdf5(source: Path, target: Path, config: str) -> None:
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        file.attrs["model_config"] = config


def _entries(node: Any, layer: str, in_layers: bool = False) -> Iterator[_Entry]:
    """Every serialized object at or below `node`, which may stand in a model's list of layers."""
    if isinstance(node, dict):
        config = node.get("config")
        if in_layers and isinstance(config, dict):
            layer = str(config.get("name", node.get("name", layer)))
        if isinstance(node.get("class_name"), str):
            yield _Entry(layer, node["class_name"], in_layers, node)
        for key, value in node.items():
            if key == "layers" and isinstance(value, list):
                for element in value:
                    yield from _entries(element, layer, in_layers=True)
            else:
                yield from _entries(value, layer)
    elif isinstance(node, list):
        for element in node:
            yield from _entries(element, layer)


def _refuse_class_of_file(config: dict[str, Any], path: Path) -> None:
    """Refuse a model that is more than a graph of layers: its code is not in the file."""
    whole = _Entry("", str(config.get("class_name")), True, config)
    if not whole.is_known():
        raise UnsupportedError(
            f"'{path}' is a model of type {whole.kind}, whose code is not in the file",
            "build it as a Functional or Sequential model",
        )


def _refuse_code(entries: list[_Entry]) -> None:
    """Refuse code, and classes that are not known; Keras's safe mode does not cover all of it in HDF5 files."""
    for entry in entries:
        if entry.kind in ("Lambda", "__lambda__"):
            raise UnsupportedError(
                f"layer '{entry.layer}' is a Lambda, which holds code of the file that reds does not run",
                "replace it by layers of Keras",
            )
        if not entry.is_known():
            what = f"is of type {entry.kind}" if entry.is_layer else f"refers to '{entry.kind}'"
            raise UnsupportedError(
                f"layer '{entry.layer}' {what}, which is neither Keras's own nor registered with it",
                "install a layer plugin that registers it, or replace it by a layer of Keras 3",
            )


def _modernised(entries: list[_Entry]) -> bool:
    """Bring what Keras 2 wrote, in place, to what Keras 3 reads; whether there was any."""
    changed = False
    for entry in entries:
        config = entry.serialized.get("config")
        if not isinstance(config, dict):
            continue
        for key in _KEYS_OF_KERAS_2.get(entry.kind, ()):
            if key in config and (key != "groups" or config[key] == 1):
                del config[key]
                changed = True
        if entry.kind == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
            (config["axis"],) = config["axis"]
            changed = True
    return changed


def _load(plain: Path, path: Path, entries: list[_Entry]) -> Any:
    """Load by Keras; where Keras fails, name the layer that it fails at."""
    try:
        with silenced():
            return keras.models.load_model(plain, compile=False, safe_mode=True)
    except Exception as error:
        for entry in entries:
            if entry.is_layer and "layers" not in entry.serialized.get("config", ()):
                try:
                    with silenced():
                        keras.layers.deserialize({"module": "keras.layers", **entry.serialized})
                except Exception as reason:
                    why = f"of type {entry.kind} cannot be loaded ({first_sentence(reason)})"
                    raise entry.unsupported(why) from error
        raise InputError(
            f"'{path}' cannot be loaded by Keras {keras.__version__} ({first_sentence(error)})",
            "save the model again with this version",
        ) from error
