"""Whether a run may skip residual blocks: what its settings, its strategy and its framework allow."""

from __future__ import annotations

from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.formulation.skipping import with_skipping
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runs.settings import RunSettings
from reds_core.transforms.realisation import DROP


def check_skipping(settings: RunSettings) -> None:
    """Refuse settings that cannot be combined with skipped blocks.

    Raises:
        InputError: If there is such a setting.
    """
    if not settings.widths.skip_blocks:
        return
    skip = argument("skip_blocks", True)
    if settings.latency_table is not None:
        raise InputError(
            f"a latency table does not know what a network without a residual block takes, which {skip} asks for",
            f"leave out {argument('latency_table')} or {skip}",
        )
    if settings.realise != DROP:
        raise InputError(
            f"channels cannot be merged where a group keeps none, which {skip} asks for",
            f"leave out {argument('realise')} or {skip}",
        )
    if settings.transforms:
        raise InputError(
            f"transforms decide levels of layers that {skip} may remove",
            f"leave out {argument('transforms')} or {skip}",
        )


def check_strategy(registry: Registry, settings: RunSettings, pruner: Pruner) -> None:
    """Refuse a strategy that cannot skip residual blocks if the settings ask for it.

    Raises:
        UnsupportedError: If it cannot.
    """
    if settings.widths.skip_blocks and not pruner.skips_blocks:
        able = sorted(name for name, each in registry.available(Pruner).items() if each.skips_blocks)
        raise UnsupportedError(
            f"pruner '{pruner.name}' cannot skip residual blocks",
            f"give {argument('pruner')} {' or '.join(able)}" if able else f"leave out {argument('skip_blocks', True)}",
        )


def skippable(framework: Framework, network: Network, rules: WidthRules) -> tuple[Network, WidthRules]:
    """Return a network and its rules for widths, in which residual blocks may be skipped if the rules ask for it.

    Raises:
        InputError: If they ask for it and no residual block can be skipped.
        UnsupportedError: If the framework cannot remove residual blocks.
    """
    if rules.skip_blocks and not framework.skips_blocks:
        raise UnsupportedError(
            f"framework '{framework.name}' does not remove residual blocks from models",
            f"leave out {argument('skip_blocks', True)}",
        )
    return with_skipping(network, rules)
