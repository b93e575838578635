"""What transforms offer for the layers of a network in a run, given the model and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.formulation.space import DecisionSpace, Refusal, decision_space
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.plugin import guarded
from reds_core.registry import Registry
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import refusal_by
from reds_core.transforms.describing import layer_parts
from reds_core.transforms.transform import Stage, Transform

_KERNEL = Weight("kernel", "layer", WeightKind.KERNEL, (), 0, True)
"""A kernel, by which transforms say whether they change kernels."""


def transforms_of(registry: Registry, settings: RunSettings) -> tuple[Transform, ...]:
    """Create the transforms of a run.

    Raises:
        InputError: If a plugin or an option is unknown, two transforms decide the same, or one that projects whole
            kernels is not the only one that changes them.
        UnavailableError: If a library that a plugin needs is not installed.
    """
    transforms = tuple(registry.create(Transform, name, settings.options) for name in settings.transforms)
    deciding: dict[str, Transform] = {}
    for each in transforms:
        other = deciding.setdefault(each.what, each)
        if other is not each:
            raise InputError(f"transforms '{other.name}' and '{each.name}' both decide {each.what}", "use one of them")
    changing = [each for each in transforms if each.projects(_KERNEL)]
    whole = next((each for each in changing if each.projects_whole), None)
    beside = next((each for each in changing if each is not whole), None)
    if whole is not None and beside is not None:
        raise InputError(
            f"transform '{whole.name}' cannot change kernels that '{beside.name}' changes", "use one of them"
        )
    return transforms


def check_decided_without_data(transforms: Sequence[Transform]) -> None:
    """Refuse transforms whose levels are decided by losses on training data, of which there is none.

    Raises:
        InputError: If there is such a transform.
    """
    deciding = next((each for each in transforms if each.network_level is None), None)
    if deciding is not None:
        raise InputError(
            f"transform '{deciding.name}' is decided by losses on training data",
            f"give {argument('data')}, or leave out {argument('transforms')}",
        )


def levels_to_decide(
    network: Network,
    source: tuple[Framework, Any] | None,
    transforms: Sequence[Transform],
    targets: Sequence[Target],
    recorded: LevelSettings | None = None,
) -> DecisionSpace | None:
    """Return what transforms offer for a network; None without transforms.

    Args:
        network: The description of the network.
        source: The framework and the model that `network` describes. Without it, transforms do not know the weights,
            and every layer can be replaced.
        transforms: The transforms.
        targets: The targets of the files that are written, one of which has to realise a level. Without any, every
            level can be realised.
        recorded: The levels of the layers in a finished run, whose weights `source` has; None in a new run.

    Raises:
        InputError: If a transform sets a level for all layers that no target can realise, or if transforms cannot be
            combined.
    """
    if not transforms:
        return None
    _check_combined(transforms)
    transforms = prepared(network, transforms, source)
    if recorded is not None:
        transforms = _restored(transforms, recorded)
    refusal = refusal_of(network, transforms, targets, source)
    space = decision_space(network, transforms, refusal)
    for transform in transforms:
        _check_network_level(network, transform, refusal)
    return space


def check_choices(space: DecisionSpace | None) -> None:
    """Refuse transforms that decide levels but leave no choice for any layer of a whole network.

    In the part of a network that an early exit needs, there may be nothing to decide.

    Args:
        space: What transforms offer for the whole network; None without transforms.

    Raises:
        InputError: If there is such a transform.
    """
    if space is None:
        return
    for transform in space.deciding:
        if not any(offer.transform is transform for offer in space.offers):
            reason = _reason(space, transform)
            raise InputError(
                f"transform '{transform.name}' has no choice for any layer{': ' + reason if reason else ''}",
                f"give other levels or another {argument('targets')}, or leave out {argument('transforms')}",
            )


def prepared(
    network: Network, transforms: Sequence[Transform], source: tuple[Framework, Any] | None
) -> tuple[Transform, ...]:
    """Return transforms that know the weights of a model.

    Args:
        network: The description of the model.
        transforms: The transforms.
        source: The framework and the model; None returns the transforms as they are.

    Raises:
        PluginFailure: If a transform raises an unexpected exception.
    """
    if source is None or all(type(each).prepared is Transform.prepared for each in transforms):
        return tuple(transforms)
    framework, model = source
    weights, found = framework.weights(model, network), []
    for each in transforms:
        with guarded(each):
            found.append(each.prepared(network, weights))
    return tuple(found)


def _restored(transforms: Sequence[Transform], recorded: LevelSettings) -> tuple[Transform, ...]:
    """Return transforms that set the levels again that a finished run recorded."""
    found = []
    for each in transforms:
        if each.network_level is not None:
            own = {site: levels[each.what] for site, levels in recorded.levels.items() if each.what in levels}
            with guarded(each):
                each = each.restored(own)
        found.append(each)
    return tuple(found)


def _check_combined(transforms: Sequence[Transform]) -> None:
    """Refuse levels that are set layer by layer without a decision if layers are replaced by others, without levels.

    Raises:
        InputError: If there are such transforms.
    """
    replacing = next((each for each in transforms if each.stage is Stage.REWRITE), None)
    setting = next(
        (t for t in transforms if t.network_level is not None and type(t).level_of is not Transform.level_of), None
    )
    if replacing is not None and setting is not None:
        raise InputError(
            f"transform '{setting.name}' sets {setting.what} by the weights of each layer, and transform "
            f"'{replacing.name}' replaces layers by others",
            f"leave out one of them, or let {setting.what} be decided by layer",
        )


def refusal_of(
    network: Network,
    transforms: Sequence[Transform],
    targets: Sequence[Target],
    source: tuple[Framework, Any] | None,
) -> Refusal:
    """Return what says why a layer cannot have a level: because no target realises it, or it cannot be replaced.

    Args:
        network: The description of the network.
        transforms: The transforms that offer the levels.
        targets: The targets, of which one has to realise a level. They are not asked about layers that are replaced,
            since files hold the layers that replace them.
        source: The framework and the model that `network` describes, or None.
    """
    by_targets = refusal_by(targets, network)
    rewriting = {transform.what for transform in transforms if transform.stage is Stage.REWRITE}

    def refusal(site: str, what: str, level: int) -> str | None:
        if what not in rewriting:
            return by_targets(site, what, level)
        return None if source is None else source[0].rewrite_refusal(source[1], network, site)

    return refusal


def _check_network_level(network: Network, transform: Transform, refusal: Refusal) -> None:
    """Refuse a level that a transform sets without a decision, that changes a layer, and that no file can have.

    Raises:
        InputError: If there is such a level.
    """
    parts = layer_parts(network)
    is_everywhere = len({transform.level_of(site) for site in parts}) == 1
    for site, part in parts.items():
        level = transform.level_of(site)
        if level is None or transform.described(part, level) == part:
            continue
        reason = refusal(site, transform.what, level)
        if reason is not None:
            where = "all layers" if is_everywhere else f"layer '{site}'"
            raise InputError(
                f"transform '{transform.name}' sets {transform.what} to {level} in {where}: {reason}",
                f"give another level or another {argument('targets')}, or leave out {argument('transforms')}",
            )


def _reason(space: DecisionSpace, transform: Transform) -> str:
    """Why a transform has no choice: why a level is refused, or else why a layer has no levels; empty if unknown.

    Layers with weights come first, since others rarely have levels.
    """
    own = [each for each in space.not_offered if each.what == transform.what]
    weighted = {layer.name for layer in space.network.layers if layer.weights}
    ordered = sorted(own, key=lambda each: (each.level is None, each.site not in weighted))
    return next((each.reason for each in ordered), "")
