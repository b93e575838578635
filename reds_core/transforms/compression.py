"""The base class of all plugins of the kind "transform"."""

from __future__ import annotations

from typing import ClassVar

from reds_core.plugin import Plugin


class Compression(Plugin):
    """Base class of plugins that say what becomes of a layer or of its channels when a network gets smaller.

    A `Transform` offers levels of layers, between which a run decides. A `Realisation` says how the channels that a
    width leaves stand for all channels, which leaves nothing to decide.

    Attributes:
        setting: The setting of a run that names plugins of this sort.
    """

    kind = "transform"
    setting: ClassVar[str]
