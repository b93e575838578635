"""Changes of training images, as users name them: NAME or NAME=STRENGTH."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from reds_core.errors import InputError


class Change(Enum):
    """A random change of an image that leaves its class as it is."""

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
"""The default of each change that has a strength."""


@dataclass(frozen=True)
class Augmentation:
    """One change and how far it goes.

    Attributes:
        strength: the most, as a share: of the sides for shift and zoom, of a whole turn for rotate, of the range of the
            values for brightness and noise (there the standard deviation), of the contrast; 0 for flips.
    """

    change: Change
    strength: float = 0.0


def augmentations(texts: Iterable[str]) -> tuple[Augmentation, ...]:
    """Augmentations from texts such as "flip" and "shift=0.1".

    Raises:
        InputError: if one is unknown or given twice, or its strength is no share.
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
