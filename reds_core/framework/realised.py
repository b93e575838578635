"""Models in which the channels that groups keep stand for all their channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reds_core.errors import ContractViolation
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.transforms.joining import Joining, joined_weights


def realised(framework: Framework, model: Any, network: Network, joinings: Mapping[str, Joining]) -> Any:
    """Return a new plain model in which groups have the channels of their joinings. `model` itself does not change.

    Args:
        framework: The framework of the model.
        model: The model at full width.
        network: Its description.
        joinings: The joining of each group. Groups that are not named keep all their channels as they are.

    Raises:
        ContractViolation: If the smaller model has other weights than the model.
    """
    smaller = framework.extract(model, network, {group: joining.kept for group, joining in joinings.items()})
    described = framework.inspect(smaller)
    if [weight.name for weight in described.weights] != [weight.name for weight in network.weights]:
        raise ContractViolation(
            f"framework '{framework.name}' extracted a model with other weights than the model has",
            "report it to its author",
        )
    framework.assign(smaller, described, joined_weights(network, framework.weights(model, network), joinings))
    return smaller
