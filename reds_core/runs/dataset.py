"""Reading, checking and splitting of data sets.

Examples of a small type keep that type in memory and are converted to float32 when they are used.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnavailableError
from reds_core.framework.data import Arrays, as_examples
from reds_core.framework.framework import Framework
from reds_core.runs.image_folder import ImageFiles, choose_format, class_names, list_images, read_images
from reds_core.system.archive import ArchiveError, read_archive
from reds_core.system.files import given_path

TEST_FRACTION = 0.2
_ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
_EXPECTED = "give an .npz with x_train, y_train, x_test and y_test"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test data.

    Attributes:
        name: The name as the user gave it.
        train: The training data.
        test: The test data. Shapes differ from those of the training data only in the number of examples.
        digest: The hexadecimal SHA-256 of all four arrays.
    """

    name: str
    train: Arrays
    test: Arrays
    digest: str


def load_data(
    source: str, framework: Framework, input_shape: tuple[int | None, ...] | None = None, seed: int = 0
) -> Dataset:
    """Read a data set.

    Args:
        source: `digits` (that of scikit-learn), the path of an .npz file or of a folder of images, or the name of a
            data set of `framework`.
        framework: Loads data sets that are neither `digits` nor a path.
        input_shape: The input shape of the model without the batch dimension. Images of a folder are resized to it.
        seed: The seed of the split into training and test data, if a folder has no such split.

    Raises:
        InputError: If the data is missing, damaged, invalid or too large for memory.
        UnavailableError: If a library that is needed to read it is not installed.
    """
    try:
        return _checked(source, *_loaded(source, framework, input_shape, seed))
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise InputError(
            f"data '{source}' does not fit into memory{reason}",
            "give fewer examples, or save them in a smaller type such as uint8",
        ) from error


def _loaded(
    source: str, framework: Framework, input_shape: tuple[int | None, ...] | None, seed: int
) -> tuple[Arrays, Arrays]:
    path = given_path(source, "data")
    if source == "digits":
        return _digits()
    if path.is_dir():
        return _folder(path, input_shape, seed)
    if path.exists():
        return _npz(path)
    if path.suffix or path.name != source:
        raise InputError(f"data '{source}' does not exist", "give digits, a named data set, an .npz or a folder")
    return framework.load_dataset(source)


def dataset_from_arrays(
    train: tuple[npt.ArrayLike, npt.ArrayLike], test: tuple[npt.ArrayLike, npt.ArrayLike], name: str = "arrays"
) -> Dataset:
    """Create a data set from (x_train, y_train) and (x_test, y_test), as the loaders of common frameworks return them.

    Raises:
        InputError: If the arrays do not match each other or are not numeric.
    """
    first, second = (Arrays(np.asarray(x), np.asarray(y)) for x, y in (train, test))
    return _checked(name, first, second)


def split_validation(train: Arrays, fraction: float, seed: int) -> tuple[Arrays, Arrays]:
    """Hold back a part of the training data for validation. The split is stratified if labels are classes.

    Args:
        train: The training data.
        fraction: The share of examples to hold back, between 0 and 1.
        seed: The seed of the split.

    Returns:
        The remaining data and the validation data, both in the order of `train`.

    Raises:
        InputError: If `fraction` is not between 0 and 1, or there are fewer than two examples.
    """
    if not 0 < fraction < 1:
        raise InputError(f"a part of {fraction} cannot be held back", "give a fraction between 0 and 1")
    if len(train) < 2:
        raise InputError(f"training data of {len(train)} example cannot be split", "give at least 2 examples")
    rest, held = _split(_strata(train.y), fraction, seed)
    return train.take(rest), train.take(held)


