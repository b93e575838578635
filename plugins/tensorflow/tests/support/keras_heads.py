"""A network of two inputs and two outputs, with data for it, and streams of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import keras_reference as reference
import numpy as np
from keras import layers

from reds_core.framework import Arrays, Stream, Task, batches, first_examples

N = 40
CLASSES = 3
TASK = Task(
    {"kind": "sparse_categorical_crossentropy", "place": "mse"},
    {"kind": "accuracy", "place": "mean_absolute_error"},
    {"kind": 1.0, "place": 0.5},
)
"""Classes as logits and two real numbers."""


def two_headed(structure: str = "list") -> Any:
    """A convolution over an image, joined with a vector; its outputs are classes as logits, and two real numbers.

    The inputs are named such that their order is not that of the alphabet.
    """
    image, vector = keras.Input((6, 6, 2), name="zoom"), keras.Input((4,), name="facts")
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Concatenate(name="joined")([x, layers.Dense(4, activation="relu", name="embed")(vector)])
    x = layers.Dense(7, activation="relu", name="hidden")(x)
    kind, place = layers.Dense(CLASSES, name="kind")(x), layers.Dense(2, name="place")(x)
    given = example_arrays()
    if structure == "dict":
        model = keras.Model({"zoom": image, "facts": vector}, {"place": place, "kind": kind}, name="two_headed")
        return reference.enliven(model, {name: given[name] for name in ("zoom", "facts")})
    model = keras.Model([image, vector], [kind, place], name="two_headed")
    return reference.enliven(model, given["zoom"], given["facts"])


def example_arrays() -> dict[str, Any]:
    """The arrays for each input and output by name, drawn anew from a seed."""
    rng = np.random.default_rng(3)
    return {
        "zoom": rng.normal(size=(N, 6, 6, 2)).astype(np.float32),
        "facts": rng.normal(size=(N, 4)).astype(np.float32),
        "kind": rng.integers(0, CLASSES, N),
        "place": rng.normal(size=(N, 2)).astype(np.float32),
        "weights": rng.uniform(0.2, 2, N).astype(np.float32),
    }


def two_headed_data(weighted: bool = False) -> Arrays:
    """The data in the order of the model that takes lists."""
    given = example_arrays()
    return Arrays(
        (given["zoom"], given["facts"]), (given["kind"], given["place"]), given["weights"] if weighted else None
    )


class ArrayStream(Stream):
    """A stream over arrays in batches of one size."""

    def __init__(self, data: Arrays, batch_size: int) -> None:
        self._data, self._size = data, batch_size

    @property
    def batches_per_pass(self) -> int:
        return len(batches(len(self._data), self._size))

    def batches(self) -> Iterator[Arrays]:
        return (self._data.take(part) for part in batches(len(self._data), self._size))

    def survey(self) -> Iterator[Arrays]:
        return self.batches()

    def rewind(self, passes: int) -> None:
        pass

    def sample(self, count: int) -> Arrays:
        return first_examples(self.batches(), count)
