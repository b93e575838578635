"""Data sets that Keras or TensorFlow Datasets provide by name, and download on first use."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import InputError, UnavailableError
from reds_core.framework import Arrays
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.quiet import silenced

NAMES = ("mnist", "fashion_mnist", "cifar10")


TFDS = "tfds:"
"""How the names of data sets of TensorFlow Datasets begin."""
SHUFFLE_SEED = 0
SHUFFLE_BYTES = 256 * 2**20
"""Size of the buffer from which examples of TensorFlow Datasets are drawn."""
SHUFFLE_EXAMPLES = 100_000
"""Maximum number of examples in this buffer."""


def load_dataset(name: str) -> tuple[Any, Any]:
    """Return training and test data of a named data set, unchecked.

    Those of Keras are arrays: uint8 images (N, H, W, C) and integer labels. Those of TensorFlow Datasets, `tfds:NAME`,
    are of type `tf.data.Dataset`, with training examples in a new order in each pass.

    Raises:
        InputError: if the name is unknown or the data cannot be fetched.
        UnavailableError: if TensorFlow Datasets is needed and not installed.
    """
    if name.startswith(TFDS):
        return _of_tensorflow_datasets(name.removeprefix(TFDS))
    if name not in NAMES:
        known = ", ".join(("digits", *NAMES, f"{TFDS}NAME"))
        raise InputError(f"data '{name}' is unknown", f"give {known}, the path of an .npz or of a folder of images")
    try:
        with silenced():
            (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises Exception if a download fails, other errors if a file is damaged
        raise InputError(
            f"data set '{name}' cannot be fetched; there may be no network",
            "give the path of an .npz with x_train, y_train, x_test and y_test, or of a folder of images",
        ) from error
    if x_train.ndim == 3:
        x_train, x_test = x_train[..., None], x_test[..., None]
    return Arrays(x_train, y_train), Arrays(x_test, y_test)


def _of_tensorflow_datasets(name: str) -> tuple[Any, Any]:
    """The splits `train` and `test` of a data set of TensorFlow Datasets, as pairs of examples and labels."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise UnavailableError(
            f"data '{TFDS}{name}' needs tensorflow-datasets, which is not installed",
            "run: pip install 'reds-core[tfds]'",
        ) from error
    try:
        with silenced():
            train, test = tfds.load(name, split=["train", "test"], as_supervised=True, shuffle_files=False)
    except Exception as error:  # unknown names, splits that do not exist and failed downloads raise various errors
        reason = first_sentence(error)
        raise InputError(
            f"data set '{TFDS}{name}' cannot be loaded with the splits train and test ({reason})",
            "check its name at tensorflow.org/datasets, or give ((x_train, y_train), (x_test, y_test)) from Python",
        ) from error
    return train.shuffle(_buffer(train), seed=SHUFFLE_SEED, reshuffle_each_iteration=True), test


def _buffer(dataset: Any) -> int:
    """The number of examples that a shuffle keeps, by the size of the first one."""
    first = next(iter(dataset), ())
    example_bytes: int = sum(tensor.numpy().nbytes for tensor in tf.nest.flatten(first))
    return max(min(SHUFFLE_BYTES // max(example_bytes, 1), SHUFFLE_EXAMPLES), 1)
