"""Reading, checking and splitting of data sets.

Examples of a small type keep that type in memory and are converted to float32 when they are used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnavailableError, argument
from reds_core.framework.data import Arrays, Data, Stream, columns, each
from reds_core.framework.examples import examples_of, is_array
from reds_core.framework.framework import Framework
from reds_core.framework.sources import stream_over, unlabelled_examples
from reds_core.runs.image_folder import choose_format, class_names, list_images, list_unlabelled, read_images
from reds_core.runs.image_stream import ImageStream
from reds_core.runs.splitting import stratified_split
from reds_core.system.archive import ArchiveError, read_archive
from reds_core.system.files import given_path
from reds_core.system.memory import available_bytes

TEST_FRACTION = 0.2
ARRAYS, STREAM = "arrays", "stream"
OBJECTS = (ARRAYS, STREAM)
"""The names under which data that is given as objects in Python is recorded."""
STREAMED_SHARE = 0.25
"""Share of the available memory above which the images of a folder are read from disk in each pass."""
_ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
_UNLABELLED_NAMES = ("x_train", "x_test")
_EXPECTED = "give an .npz with x_train, y_train, x_test and y_test"
_SCHEME = re.compile(r"[a-z]+:")
"""How the names of data sets begin that another library provides, such as tfds:mnist."""
GIVE_DATA = (
    "give the name or path of a data set, ((x_train, y_train), (x_test, y_test)), or objects that yield batches (x, y)"
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training data, and the data that goes with it. Each part is held in memory or is a stream.

    Attributes:
        name: The name as the user gave it.
        train: The training data.
        test: The test data, or None. Its arrays differ from those of the training data only in the number of examples.
        digest: The hexadecimal SHA-256 of the arrays, and of what is known of streams, in `train` and `test`.
        validation: Data that the epochs of training are compared on; None to hold back a part of the training data.
    """

    name: str
    train: Data
    test: Data | None
    digest: str
    validation: Data | None = None


@dataclass(frozen=True)
class Reading:
    """How a data set is read.

    Attributes:
        framework: Loads the data sets that it provides, and reads its own data objects.
        model: The model that takes the examples. None if a small network for images is to be trained.
        batch_size: The number of examples in a batch of a stream whose source yields single examples.
        seed: The seed of a split into training and test data, and of the order of a stream.
        streamed: Whether the images of a folder are read from disk in each pass even if they fit into memory.
        labelled: Whether the data must have labels. Otherwise labels are left out.
    """

    framework: Framework
    model: Any | None = None
    batch_size: int = 32
    seed: int = 0
    streamed: bool = False
    labelled: bool = True

    def part(self, given: Any, what: str) -> Data:
        """Convert (x, y), (x, y, sample_weight) or an object that yields batches of these.

        Args:
            given: What the user gives.
            what: Its name in messages, such as "training data".

        Raises:
            InputError: If it has none of these forms, or holds anything but finite numbers.
        """
        if isinstance(given, Stream):
            return given
        if not self.labelled and (isinstance(given, Arrays | Mapping | tuple | list) or is_array(given)):
            return unlabelled_examples(given, what)
        if isinstance(given, Arrays):
            return given
        if isinstance(given, tuple | list):
            return examples_of(*given, what=what)
        found = self.framework.stream(given, self.model, self.batch_size, what, self.labelled)
        found = stream_over(given, what, self.labelled) if found is None else found
        if found is None:
            raise InputError(f"{what} of type {type(given).__name__} cannot be used as a data set", GIVE_DATA)
        return found


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
    return read_data(source, Reading(framework, seed=seed), input_shape)


def read_data(source: str, reading: Reading, input_shape: tuple[int | None, ...] | None = None) -> Dataset:
    """Read a data set from a path or by its name, as `load_data` does, in the way that `reading` says."""
    try:
        train, test = (
            examples_of(part.x, part.y if reading.labelled else None, part.weights, what=f"{word} data of '{source}'")
            if isinstance(part, Arrays)
            else reading.part(part, f"{word} data")
            for part, word in zip(_loaded(source, reading, input_shape), ("training", "test"), strict=True)
        )
        return dataset_of(source, train, test)
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise InputError(
            f"data '{source}' does not fit into memory{reason}",
            "give fewer examples, or save them in a smaller type such as uint8",
        ) from error


def is_path_text(source: str) -> bool:
    """Whether data that is not there is named like a file or a folder, and not like a data set of a framework."""
    path = Path(source)
    return not _SCHEME.match(source) and (path.suffix != "" or path.name != source)


def _loaded(source: str, reading: Reading, input_shape: tuple[int | None, ...] | None) -> tuple[Any, Any]:
    path = given_path(source, "data")
    if source == "digits":
        return _digits()
    if path.is_dir():
        if input_shape is None and reading.model is not None:
            input_shape = reading.framework.input_shape(reading.model)
        return _folder(path, input_shape, reading)
    if path.exists():
        return _npz(path, reading.labelled)
    if is_path_text(source):
        raise InputError(f"data '{source}' does not exist", "give digits, a named data set, an .npz or a folder")
    return reading.framework.load_dataset(source)


