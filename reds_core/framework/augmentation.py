"""Augmentations of training images, which users write as NAME or NAME=STRENGTH."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from reds_core.errors import InputError


class Change(Enum):
    """A kind of random change of an image that does not change its class."""

    FLIP = "flip"
    FLIP_VERTICAL = "flip-vertical"
    SHIFT = "shift"
    ROTATE = "rotate"
    ZOOM = "zoom"
    BRIGHTNESS = "brightness"
    CONTRAST = "contrast"
    NOISE = "noise"


_STRENGTHS = {
    Change.SHIFT: 0.1,
    Change.ROTATE: 0.05,
    Change.ZOOM: 0.1,
    Change.BRIGHTNESS: 0.1,
    Change.CONTRAST: 0.2,
    Change.NOISE: 0.05,
}
"""The default strength of each change that has one."""


@dataclass(frozen=True)
class Augmentation:
    """A change with its strength.

    Attributes:
        change: the kind of change.
        strength: the maximum of the change, as a share of the side lengths for shift and zoom, of a full turn for
            rotate, of the range of values for brightness, and of the contrast. For noise it is the standard deviation,
            as a share of the range of values. 0 for flips.
    """

    change: Change
    strength: float = 0.0


def augmentations(texts: Iterable[str]) -> tuple[Augmentation, ...]:
    """Parse augmentations such as "flip" and "shift=0.1".

    Raises:
        InputError: if one is unknown or given twice, or its strength is not above 0 and at most 1.
    """
    parsed = tuple(_augmentation(text.strip()) for text in texts)
    for augmentation in parsed:
        if [a.change for a in parsed].count(augmentation.change) > 1:
            raise InputError(f"augmentation '{augmentation.change.value}' is given twice", "give it once")
    return parsed


def _augmentation(text: str) -> Augmentation:
    name, equals, figure = text.partition("=")
    names = [c.value for c in Change]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise InputError(f"augmentation '{name}' is unknown", f"give {near[0] if near else ', '.join(names)}")
    change = Change(name)
    if not equals:
        return Augmentation(change, _STRENGTHS.get(change, 0.0))
    if change not in _STRENGTHS:
        raise InputError(f"augmentation '{name}' has no strength", f"give '{name}' alone")
    try:
        strength = float(figure)
    except ValueError:
        strength = 0.0
    if not 0 < strength <= 1:
        raise InputError(
            f"augmentation '{text}' has no strength above 0 and at most 1", f"give {name}={_STRENGTHS[change]}"
        )
    return Augmentation(change, strength)
