"""The two containers of model files, .keras (a zip file) and HDF5, which are distinguished by content."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras

from reds_core.errors import InputError

_ZIP_MAGIC = b"PK\x03\x04"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_CONFIG = "config.json"
_METADATA = "metadata.json"
_WEIGHTS = "model.weights.h5"

ChangeWeights = Callable[[h5py.File], bool]
"""Changes the weights file inside a .keras file in place, and returns whether it changed anything."""


@dataclass(frozen=True)
class Origin:
    """The version of Keras that wrote a file.

    Attributes:
        version: a version such as "2.13.1"; None if the file does not state it.
    """

    version: str | None

    @property
    def is_older(self) -> bool:
        """Whether the file was written by another major version than the installed one."""
        return self.version is not None and self.version.partition(".")[0] != keras.__version__.partition(".")[0]

    @property
    def told(self) -> str:
        """The version in parentheses, to be appended to a message; empty if it is unknown."""
        return "" if self.version is None else f" (the file was written by Keras {self.version})"


@dataclass(frozen=True)
class ModelFile:
    """A model file whose container is intact.

    Attributes:
        path: path of the file.
        is_zip: whether it is a .keras file; otherwise it is HDF5.
        config: the model's config as JSON.
        origin: the version of Keras that wrote it.
    """

    path: Path
    is_zip: bool
    config: str
    origin: Origin

    def copy(self, folder: Path, config: str, change_weights: ChangeWeights | None) -> Path:
        """Write a copy with another config into `folder`. Its suffix is that of its format, which Keras depends on.

        Args:
            folder: an existing folder.
            config: the config of the copy as JSON.
            change_weights: changes the weights of a .keras file; those of HDF5 files are not changed.
        """
        target = folder / ("model.keras" if self.is_zip else "model.h5")
        if self.is_zip:
            self._copy_zip(target, config, change_weights)
            return target
        target.write_bytes(self.path.read_bytes())
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = config
        return target

    def _copy_zip(self, target: Path, config: str, change_weights: ChangeWeights | None) -> None:
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(target, "w") as new:
            for member in old.namelist():
                content = old.read(member)
                if member == _CONFIG:
                    content = config.encode()
                if member == _WEIGHTS and change_weights is not None:
                    buffer = io.BytesIO(content)
                    with h5py.File(buffer, "r+") as weights:
                        changed = change_weights(weights)
                    content = buffer.getvalue() if changed else content
                new.writestr(member, content)


def open_model_file(path: Path) -> ModelFile:
    """Read the config of a .keras (zip) or HDF5 model file, whatever its suffix.

    Raises:
        InputError: if the file is missing, damaged or not a model file.
        OSError, ValueError, KeyError: raised by libraries if the file is damaged.
    """
    magic = _first_bytes(path, max(len(_ZIP_MAGIC), len(_HDF5_MAGIC)))
    if magic.startswith(_ZIP_MAGIC):
        return _opened_zip(path)
    if magic == _HDF5_MAGIC:
        return _opened_hdf5(path)
    raise InputError(f"'{path}' is not a Keras model file", "give a model saved as .keras or .h5")


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


def _opened_zip(path: Path) -> ModelFile:
    with zipfile.ZipFile(path) as archive:
        if _CONFIG not in archive.namelist():
            raise InputError(f"'{path}' is a zip file, but holds no Keras model", "give a model saved as .keras")
        broken = archive.testzip()
        if broken is not None:
            raise InputError(f"'{path}' is damaged ('{broken}' in it)", "save or copy the model again")
        version: Any = None
        with suppress(KeyError, ValueError, AttributeError):
            version = json.loads(archive.read(_METADATA)).get("keras_version")
        return ModelFile(path, True, archive.read(_CONFIG).decode(), Origin(_text(version)))


def _opened_hdf5(path: Path) -> ModelFile:
    with h5py.File(path, "r") as file:
        config = _text(file.attrs.get("model_config"))
        version = _text(file.attrs.get("keras_version"))
    if config is None:
        raise InputError(f"'{path}' may hold weights, but holds no model", "save the whole model with model.save()")
    return ModelFile(path, False, config, Origin(version))


def _text(value: Any) -> str | None:
    """Convert an attribute of a file, which may be stored as text or as bytes."""
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None else str(value)
