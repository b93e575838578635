"""Reads a folder of images, with one subfolder per class, into arrays.

Classes are numbered in the sorted order of their names, as the image loaders of common frameworks do it, so that labels
agree with a model that was trained on the same folder.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnavailableError

LARGEST_OWN_SIZE = 96
"""Height and width in pixels of resized images, if no model says what it takes."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY_MODES = frozenset({"1", "L", "I", "F"})


@dataclass(frozen=True)
class ImageFiles:
    """Image files and the number of the class of each, int64 (N,)."""

    paths: tuple[Path, ...]
    labels: npt.NDArray[np.int64]

    def take(self, indices: npt.NDArray[np.int64]) -> ImageFiles:
        """The files at `indices`."""
        return ImageFiles(tuple(self.paths[i] for i in indices), self.labels[indices])


@dataclass(frozen=True)
class ImageFormat:
    """The format that images are converted to: height and width in pixels, and channels (1 grey, 3 RGB, 4 RGBA)."""

    height: int
    width: int
    channels: int

    @property
    def pixel_bytes(self) -> int:
        """The memory that one image takes, in bytes."""
        return self.height * self.width * self.channels


def _subfolders(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=lambda p: p.name)


def _list_class(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def class_names(folder: Path) -> tuple[str, ...]:
    """The names of the classes of `folder`, in the order of their numbers.

    Raises:
        InputError: If there are fewer than two.
    """
    names = tuple(p.name for p in _subfolders(folder))
    if len(names) < 2:
        raise InputError(
            f"folder '{folder}' holds {len(names)} class folder{'s' if not names else ''}, but at least 2 are needed",
            "give train/CLASS and test/CLASS, or one folder for each CLASS",
        )
    return names


def list_images(folder: Path, names: tuple[str, ...]) -> ImageFiles:
    """List the image files of the classes `names` in `folder`.

    Raises:
        InputError: If a class is unknown or holds no files.
    """
    paths: list[Path] = []
    labels: list[int] = []
    for subfolder in _subfolders(folder):
        if subfolder.name not in names:
            raise InputError(f"folder '{subfolder}' is a class that the training images lack", "remove it or add it")
        files = _list_class(subfolder)
        if not files:
            raise InputError(f"class folder '{subfolder}' holds no images", "add images or remove the folder")
        paths += files
        labels += [names.index(subfolder.name)] * len(files)
    return ImageFiles(tuple(paths), np.asarray(labels, np.int64))


def list_unlabelled(folder: Path) -> ImageFiles:
    """List all files of `folder` and of the folders in it as images of one class.

    Raises:
        InputError: If there are none.
    """
    files = _list_class(folder)
    if not files:
        raise InputError(f"folder '{folder}' holds no images", "add images")
    return ImageFiles(tuple(files), np.zeros(len(files), np.int64))


def _pillow() -> Any:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise UnavailableError(
            "a folder of images needs Pillow, which is not installed", "run: pip install pillow"
        ) from error
    return Image, ImageOps


def choose_format(paths: tuple[Path, ...], input_shape: tuple[int | None, ...] | None) -> ImageFormat:
    """Choose the format that images are converted to.

    This is what the model takes. Without a model it is the size of the images if they all have the same size of at most
    96 x 96 pixels, else 96 x 96, and grey if all images are grey.

    Args:
        paths: The image files.
        input_shape: The input shape of the model without the batch dimension; None without a model.

    Raises:
        InputError: If the model does not take images, or an image cannot be read.
    """
    if input_shape is not None:
        height, width, channels = input_shape if len(input_shape) == 3 else (None, None, None)
        if height is None or width is None or channels not in _MODES:
            shape = " x ".join("?" if n is None else str(n) for n in input_shape)
            raise InputError(
                f"the model's input of shape {shape} is not an image with 1, 3 or 4 channels",
                "give the data as an .npz instead of a folder of images",
            )
        return ImageFormat(height, width, channels)
    headers = _for_each(paths, _read_header)
    sizes = {size for size, _ in headers}
    channels = 1 if all(mode.partition(";")[0] in _GREY_MODES for _, mode in headers) else 3
    if len(sizes) == 1:
        width, height = sizes.pop()
        if max(width, height) <= LARGEST_OWN_SIZE:
            return ImageFormat(height, width, channels)
    return ImageFormat(LARGEST_OWN_SIZE, LARGEST_OWN_SIZE, channels)


def read_images(paths: tuple[Path, ...], format_: ImageFormat) -> npt.NDArray[np.uint8]:
    """Read images as uint8 (N, height, width, channels), turned upright by their EXIF data and resized.

    Raises:
        InputError: If images cannot be read; the message names them.
    """
    images = np.empty((len(paths), format_.height, format_.width, format_.channels), np.uint8)
    place = {path: index for index, path in enumerate(paths)}

    def fill(path: Path) -> bool:
        images[place[path]] = _read_image(path, format_)
        return True

    _for_each(paths, fill)
    return images


def _for_each(paths: tuple[Path, ...], read: Any) -> list[Any]:
    """Call `read` on every path in several threads; Pillow releases the GIL while it decodes."""
    _pillow()

    def attempt(path: Path) -> Any:
        # Pillow raises many errors on damaged files: OSError, SyntaxError, ValueError, DecompressionBombError...
        try:
            return read(path)
        except MemoryError:
            raise
        except Exception:
            return None

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(attempt, paths))
    broken = [path for path, result in zip(paths, found, strict=True) if result is None]
    if broken:
        named = ", ".join(f"'{path}'" for path in broken[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise InputError(f"{named}{more} cannot be read as images", "remove or replace these files")
    return found


def _read_header(path: Path) -> tuple[tuple[int, int], str]:
    image_module, _ = _pillow()
    with image_module.open(path) as image:
        width, height = image.size
        sideways = image.getexif().get(0x0112, 1) >= 5
        return ((height, width) if sideways else (width, height)), image.mode


def _read_image(path: Path, format_: ImageFormat) -> npt.NDArray[np.uint8]:
    image_module, ops = _pillow()
    with image_module.open(path) as opened:
        image = ops.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16 bits a pixel; Pillow would clip at 255 instead of scaling
            image = image_module.fromarray((np.asarray(image, np.float64) / 257).clip(0, 255).astype(np.uint8))
        image = image.convert(_MODES[format_.channels])
        if image.size != (format_.width, format_.height):
            image = image.resize((format_.width, format_.height), image_module.Resampling.BILINEAR)
        pixels = np.asarray(image, np.uint8)
    return pixels.reshape(format_.height, format_.width, format_.channels)
