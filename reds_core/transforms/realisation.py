"""The interface of realisations, which say how the channels that a width leaves stand for all channels of a group.

How many channels each group keeps is decided before, and costs the same however it is realised. Without a realisation,
channels are dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_core.network.description import Network
from reds_core.transforms.compression import Compression
from reds_core.transforms.joining import Joining

DROP, BEST = "drop", "best"
"""The names by which runs drop channels, and by which they choose for each group what loses least."""


@dataclass(frozen=True, eq=False)
class Narrowing:
    """A group that becomes narrower.

    Attributes:
        network: The description of the network.
        weights: Its weights at full width, in the order of `network.weights`.
        group: The name of the group.
        width: The number of channels that it keeps, at least 1 and at most all.
        order: Its channels by importance, the most important first, int64 (channels,). Its first `width` channels are
            those that dropping would keep.
    """

    network: Network
    weights: Sequence[npt.NDArray[Any]]
    group: str
    width: int
    order: IntArray

    @property
    def channels(self) -> int:
        """The number of channels of the group at full width."""
        return self.network.channels[self.group]

    def dropping(self, reason: str = "") -> Joining:
        """Return the joining that drops the least important channels.

        Args:
            reason: Why channels are not merged.
        """
        return Joining.dropping(self.channels, np.asarray(self.order)[: self.width], reason)


class Realisation(Compression, ABC):
    """Base class of plugins that say how the channels that a width leaves stand for all channels of a group.

    An instance holds its options and nothing else. It works on descriptions and NumPy arrays, with any framework.
    Networks that are realised otherwise than by dropping cannot share their weights with larger ones.
    """

    setting = "realise"

    @abstractmethod
    def joined(self, narrowing: Narrowing) -> Joining:
        """Return how the channels of one group are joined.

        The same narrowing has the same joining each time. At full width, no weight changes. Other groups of the network
        may become narrower as well, independently of this one.

        Args:
            narrowing: The group and its width. Where the channels cannot be joined soundly, return
                `narrowing.dropping` with the reason.
        """

    @property
    def needs_data(self) -> bool:
        """Whether the options ask for statistics that are measured on data."""
        return False

    @property
    def measures_statistics(self) -> bool:
        """Whether the batch-norm statistics of the networks are measured again, if there is data. True by default."""
        return True
