"""What can be decided besides widths: dimensions at sites of a network, their levels, and how levels nest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.system.records import INLINE


class Nesting(Enum):
    """Which levels of one dimension a smaller and a larger member of a family may have.

    `rising`: the level of the smaller member is at most that of the larger one, as for widths. `equal`: all members
    have the same level, as for the precision of weights that members share as integers. `free`: each member has its own
    level, as for the precision of members that are stored in files of their own.
    """

    RISING = "rising"
    EQUAL = "equal"
    FREE = "free"

    def allows(self, smaller: IntArray, larger: IntArray) -> BoolArray:
        """Return where levels of a smaller member go with levels of a larger one; both arrays are broadcast."""
        if self is Nesting.RISING:
            return np.less_equal(smaller, larger)
        if self is Nesting.EQUAL:
            return np.equal(smaller, larger)
        return np.ones(np.broadcast_shapes(smaller.shape, larger.shape), np.bool_)


@dataclass(frozen=True)
class Dimension:
    """Something that can be decided about one part of a network.

    Attributes:
        site: The name of a group or of a layer.
        what: What is decided, such as "width" for groups or "weight_bits" for layers.
    """

    site: str
    what: str


WIDTH = "width"
"""The dimension of a group that is its number of channels."""


@dataclass(frozen=True)
class LevelSettings:
    """Which level was chosen of each dimension besides widths. A part of the network that is not named is untouched.

    Attributes:
        levels: The level of each dimension, as `{site: {what: level}}`.
    """

    levels: Mapping[str, Mapping[str, int]] = field(default_factory=dict, metadata={INLINE: True})

    @classmethod
    def of(cls, chosen: Iterable[tuple[Dimension, int]]) -> LevelSettings:
        """Return the settings with these levels, without widths."""
        levels: dict[str, dict[str, int]] = {}
        for dimension, level in chosen:
            if dimension.what != WIDTH:
                levels.setdefault(dimension.site, {})[dimension.what] = int(level)
        return cls(levels)

    def at(self, site: str, what: str) -> int | None:
        """Return the level of one dimension, or None if it is untouched."""
        return self.levels.get(site, {}).get(what)

    def chosen(self) -> Iterator[tuple[Dimension, int]]:
        """Yield each dimension with its level, which `of` takes."""
        for site, levels in self.levels.items():
            for what, level in levels.items():
                yield Dimension(site, what), level

    def texts(self) -> list[tuple[str, str]]:
        """Return each site with its levels in words, such as `("conv1", "weight_bits 4, rank 8")`."""
        return [
            (site, ", ".join(f"{what} {level}" for what, level in chosen.items()))
            for site, chosen in self.levels.items()
        ]

    def __bool__(self) -> bool:
        return bool(self.levels)


UNTOUCHED = LevelSettings()
"""The settings that leave every layer as it is."""
