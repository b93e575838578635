"""Whether a run may skip residual blocks: what its settings, its strategy and its framework allow."""

from __future__ import annotations

from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.formulation.skipping import unskippable
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


def check_skippable(framework: Framework, network: Network, rules: WidthRules) -> None:
    """Refuse rules that ask for skipped blocks where none can be skipped.

    Args:
        framework: The framework of the model.
        network: The network, as `with_skipping` returned it.
        rules: The rules, as `with_skipping` returned them.

    Raises:
        InputError: If no residual block of the network can be skipped.
        UnsupportedError: If the framework cannot remove residual blocks.
    """
    if not rules.skip_blocks:
        return
    skip = argument("skip_blocks", True)
    if not framework.skips_blocks:
        raise UnsupportedError(
            f"framework '{framework.name}' does not remove residual blocks from models", f"leave out {skip}"
        )
    if not network.skippable:
        reasons = (
            f": the one that '{layer}' adds cannot, because {why}" for layer, why in unskippable(network, rules).items()
        )
        raise InputError(
            f"no residual block of network '{network.name}' can be skipped{next(reasons, '')}",
            f"leave out {skip}, or choose another model",
        )