def dataset_from_arrays(
    train: tuple[Any, ...] | list[Any], test: tuple[Any, ...] | list[Any] | None = None, name: str = ARRAYS
) -> Dataset:
    """Create a data set from (x, y) or (x, y, sample_weight) for training and, if there is any, for testing.

    x and y are arrays or, for models of several inputs or outputs, lists or dicts of arrays.

    Raises:
        InputError: If the arrays do not match each other or are not numeric.
    """
    parts = [
        None if part is None else examples_of(*part, what=f"{word} data of '{name}'")
        for part, word in ((train, "training"), (test, "test"))
    ]
    assert parts[0] is not None
    return dataset_of(name, parts[0], parts[1])


def dataset_of(name: str, train: Data, test: Data | None) -> Dataset:
    """Create a data set from its parts, which are streams or results of `examples_of`.

    Raises:
        InputError: If the shapes of the parts do not match each other.
    """
    if isinstance(train, Arrays) and isinstance(test, Arrays):
        _check_alike(train.x, test.x, f"training and test examples of '{name}'")
        _check_alike(train.y, test.y, f"training and test labels of '{name}'")
    digest = hashlib.sha256()
    for part in (train, test):
        if isinstance(part, Stream):
            digest.update(part.digest.encode())
        elif part is not None:
            _update(digest, part)
    return Dataset(name, train, test, digest.hexdigest())


def _update(digest: Any, data: Arrays) -> None:
    """Add the arrays of `data` to a digest, without copying those that are contiguous."""
    for values in (data.x, data.y):
        if isinstance(values, Mapping):
            digest.update(repr(tuple(values)).encode())
        for array in columns(values):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    if data.weights is not None:
        digest.update(np.ascontiguousarray(data.weights).data)


def _check_alike(first: Any, second: Any, what: str) -> None:
    """Refuse data whose arrays have other shapes than those of the training data."""

    def shape(array: npt.NDArray[Any]) -> tuple[int, ...]:
        return array.shape[1:]

    shapes = each(shape, first), each(shape, second)
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{what} have different shapes, {_shapes_text(shapes[0])} and {_shapes_text(shapes[1])}",
            "give both in one shape",
        )


def _shapes_text(shapes: Any) -> str:
    if isinstance(shapes, Mapping):
        return ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
    return str(shapes)


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
    rest, held = stratified_split(labels, TEST_FRACTION, seed=0)
    return Arrays(images[rest], labels[rest]), Arrays(images[held], labels[held])


def _npz(path: Path, labelled: bool = True) -> tuple[Arrays, Arrays]:
    try:
        arrays = read_archive(path, _ARRAY_NAMES)
    except ArchiveError as error:
        if error.pickled:
            what = f"data '{path}' holds pickled objects, which are never loaded"
            raise InputError(what, "save plain numeric arrays instead") from error
        what = f"data '{path}' cannot be read ({error.reason}); it is not an .npz file, or it is truncated or damaged"
        raise InputError(what, _EXPECTED) from error
    wanted = _ARRAY_NAMES if labelled else _UNLABELLED_NAMES
    missing = [name for name in wanted if name not in arrays]
    if missing:
        unlabelled = labelled and not set(missing) & set(_UNLABELLED_NAMES)
        without = f", or {argument('task', 'embedding')} for an encoder, which needs no labels"
        fix = _EXPECTED + without * unlabelled if labelled else "give an .npz with x_train and x_test"
        raise InputError(f"data '{path}' lacks {', '.join(missing)}", fix)
    if not labelled:
        return Arrays(arrays["x_train"], None), Arrays(arrays["x_test"], None)
    x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAY_NAMES)
    return Arrays(x_train, y_train), Arrays(x_test, y_test)


def _folder(folder: Path, input_shape: tuple[int | None, ...] | None, reading: Reading) -> tuple[Data, Data]:
    train_folder, test_folder = folder / "train", folder / "test"
    has_parts = train_folder.is_dir() and test_folder.is_dir()
    if has_parts and not reading.labelled:
        train, test = list_unlabelled(train_folder), list_unlabelled(test_folder)
    elif has_parts:
        names = class_names(train_folder)
        train, test = list_images(train_folder, names), list_images(test_folder, names)
        if not test.paths:
            raise InputError(f"folder '{test_folder}' holds no class folders", "add test images")
    else:
        everything = list_images(folder, class_names(folder)) if reading.labelled else list_unlabelled(folder)
        rest, held = stratified_split(everything.labels, TEST_FRACTION, reading.seed)
        train, test = everything.take(rest), everything.take(held)
    format_ = choose_format(train.paths + test.paths, input_shape)
    available = available_bytes()
    limit = None if available is None else STREAMED_SHARE * available
    decoded_bytes = format_.pixel_bytes * (len(train.paths) + len(test.paths))
    if reading.streamed or (limit is not None and decoded_bytes > limit):
        how = (format_, reading.batch_size, reading.seed)
        return ImageStream(train, *how, is_shuffled=True), ImageStream(test, *how)
    return (
        Arrays(read_images(train.paths, format_), train.labels),
        Arrays(read_images(test.paths, format_), test.labels),
    )
