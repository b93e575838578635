"""How models are read: the handlers of layer types, including those of layer plugins, and the framework's options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reds_core.framework import LayerPlugin
from reds_tensorflow.calls import Handler
from reds_tensorflow.handlers import HANDLERS
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.options import TensorFlowOptions


@dataclass(frozen=True)
class Reading:
    """How models are read.

    Attributes:
        handlers: handlers by layer type.
        options: options of the framework.
        broken: problems of layer plugins, one sentence each, which are reported if a model has an unknown layer.
    """

    handlers: Mapping[type, Handler] = field(default_factory=lambda: HANDLERS)
    options: TensorFlowOptions = field(default_factory=TensorFlowOptions)
    broken: tuple[str, ...] = ()


STOCK = Reading()
"""The reading without layer plugins and with default options."""


def reading_with(plugins: Iterable[LayerPlugin], options: TensorFlowOptions) -> Reading:
    """Return the reading with the handlers of `plugins`, which cannot replace those of this package."""
    handlers = dict(HANDLERS)
    broken: list[str] = []
    for plugin in plugins:
        try:
            added = {kind: replace(handler, plugin=plugin.name) for kind, handler in plugin.handlers().items()}
        except Exception as error:  # third-party code may raise anything
            broken.append(f"layer plugin '{plugin.name}' is broken ({type(error).__name__}: {first_sentence(error)})")
            continue
        for kind, handler in added.items():
            if handlers.setdefault(kind, handler) is not handler:
                broken.append(f"layer plugin '{plugin.name}' has a handler of {kind.__name__}, which has one already")
    return Reading(handlers, options, tuple(broken))
