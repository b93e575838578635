"""The interface of layer plugins, by which packages add support for their own layers to a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reds_core.framework.sample import SampleModel
from reds_core.plugin import Plugin


class LayerPlugin(Plugin, ABC):
    """Base class of layer plugins.

    Attributes:
        framework: name of the framework plugin that the layers belong to.
    """

    kind = "layers"
    declares = ("framework",)
    framework: ClassVar[str]

    @abstractmethod
    def handlers(self) -> Mapping[type, Any]:
        """Return the handlers of layer types, in a form that the framework defines.

        It is called when the framework first reads a model. It should import the libraries of the layers, so that
        classes are registered before model files are loaded.
        """

    def samples(self) -> Sequence[SampleModel]:
        """Return small models of the framework with these layers, for `reds check`. Empty by default.

        `reds check` needs at least one. Each layer type in `handlers` should occur between layers that the framework
        knows, in at least one of the models.
        """
        return ()
