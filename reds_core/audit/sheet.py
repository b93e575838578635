"""Pictures of exemplars, where examples are images: one PNG file for each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.audit.records import AuditRecord, Exemplar
from reds_core.report import units
from reds_core.system.files import make_folder, write_bytes

PICTURES_FOLDER = "exemplars"
MOST_PICTURES = 48
"""The most exemplars that a page shows as pictures."""
_LEAST_SIDE, _MOST_SIDE = 6, 1024
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class ExemplarPicture:
    """A picture of an exemplar.

    Attributes:
        source: the PNG as the address of an element, which fetches nothing.
        title: its place in the test data.
        words: its true class, and what networks say before and after.
        text: the same in a sentence, for those who do not see it.
    """

    source: str
    title: str
    words: str
    text: str


def shown_exemplars(audit: AuditRecord) -> tuple[Exemplar, ...]:
    """Return the exemplars to be shown, each test example once: those that flip in the most networks first."""
    first: dict[int, Exemplar] = {}
    for each in sorted(audit.exemplars, key=lambda each: (-each.flips, each.index)):
        first.setdefault(each.index, each)
    return tuple(first.values())[:MOST_PICTURES]


def are_images(x: Any) -> bool:
    """Whether examples are grey or coloured images, (N, height, width, 1 or 3)."""
    if not isinstance(x, np.ndarray) or x.ndim != 4 or x.shape[3] not in _CHANNELS:
        return False
    return all(_LEAST_SIDE <= side <= _MOST_SIDE for side in x.shape[1:3])


def save_pictures(images: npt.NDArray[Any], indices: Sequence[int], folder: Path) -> None:
    """Write FOLDER/exemplars/INDEX.png for each image, and remove those of an earlier audit.

    Numbers are scaled so that the least of all images is black and the greatest white, unless they are bytes.

    Args:
        images: the examples, (N, height, width, 1 or 3).
        indices: the place of each in the test data.
        folder: the folder of the audit.

    Raises:
        ImportError: if Pillow is not installed.
        InputError: if a file cannot be written.
    """
    from PIL import Image

    place = folder / PICTURES_FOLDER
    remove_pictures(folder)
    if not len(images):
        return
    make_folder(place)
    for index, pixels in zip(indices, _as_bytes(images), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format="PNG")
        write_bytes(place / f"{index}.png", buffer.getvalue())


def remove_pictures(folder: Path) -> None:
    """Remove the pictures of an earlier audit."""
    for old in (folder / PICTURES_FOLDER).glob("*.png"):
        old.unlink()


def _as_bytes(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    floats = images.astype(np.float64)
    low, high = float(floats.min()), float(floats.max())
    if low >= 0 and high <= 255 and high > 1 and np.array_equal(floats, np.rint(floats)) and high > 127:
        return floats.astype(np.uint8)
    return np.rint(255 * (floats - low) / ((high - low) or 1)).astype(np.uint8)


def tiles(audit: AuditRecord, folder: Path) -> tuple[ExemplarPicture, ...]:
    """Return the pictures of exemplars that are in the folder of an audit."""
    names = [units.printable(each.name) for each in audit.classes]
    found = []
    for each in shown_exemplars(audit):
        path = folder / PICTURES_FOLDER / f"{each.index}.png"
        if not path.is_file():
            continue
        source = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
        label, before, after = names[each.label], names[each.modal_before], names[each.modal_after]
        words = f"{label}: {before} → {after}"
        text = f"Test example {each.index} of class {label}, taken for {before}, and after compression for {after}"
        found.append(ExemplarPicture(source, f"#{each.index}", words, text))
    return tuple(found)
