"""A folder of images that is read from disk in each pass, for images that do not fit into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt

from reds_core.framework.data import SAMPLE_BYTES, SAMPLE_EXAMPLES, Arrays, Stream, batches
from reds_core.runs.image_folder import ImageFiles, ImageFormat, read_images
from reds_core.runs.splitting import stratified_split

_SAMPLE, _PASS = 0, 1
"""Purposes of random numbers, which keep those of the sample and of the passes apart."""


class ImageStream(Stream):
    """Images in batches, of which two are in memory at a time: one is read while the other is used."""

    def __init__(
        self, images: ImageFiles, format_: ImageFormat, batch_size: int, seed: int, is_shuffled: bool = False
    ) -> None:
        """Create the stream. Nothing is read yet.

        Args:
            images: The files and their labels.
            format_: The format that images are converted to.
            batch_size: The number of images in a batch.
            seed: The seed of the sample, and of the order of each pass.
            is_shuffled: Whether each pass has an order of its own; otherwise it is that of the files.
        """
        self._images, self._format, self._batch_size = images, format_, batch_size
        self._seed, self._is_shuffled = seed, is_shuffled
        self._next = 0

    def split(self, fraction: float, seed: int) -> tuple[ImageStream, ImageStream]:
        """The stream without a part, and a stream of that part in the order of the files. The split is stratified."""
        rest, held = stratified_split(self._images.labels, fraction, seed)
        how = (self._format, self._batch_size, self._seed)
        return (
            ImageStream(self._images.take(rest), *how, is_shuffled=self._is_shuffled),
            ImageStream(self._images.take(held), *how),
        )

    @property
    def batches_per_pass(self) -> int:
        return len(batches(len(self._images.paths), self._batch_size))

    @cached_property
    def digest(self) -> str:
        """The digest of the format, and of the names, sizes and labels of the files."""
        digest = hashlib.sha256(repr((self._format, self._images.labels.tolist())).encode())
        for path in self._images.paths:
            digest.update(f"{path.parent.name}/{path.name} {path.stat().st_size}".encode())
        return digest.hexdigest()

    def batches(self) -> Iterator[Arrays]:
        index, self._next = self._next, self._next + 1
        return self._read(self._order(_PASS, index) if self._is_shuffled else np.arange(len(self._images.paths)))

    def rewind(self, passes: int) -> None:
        self._next = passes

    def survey(self) -> Iterator[Arrays]:
        return self._read(np.arange(len(self._images.paths)))

    def sample(self, count: int) -> Arrays:
        return self._sample.take(slice(count))

    @cached_property
    def _sample(self) -> Arrays:
        """Images drawn at random, since those of a class are beside each other."""
        count = min(SAMPLE_EXAMPLES, max(SAMPLE_BYTES // self._format.pixel_bytes, 1))
        return self._take(self._order(_SAMPLE, 0)[:count])

    def _order(self, purpose: int, index: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng((self._seed, purpose, index)).permutation(len(self._images.paths))

    def _read(self, order: npt.NDArray[np.int64]) -> Iterator[Arrays]:
        parts = [order[part] for part in batches(len(order), self._batch_size)]
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(self._take, parts[0])
            for part in parts[1:]:
                read, reading = reading, reader.submit(self._take, part)
                yield read.result()
            yield reading.result()

    def _take(self, indices: npt.NDArray[np.int64]) -> Arrays:
        images = self._images.take(indices)
        return Arrays(read_images(images.paths, self._format), images.labels)
