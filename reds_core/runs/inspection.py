"""The layers, channel groups and costs of a network, as `reds inspect` shows them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from os import PathLike
from typing import Any

from reds_core.cost import counting, resources
from reds_core.cost.energy_models import EnergySource
from reds_core.errors import UnsupportedError, argument
from reds_core.formulation.space import DecisionSpace, decision_space
from reds_core.framework.framework import Framework
from reds_core.network.branches import residual_branches
from reds_core.network.description import Layer, Network
from reds_core.plan import GroupRecord
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.forms import Imports
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inspection_records import BlockRecord, Inspection, LayerRecord, LevelsRecord, NotOfferedRecord
from reds_core.runs.offered_levels import prepared, refusal_of, transforms_of
from reds_core.runs.options import changed, given_options
from reds_core.runs.participants import FRAMEWORKS, check_options, level_participants
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import run_targets
from reds_core.system.files import given_path
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher


def refuse_unprunable(network: Network) -> None:
    """Refuse a network a part of which cannot be pruned.

    Raises:
        UnsupportedError: If the network has warnings; the message contains the first.
    """
    if network.warnings:
        more = f", and {len(network.warnings) - 1} more" if len(network.warnings) > 1 else ""
        raise UnsupportedError(f"{network.warnings[0]}{more}", f"replace the layer, or leave out {argument('strict')}")


def frozen_share(network: Network) -> float:
    """The share of the parameters, 0 to 1, that fine-tuning does not change because their layers are frozen."""
    channels = network.channels
    sizes = [(w, math.prod(a.full(channels) for a in w.axes)) for w in network.weights if w.has_gradient]
    return sum(n for w, n in sizes if not w.trainable) / max(sum(n for _, n in sizes), 1)


def frozen_warning(network: Network) -> str | None:
    """A warning that some parameters are not fine-tuned; None if nothing that can be pruned is frozen."""
    if not any(w.has_gradient and not w.trainable and any(a.groups() for a in w.axes) for w in network.weights):
        return None
    return (
        f"{frozen_share(network):.0%} of the parameters are frozen: they are pruned, but not fine-tuned, so that the "
        "subnetworks recover less; set `trainable = True` on their layers to fine-tune them, or leave them whole with "
        f"{argument('keep')}"
    )


def describe(
    network: Network,
    element_size_bytes: int = counting.DEFAULT_ELEMENT_SIZE_BYTES,
    energy: EnergySource | None = None,
) -> Inspection:
    """Describe the groups, layers and costs of a network at full width, with the energy if it follows from the MACs."""
    costs = resources.CostModel(element_size_bytes, energy=energy)
    forms = resources.resource_forms(network, costs.resources, costs)
    adding = [name for name, form in forms.items() if isinstance(form, counting.SumForm)]
    seen: set[int] = set()
    layers = []
    for layer in network.layers:
        own = [w for w in layer.weights if w not in seen]
        seen.update(own)
        used = {r: costs.form(_alone(network, layer, own), r).at(network.channels) for r in adding}
        layers.append(LayerRecord(layer.name, layer.kind, layer.output_shape, used))
    groups = tuple(GroupRecord(g.name, g.channels, g.layers) for g in network.groups)
    used = {name: form.at(network.channels) for name, form in forms.items()}
    return Inspection(groups, tuple(layers), used, energy_source=energy, blocks=describe_blocks(network) or None)


def describe_blocks(network: Network) -> tuple[BlockRecord, ...]:
    """Describe the residual blocks of a network that have channels of their own, in execution order."""
    found, names = residual_branches(network), [layer.name for layer in network.layers]
    blocks = [
        (branch.sum, BlockRecord(names[branch.sum], (group,), tuple(names[call] for call in sorted(branch.calls))))
        for group, branch in found.found.items()
    ]
    blocks += [(names.index(each.sum), BlockRecord(each.sum, each.groups, (), each.reason)) for each in found.whole]
    return tuple(block for _, block in sorted(blocks, key=lambda block: block[0]))


def _alone(network: Network, layer: Layer, weights: list[int]) -> Network:
    """A network that consists of one call of a layer and the weights that are counted there."""
    call = dataclasses.replace(layer, weights=tuple(range(len(weights))))
    return dataclasses.replace(network, layers=(call,), weights=tuple(network.weights[w] for w in weights))


def describe_levels(space: DecisionSpace) -> tuple[LevelsRecord, ...]:
    """Describe what can be decided about each layer, and what cannot and why, in the order of the layers."""
    not_offered: dict[tuple[str, str], list[NotOfferedRecord]] = {}
    for each in space.not_offered:
        not_offered.setdefault((each.site, each.what), []).append(NotOfferedRecord(each.level, each.reason))
    offered = {(offer.site, offer.what): tuple(int(level) for level in offer.levels) for offer in space.offers}
    order = {layer.name: place for place, layer in reversed(list(enumerate(space.network.layers)))}
    return tuple(
        LevelsRecord(
            site,
            what,
            offered.get((site, what), ()),
            space.homes.get(site) if (site, what) in offered else None,
            tuple(not_offered.get((site, what), ())),
        )
        for site, what in sorted({*offered, *not_offered}, key=lambda place: (order[place[0]], place[1]))
    )


def load_for_inspection(
    model: Any,
    registry: Registry | None = None,
    *,
    options: PluginOptions | None = None,
    imports: Imports = (),
    strict: bool = False,
    watcher: Watcher | None = None,
) -> tuple[Framework, Any, Network]:
    """Read a model and return its framework, the model object and its description.

    Args:
        model: The path of a model file, or a model object.
        registry: The plugins to choose from. By default they are all that are installed.
        options: Options of plugins, including those of the framework.
        imports: Python files and names of modules that define custom layers, imported before a model file is read.
        strict: Whether to fail if a part of the model cannot be pruned. Otherwise the watcher gets a warning.

    Raises:
        InputError, UnsupportedError, UnavailableError: If the model cannot be read or understood.
    """
    registry = given_registry(registry)
    if isinstance(model, str | PathLike):
        framework = registry.default_framework(options, import_names(imports))
        loaded = framework.load_model(given_path(model, "model"))
    else:
        framework, loaded = registry.framework_of(model, options, import_names(imports)), model
    network = framework.inspect(loaded)
    if strict:
        refuse_unprunable(network)
    for warning in network.warnings:
        (watcher or Watcher()).warn(warning)
    return framework, loaded, network


def inspect(
    model: Any,
    *,
    element_size: int = counting.DEFAULT_ELEMENT_SIZE_BYTES,
    energy_model: str | None = None,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    strict: bool = False,
    transforms: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> Inspection:
    """Describe a network: its channel groups, its layers, and what it costs at full width.

    This is what `reds inspect` does. Nothing is trained or written.

    Args:
        model: The path of a model file, or a model object of an installed framework.
        element_size: How many bytes a weight or an activation takes on the device: 1 (int8) or 4 (float32).
        energy_model: The model of a board by which energy is counted, such as `"board-model:nucleo-l4r5zi"`. None means
            that it is not.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        strict: Whether to fail if a part of the model cannot be pruned. Otherwise the watcher gets a warning.
        transforms: One or several transform plugins, whose levels are listed for each layer.
        targets: One or several target plugins, of which one has to realise a level for it to be offered.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: warnings.

    Returns:
        An `Inspection` with the attributes `groups`, `layers` and `usage`, a mapping with the `macs`
        (multiply-accumulates of one inference), `params` (bytes of all weights) and `peak_ram` (bytes of live
        activations). With transforms it also has `levels`: the levels that can be chosen for each layer, and why others
        cannot. If the network has residual blocks, `blocks` says which of them can be skipped. With an energy model,
        `usage` has the energy in picojoules, and `energy_source` says where it comes from.
        `print` shows it as tables.

    Raises:
        InputError: If the file is missing or damaged, or an argument is invalid.
        UnsupportedError: If a part of the model cannot be loaded or, with `strict`, cannot be pruned.
        UnavailableError: If the framework is not installed.

    Example:
        >>> found = reds_core.inspect("model.keras")
        >>> print(found)
        >>> found.usage["macs"], [group.channels for group in found.groups]
    """
    counting.check_element_size(element_size)
    registry = given_registry(registry)
    options = with_input_shape(options, input_shape, model, registry)
    given = {"transforms": transforms, "targets": targets, "element_size": element_size, "energy_model": energy_model}
    settings = changed(RunSettings(), given)
    settings = dataclasses.replace(settings, options=given_options(options))
    settings.check_transforms(writes_files=False)
    check_options(registry, settings.options, (FRAMEWORKS, *level_participants(settings)))
    made = transforms_of(registry, settings)
    with following(verbose, watcher) as followed:
        framework, loaded, network = load_for_inspection(
            model, registry, options=options, imports=imports, strict=strict, watcher=followed
        )
        space = None
        if made:
            source, devices = (framework, loaded), run_targets(registry, framework, settings).targets
            made = prepared(network, made, source)
            space = decision_space(network, made, refusal_of(network, made, devices, source))
        for warning in () if space is None else space.warnings:
            followed.warn(warning)
    described = describe(network, element_size, settings.costs(network, None).energy)
    return described if space is None else dataclasses.replace(described, levels=describe_levels(space))
