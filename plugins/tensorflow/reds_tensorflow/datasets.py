"""Data sets that Keras provides by name, and downloads on first use."""

from __future__ import annotations

import keras

from reds_core.errors import InputError
from reds_core.framework import Arrays
from reds_tensorflow.quiet import silenced

NAMES = ("mnist", "fashion_mnist", "cifar10")


def load_dataset(name: str) -> tuple[Arrays, Arrays]:
    """Return training and test data of a named data set, unchecked: uint8 images (N, H, W, C) and integer labels.

    Raises:
        InputError: if the name is unknown or the data cannot be fetched.
    """
    if name not in NAMES:
        known = ", ".join(("digits", *NAMES))
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
