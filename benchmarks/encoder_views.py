"""Two random views of each image, and the loss by which SimCLR compares them (Chen et al., arXiv 2002.05709)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TEMPERATURE = 0.5
SMALLEST_AREA = 0.2
"""The least share of an image that a crop has."""
JITTER = 0.4
"""The most by which brightness, contrast and saturation are changed, as a share of themselves."""
JITTERED, GREY = 0.8, 0.2
"""The shares of the views whose colours are changed, and that lose theirs."""
GREYS = (0.299, 0.587, 0.114)
SHIFT_PIXELS = 4


def view(images: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A random view of each image: a resized crop, mirrored in half of the cases, with other colours.

    Args:
        images: Values from 0 to 255, (N, height, width, 3).
        generator: The only source of randomness.
    """
    import tensorflow as tf

    count, height, width, _ = images.shape
    boxes = _boxes(count, generator)
    values = tf.image.crop_and_resize(
        tf.cast(images, tf.float32), boxes.astype(np.float32), np.arange(count, dtype=np.int32), (height, width)
    ).numpy()
    brightness, contrast, saturation = generator.uniform(1 - JITTER, 1 + JITTER, (3, count, 1, 1, 1)).astype(np.float32)
    plain = generator.random((count, 1, 1, 1)) >= JITTERED
    brightness, contrast, saturation = (np.where(plain, 1.0, f) for f in (brightness, contrast, saturation))
    saturation = np.where(generator.random((count, 1, 1, 1)) < GREY, 0.0, saturation)
    values *= brightness
    mean = values.mean(axis=(1, 2, 3), keepdims=True)
    values = (values - mean) * contrast + mean
    grey = values @ np.asarray(GREYS, np.float32)
    values = (values - grey[..., None]) * saturation + grey[..., None]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _boxes(count: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Random crops (y1, x1, y2, x2) as shares of the sides, of which those that are mirrored have x1 above x2."""
    area = generator.uniform(SMALLEST_AREA, 1.0, count)
    ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3), count))
    high, wide = np.minimum(np.sqrt(area / ratio), 1.0), np.minimum(np.sqrt(area * ratio), 1.0)
    top, left = generator.random(count) * (1 - high), generator.random(count) * (1 - wide)
    is_mirrored = generator.random(count) < 0.5
    first, last = np.where(is_mirrored, left + wide, left), np.where(is_mirrored, left, left + wide)
    return np.stack([top, first, top + high, last], axis=1)


def paired(images: npt.NDArray[np.uint8], batch: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Batches of views, one after the other: each is one view of `batch` images and then another one of the same.

    Args:
        images: The images (N, height, width, 3) in the order of the epoch. Those beyond the last whole batch are left
            out.
        batch: The number of images in a batch.
        generator: The only source of randomness.
    """
    count = len(images) // batch * batch
    parts = [images[start : start + batch] for start in range(0, count, batch)]
    return np.concatenate([view(part, generator) for part in parts for _ in range(2)])


def nt_xent(_: Any, projections: Any) -> Any:
    """The normalised temperature-scaled cross entropy of a batch whose second half are views of the first.

    Args:
        _: Labels, which there are none of.
        projections: The outputs of the projection head, (2 x batch, values).

    Returns:
        The loss of each view: how badly its partner is told from all other views.
    """
    import tensorflow as tf

    vectors = tf.math.l2_normalize(tf.cast(projections, tf.float32), axis=1)
    count = tf.shape(vectors)[0]
    similarities = tf.matmul(vectors, vectors, transpose_b=True) / TEMPERATURE
    similarities = tf.linalg.set_diag(similarities, tf.fill([count], -1e9))
    partner = (tf.range(count) + count // 2) % count
    return tf.nn.sparse_softmax_cross_entropy_with_logits(partner, similarities)


def shifted(images: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Shift each image by up to 4 pixels along each axis, filled up with 0, and mirror every other one."""
    from mobilenetv2_base import augmented

    return augmented(images, generator).astype(np.uint8)
