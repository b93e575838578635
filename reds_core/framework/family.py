"""Families of nested networks, which share one set of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.transforms.joining import RealisedGroup

T = TypeVar("T")


@dataclass(frozen=True)
class Family(Generic[T]):
    """One full-width network and its nested members, which share one set of weights.

    Channels are ordered so that each member's channels are a prefix of every group.

    Attributes:
        full: the model at full width, with the most important channels first.
        members: the members' models, smallest first. Each has its own batch-norm statistics.
        widths: the width of each group, for each member.
        settings: the levels of layers besides widths, for each member; empty if no transforms take part.
        full_settings: those of the full network if it is a member that is trained by itself; None if it is no member.
            A member may compute with projected weights even if its levels are empty, as all of them may be fixed.
        full_exit: the early exit at which such a member ends; None for the last output.
        realised: how the width of each group was realised, for each member; empty if all of them drop channels. Members
            with merged channels share no weights with the full network.
    """

    full: T
    members: tuple[T, ...]
    widths: tuple[Mapping[str, int], ...]
    settings: tuple[LevelSettings, ...] = ()
    full_settings: LevelSettings | None = None
    full_exit: str | None = None
    realised: tuple[Mapping[str, RealisedGroup], ...] = ()

    def settings_of(self, member: int) -> LevelSettings:
        """Return the levels of the layers of a member besides widths."""
        return self.settings[member] if self.settings else UNTOUCHED


def member_kept(widths: Mapping[str, int]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the channels of the full network that a member of a family keeps: the first `widths[g]` of group g."""
    return {group: np.arange(width, dtype=np.int64) for group, width in widths.items()}
