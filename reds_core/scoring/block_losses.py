"""How much the loss rises if a single residual block is skipped, before training, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from reds_core.errors import InputError
from reds_core.framework.framework import WeightArrays
from reds_core.network.branches import ResidualBranch, skippable_branches, vanishes
from reds_core.network.description import Network
from reds_core.scoring.exchange_rate import value_unit
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreTable


def skipping_losses(measuring: LossMeasurement, network: Network) -> dict[str, float]:
    """Measure how much the loss rises if one residual block is skipped, with recalibrated batch norms.

    A block is skipped by weights that are zero where they read channels of its group, and its batch norms are measured
    anew, after which it adds nothing but their offsets.

    Args:
        measuring: The model, the data, and how losses are measured.
        network: The description of the model with the groups of these blocks in `skippable`.

    Returns:
        The rise of the loss by the name of the group, at least 0.

    Raises:
        InputError: If a loss is not finite.
    """
    found = skippable_branches(network)
    weights = measuring.framework.weights(measuring.model, network)

    def variants() -> Iterator[WeightArrays]:
        yield weights
        for branch in found.values():
            yield _masked(network, weights, branch)

    base, *losses = measuring.losses(variants())
    for group, loss in zip(found, losses, strict=True):
        if not np.isfinite(loss) or not np.isfinite(base):
            raise InputError(
                f"the loss without the block of group '{group}' is {loss}, and {base} with it",
                "check the data and the weights of the model",
            )
    return {group: max(loss - base, 0.0) for group, loss in zip(found, losses, strict=True)}


def with_skipping_values(
    scores: ScoreTable, measuring: LossMeasurement, network: Network, rate: float | None = None
) -> ScoreTable:
    """Return scores with the value of skipping each block: minus the exchange rate x the measured rise of the loss.

    If the values of widths are sums of scores and no rate is given, losses cannot be exchanged for them, and the scores
    stay as they are. A group without channels is then worth 0, as the sum of no scores is.

    Args:
        scores: The scores of the channels.
        measuring: The model, the data, and how losses are measured.
        network: As for `skipping_losses`.
        rate: The value of a loss of 1 in the units of the scores. None means the default of these units.
    """
    if not network.skippable:
        return scores
    if rate is None:
        try:
            rate = value_unit(scores).value
        except InputError:
            return scores
    rises: Mapping[str, float] = skipping_losses(measuring, network)
    return replace(scores, skipped={group: 0.0 - rate * rise for group, rise in rises.items()})


def _masked(network: Network, weights: WeightArrays, branch: ResidualBranch) -> WeightArrays:
    """Weights with which a branch computes what it does without any channels of its group."""
    masked = list(weights)
    for index in {index for call in branch.constant for index in network.layers[call].weights}:
        if any(vanishes(axis, branch.group) for axis in network.weights[index].axes):
            masked[index] = np.zeros_like(weights[index])
    return masked
