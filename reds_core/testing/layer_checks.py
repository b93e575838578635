"""Checks of plugins that add support for layers.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import inspect

from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.testing.model_checks import GROUND, OF_MODELS, describes_every_weight, offers_samples_that_can_tell
from reds_core.testing.model_subject import ModelSubject
from reds_core.testing.plugin_checks import check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure
from reds_core.testing.runner import Check

LayerSubject = ModelSubject[LayerPlugin]


def declares_what_it_is(subject: LayerSubject) -> None:
    """Discovery relies on these declarations to pass the plugin to the framework that it names."""
    check_declaration(subject.plugin)
    if subject.plugin.framework != subject.framework.name:
        raise Failure(f"names framework {subject.plugin.framework!r}, but is checked with '{subject.framework.name}'")


def names_layer_types(subject: LayerSubject) -> None:
    """A framework finds a handler by the type of a layer, so every object of the plugin must handle the same types."""
    subject.framework.samples()  # loads the framework's libraries, whose messages the framework suppresses
    handlers = subject.plugin.handlers()
    if not handlers or not all(inspect.isclass(kind) for kind in handlers):
        raise Failure(f"handlers() has keys {list(handlers)!r}, not the types of layers")
    if set(subject.make().handlers()) != set(handlers):
        raise Failure("a new object has handlers for other layers")


def samples_hold_every_layer(subject: LayerSubject) -> None:
    """A handler is only tested if some sample has a layer of its type next to channels that can be pruned."""
    beside: dict[str, bool] = {}
    for trial in subject.trials:
        network = trial.network
        for layer in network.layers:
            axes = [network.tensors[t].axis for t in (*layer.inputs, *layer.outputs)]
            beside[layer.kind] = beside.get(layer.kind, False) or any(axis.groups() for axis in axes)
    for kind in subject.plugin.handlers():
        if kind.__name__ not in beside:
            raise Failure(f"no sample has a layer of type {kind.__name__}")
        if not beside[kind.__name__]:
            raise Failure(f"the channels around {kind.__name__} cannot be pruned in any sample")


_NAMED = "names_layer_types"
LAYER_CHECKS: tuple[Check[LayerSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(names_layer_types, ("declares_what_it_is",)),
    Check(offers_samples_that_can_tell, (_NAMED,)),
    Check(describes_every_weight, (_NAMED, "offers_samples_that_can_tell")),
    Check(samples_hold_every_layer, (_NAMED, *GROUND)),
    *(Check(check.run, (_NAMED, *check.after)) for check in OF_MODELS),
)
"""Every check of a plugin of layers, in the order of the report."""
