"""The examples on which files of integers are calibrated: a number of training examples, or data of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.errors import InputError, argument
from reds_core.framework.data import SAMPLE_EXAMPLES, Arrays, Data, Stream, columns, sampled
from reds_core.framework.examples import array_of, examples_of, is_array
from reds_core.runs.calibration_setting import examples_wanted
from reds_core.runs.dataset import ARRAYS, OBJECTS, STREAM, Dataset, Reading, read_data
from reds_core.runs.device_figures import spread
from reds_core.runs.given_data import Splits, given_data
from reds_core.runs.image_folder import choose_format, read_images
from reds_core.system.archive import ArchiveError, read_archive
from reds_core.system.files import given_path

WHAT = "calibration data"
_ARRAY_NAMES = ("x_train", "x")
"""The arrays of an .npz that can hold the examples, the first that is there first. Labels are not needed."""
_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, eq=False)
class Calibration:
    """The examples that determine the ranges of activations in files.

    Attributes:
        examples: The examples; None without data. Labels are zeros if the data is not that of the training.
        digest: The hexadecimal SHA-256 of the examples if they are data of their own, else None.
    """

    examples: Arrays | None = None
    digest: str | None = None


def calibration_setting(given: Any | None) -> tuple[str | None, Any | None]:
    """Return the setting that says what files are calibrated on, and an object that is given for it in Python.

    Args:
        given: A number of training examples, the name or the path of a data set, arrays or other data, or None.

    Raises:
        InputError: If it is none of these.
    """
    if isinstance(given, bool):
        raise InputError(f"{argument('calibration')} is {given!r}", "give a number of examples, or data")
    if isinstance(given, int | np.integer):
        return str(int(given)), None
    if given is None or isinstance(given, str):
        return given, None
    if is_array(given) or isinstance(given, Mapping):
        return ARRAYS, given
    found = given_data(given)
    if isinstance(found, str | None):
        return found, None
    return STREAM if isinstance(found, Splits) else ARRAYS, found


def is_given_in_python(setting: str | None) -> bool:
    """Whether the setting stands for data that was given as an object in Python, which no file can hold."""
    return setting in OBJECTS


def calibration_of(setting: str | None, given: Any | None, train: Data | None, reading: Reading) -> Calibration:
    """Return the examples that files are calibrated on.

    Args:
        setting: The number of training examples, or the name or the path of other data; None for the default number.
        given: The data if it is an object in Python, as `calibration_setting` returned it.
        train: The training data; None without data.
        reading: How data is read, with the model that takes the examples.

    Raises:
        InputError: If the data cannot be read, or does not fit the inputs of the model.
    """
    count = examples_wanted(setting)
    if count is not None:
        return Calibration(None if train is None else spread(train, count))
    assert setting is not None
    if given is None and is_given_in_python(setting):
        raise InputError(
            f"the {WHAT} of the run was given as objects in Python and is not given now",
            f"give it again as {argument('calibration')}, or give a number of training examples",
        )
    x = _read(setting, reading) if given is None else _examples_in(given, reading)
    x = reading.framework.check_inputs(reading.model, x, WHAT)
    examples = Arrays(x, np.zeros(len(columns(x)[0]), np.int64))
    return Calibration(examples, _digest(examples))


def _read(source: str, reading: Reading) -> Any:
    """Return the examples of a named data set, an .npz file or a folder of images. Labels may be missing."""
    path = given_path(source, "calibration")
    if path.is_dir():
        return _images(path, reading)
    if path.is_file():
        return _npz(path)
    return _examples_in(read_data(source, reading), reading)


def _npz(path: Path) -> Any:
    fix = "give an .npz with the examples as x_train or x"
    try:
        arrays = read_archive(path)
    except ArchiveError as error:
        raise InputError(f"{WHAT} '{path}' cannot be read as an .npz file ({error.reason})", fix) from error
    name = next((name for name in _ARRAY_NAMES if name in arrays), None)
    if name is None and len(arrays) == 1:
        name = next(iter(arrays))
    if name is None:
        raise InputError(f"{WHAT} '{path}' holds neither x_train nor x", fix)
    return _plain(arrays[name])


def _images(folder: Path, reading: Reading) -> Any:
    """Return the images of a folder and of the folders in it, evenly spaced ones if there are very many.

    If the folder has the subfolders train and test, only those of train are read.
    """
    split = folder / "train", folder / "test"
    source = split[0] if all(part.is_dir() for part in split) else folder
    paths = sorted(p for p in source.rglob("*") if p.suffix.lower() in _IMAGES and not p.name.startswith("."))
    if not paths:
        raise InputError(f"folder '{source}' holds no images to calibrate files on", "name a folder of images")
    at = np.linspace(0, len(paths) - 1, min(len(paths), SAMPLE_EXAMPLES)).astype(np.int64)
    chosen = tuple(paths[index] for index in at)
    shape = None if reading.model is None else reading.framework.input_shape(reading.model)
    return read_images(chosen, choose_format(chosen, shape))


def _examples_in(given: Any, reading: Reading) -> Any:
    """Return the examples of data without its labels."""
    if is_array(given) or isinstance(given, Mapping):
        return _plain(given)
    train = given.train if isinstance(given, Dataset | Splits) else given
    part = reading.part(train, WHAT)
    return (sampled(part, SAMPLE_EXAMPLES, 0) if isinstance(part, Stream) else part).x


def _plain(x: Any) -> Any:
    """Return examples as arrays of finite numbers."""
    first = next(iter(x.values())) if isinstance(x, Mapping) and x else x
    count = len(array_of(first, WHAT)) if is_array(first) and array_of(first, WHAT).ndim else 1
    return examples_of(x, np.zeros(count, np.int64), what=WHAT).x


def _digest(data: Arrays) -> str:
    digest = hashlib.sha256()
    for array in columns(data.x):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
