"""The layer-plugin boundary: how a package teaches a framework its own layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reds_core.framework.sample import SampleModel
from reds_core.plugin import Plugin


class LayerPlugin(Plugin, ABC):
    """Base class of layer plugins.

    Attributes:
        framework: name of the framework plugin whose layers these are.
    """

    kind = "layers"
    declares = ("framework",)
    framework: ClassVar[str]

    @abstractmethod
    def handlers(self) -> Mapping[type, Any]:
        """Layer types and how each is treated, in the framework's own terms.

        Called when the framework first reads a model. May import the libraries behind the layers, and should: classes
        that are registered for loading by then are found in model files.
        """

    def samples(self) -> Sequence[SampleModel]:
        """Small models of the framework that hold these layers, on which `reds check` tries them. None by default.

        Checking is impossible without them. Each layer type of `handlers` should stand between layers that the
        framework knows, in at least one of the models.
        """
        return ()
