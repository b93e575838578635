"""Augmentation of training images by Keras preprocessing layers inside the training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError, argument
from reds_core.framework import Augmentation, Change, columns


class Augmenter:
    """Augments a batch of images (N, H, W, C), given as a tensor.

    Attributes:
        variables: the states of its random generators.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self._layers = layers
        self.variables = [variable for layer in layers for variable in layer.variables]

    def __call__(self, images: Any) -> Any:
        for layer in self._layers:
            images = layer(images, training=True)
        return images


def augmenter(augmentations: tuple[Augmentation, ...], x: Any, seed: int) -> Augmenter | None:
    """Return an augmenter that applies `augmentations` in order; None without augmentations.

    Args:
        augmentations: the changes.
        x: the training images, whose smallest and largest value bound the augmented ones.
        seed: seed of all randomness; no global state is changed.

    Raises:
        InputError: if the examples are not images.
    """
    if not augmentations:
        return None
    check_images(x)
    seeds = np.random.default_rng(seed)
    low, high = float(x.min()), float(x.max())
    return Augmenter([_layer(each, (low, max(high, low + 1e-6)), int(seeds.integers(2**31))) for each in augmentations])


def check_images(x: Any) -> None:
    """Refuse examples that are not images.

    Raises:
        InputError: if `x` is not an array (N, H, W, C).
    """
    inputs = columns(x)
    if len(inputs) != 1:
        raise InputError(
            f"examples of {len(inputs)} inputs cannot be augmented",
            f"leave {argument('augment')} out, or put augmentation layers into the model or the data pipeline",
        )
    shape = inputs[0].shape
    if len(shape) != 4:
        raise InputError(
            f"examples of shape {' x '.join(str(n) for n in shape[1:])} are not images, so they cannot be augmented",
            f"leave {argument('augment')} out, or give images (height, width, channels)",
        )


def _layer(augmentation: Augmentation, value_range: tuple[float, float], seed: int) -> Any:
    layers, strength = keras.layers, augmentation.strength
    # Data is augmented in float32 whatever the global policy.
    common: dict[str, Any] = {"seed": seed, "dtype": "float32"}
    kinds: dict[Change, Callable[[], Any]] = {
        Change.FLIP: lambda: layers.RandomFlip("horizontal", **common),
        Change.FLIP_VERTICAL: lambda: layers.RandomFlip("vertical", **common),
        Change.SHIFT: lambda: layers.RandomTranslation(strength, strength, **common),
        Change.ROTATE: lambda: layers.RandomRotation(strength, **common),
        Change.ZOOM: lambda: layers.RandomZoom(strength, **common),
        Change.BRIGHTNESS: lambda: layers.RandomBrightness(strength, value_range, **common),
        Change.CONTRAST: lambda: layers.RandomContrast(strength, value_range, **common),
        Change.NOISE: lambda: _Noise(strength, value_range, common),
    }
    return kinds[augmentation.change]()


class _Noise:
    """Adds Gaussian noise. Keras's layer allows no standard deviation above 1, too small for pixels up to 255."""

    def __init__(self, strength: float, value_range: tuple[float, float], common: dict[str, Any]) -> None:
        self._unit = keras.layers.GaussianNoise(strength, **common)
        self._width = value_range[1] - value_range[0]
        self.variables = self._unit.variables

    def __call__(self, images: Any, training: bool) -> Any:
        return images + self._width * self._unit(keras.ops.zeros_like(images), training=training)