def _strata(y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The class of each example, int64 (N,); zeros if labels are not classes."""
    if y.ndim == 1 and np.issubdtype(y.dtype, np.integer):
        return y.astype(np.int64)
    if is_one_hot(y):
        return np.asarray(y.argmax(axis=1), np.int64)
    return np.zeros(len(y), np.int64)


def is_one_hot(y: npt.NDArray[Any]) -> bool:
    """Whether every row of `y` (N, classes) has a single 1 among zeros."""
    return bool(y.ndim == 2 and y.shape[1] > 1 and np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))


def _split(
    strata: npt.NDArray[np.int64], fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split indices into the rest and ceil(fraction x N) examples, apportioned to the strata by largest remainders.

    The rest keeps at least one example of each stratum, and at least one example is split off.
    """
    generator = np.random.default_rng(seed)
    _, members, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    wanted = min(max(math.ceil(fraction * len(strata)), 1), len(strata) - 1)
    quotas = sizes * (wanted / len(strata))
    counts = np.minimum(np.floor(quotas).astype(np.int64), sizes - 1)
    for stratum in np.argsort(-(quotas - counts), kind="stable"):
        if counts.sum() < wanted and counts[stratum] < sizes[stratum] - 1:
            counts[stratum] += 1
    if not counts.any():  # every stratum has one example, and one must be split off
        counts[-1] = 1
    held = np.concatenate(
        [generator.permutation(np.flatnonzero(members == s))[:count] for s, count in enumerate(counts)]
    )
    held.sort()
    rest = np.setdiff1d(np.arange(len(strata), dtype=np.int64), held)
    return rest, held.astype(np.int64)


def _digits() -> tuple[Arrays, Arrays]:
    """The digits of scikit-learn: 1,437 and 360 images (8, 8, 1) with values 0 to 16, always split in the same way."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UnavailableError(
            "data 'digits' needs scikit-learn, which is not installed", "run: pip install scikit-learn"
        ) from error
    x, y = load_digits(return_X_y=True)
    images = x.astype(np.float32).reshape(-1, 8, 8, 1)
    labels = y.astype(np.int64)
    rest, held = _split(labels, TEST_FRACTION, seed=0)
    return Arrays(images[rest], labels[rest]), Arrays(images[held], labels[held])


def _npz(path: Path) -> tuple[Arrays, Arrays]:
    try:
        arrays = read_archive(path, _ARRAY_NAMES)
    except ArchiveError as error:
        if error.pickled:
            what = f"data '{path}' holds pickled objects, which are never loaded"
            raise InputError(what, "save plain numeric arrays instead") from error
        what = f"data '{path}' cannot be read ({error.reason}); it is not an .npz file, or it is truncated or damaged"
        raise InputError(what, _EXPECTED) from error
    missing = [name for name in _ARRAY_NAMES if name not in arrays]
    if missing:
        raise InputError(f"data '{path}' lacks {', '.join(missing)}", _EXPECTED)
    x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAY_NAMES)
    return Arrays(x_train, y_train), Arrays(x_test, y_test)


def _folder(folder: Path, input_shape: tuple[int | None, ...] | None, seed: int) -> tuple[Arrays, Arrays]:
    train_folder, test_folder = folder / "train", folder / "test"
    if train_folder.is_dir() and test_folder.is_dir():
        names = class_names(train_folder)
        train, test = list_images(train_folder, names), list_images(test_folder, names)
        if not test.paths:
            raise InputError(f"folder '{test_folder}' holds no class folders", "add test images")
    else:
        everything = list_images(folder, class_names(folder))
        rest, held = _split(everything.labels, TEST_FRACTION, seed)
        train, test = (
            ImageFiles(tuple(everything.paths[i] for i in part), everything.labels[part]) for part in (rest, held)
        )
    format_ = choose_format(train.paths + test.paths, input_shape)
    return (
        Arrays(read_images(train.paths, format_), train.labels),
        Arrays(read_images(test.paths, format_), test.labels),
    )


def _checked(name: str, train: Arrays, test: Arrays) -> Dataset:
    """Check a data set and convert it to the types that the other modules expect."""
    train, test = (
        Arrays(_examples(part.x, f"{word} data of '{name}'"), _labels(part.y, f"labels of the {word} data of '{name}'"))
        for part, word in ((train, "training"), (test, "test"))
    )
    for part, word in ((train, "training"), (test, "test")):
        if len(part.x) != len(part.y):
            raise InputError(
                f"the {word} data of '{name}' has {len(part.x)} examples and {len(part.y)} labels",
                "give one label per example",
            )
    for first, second, what in ((train.x, test.x, "examples"), (train.y, test.y, "labels")):
        if first.shape[1:] != second.shape[1:]:
            raise InputError(
                f"training and test {what} of '{name}' have different shapes, {first.shape[1:]} and {second.shape[1:]}",
                "give both in one shape",
            )
    digest = hashlib.sha256()
    for array in (train.x, train.y, test.x, test.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return Dataset(name, train, test, digest.hexdigest())


def _finite(array: npt.NDArray[Any], what: str) -> None:
    # checking the extremes needs no array of booleans, and a NaN anywhere makes both NaN
    if not (np.isfinite(array.min()) and np.isfinite(array.max())):
        raise InputError(f"the {what} hold NaN or infinite numbers", "remove or replace them")


def _examples(x: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    if x.dtype.kind not in "biuf":
        raise InputError(f"the {what} are of type {x.dtype}, not numbers", "save them as numbers")
    if x.ndim < 2 or x.size == 0:
        raise InputError(f"the {what} are empty (shape {x.shape})", "give at least one example of at least one number")
    with np.errstate(over="ignore"):
        examples = as_examples(x)
    _finite(examples, what)
    return examples


def _labels(y: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """Labels as int64 (N,) if they are one-dimensional integers, else as float32 or int64 (N, ...)."""
    if y.dtype.kind not in "biuf":
        raise InputError(f"the {what} are of type {y.dtype}, not numbers", "give class numbers from 0, or one-hot rows")
    if y.ndim == 0 or y.size == 0:
        raise InputError(f"the {what} are empty", "give one label per example")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "f":
        with np.errstate(over="ignore"):
            labels = y.astype(np.float32)
        _finite(labels, what)
        return labels
    return y.astype(np.int64) if y.ndim != 2 else y.astype(np.float32)
