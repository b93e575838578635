"""Component attribution: which channels each answer rests on, by random ablations (COAR, arXiv 2404.11534).

Random channels of the input model are set to zero, and the margin of every example is measured. A ridge regression of
the changes of margins on what was ablated gives each channel an attribution for each example: by how much the margin
changes without it. The sum over several channels predicts how it changes without all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.audit.answers import answers_of
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.network.description import Network
from reds_core.scoring.attribution import masked

Repair = Callable[[Iterator[WeightArrays]], Iterator[WeightArrays]]
"""A function that changes the weights of networks, which are consumed lazily."""
HELD_OUT = 0.2
"""The share of the ablations on which the regression is only tested."""
_PENALTIES = np.logspace(-10, 2, 49)
"""Penalties to choose from, relative to the largest squared singular value."""
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class ChannelAttribution:
    """By how much the margin of each example changes if a channel is set to zero.

    Attributes:
        starts: the place of the first channel of each group among the rows of `effects`.
        effects: the changes of the log-odds of the true class, float64 (channels, examples).
        held_out: the number of ablations that the regression did not see.
        correlation: the mean over the examples of the correlation of predicted and measured margins on these; None if
            no margin varies.
    """

    starts: Mapping[str, int]
    effects: FloatArray
    held_out: int
    correlation: float | None

    def predicted(self, removed: Mapping[str, IntArray]) -> FloatArray:
        """Return the predicted change of each margin without some channels of each group, float64 (examples,)."""
        rows = [self.starts[group] + channels for group, channels in removed.items()]
        change: FloatArray = self.effects[np.concatenate(rows)].sum(axis=0)
        return change


def random_ablations(channels: int, count: int, fraction: float, seed: int) -> BoolArray:
    """Return which channels each ablation removes, bool (count, channels): each with probability `fraction`."""
    found: BoolArray = np.random.default_rng(seed).random((count, channels)) < fraction
    return found


def ablated_margins(
    framework: Framework,
    model: Any,
    network: Network,
    x: Any,
    truth: IntArray,
    ablations: BoolArray,
    told: Callable[[int, int], None],
    repair: Repair = iter,
) -> FloatArray:
    """Measure the margin of each example under each ablation, float64 (ablations, examples).

    Args:
        framework: The framework of the model.
        model: The input model, which does not change.
        network: Its description.
        x: The examples in the form that the model takes.
        truth: The true class of each example.
        ablations: Which channels each ablation removes, in the order of the groups.
        told: Called after each ablation with the number of those that are done, and of all.
        repair: What is done to the weights of each ablation before it is measured; nothing by default.
    """
    weights, margins = framework.weights(model, network), []
    variants = (masked(network, weights, _kept(network, removed)) for removed in ablations)
    for number, outputs in enumerate(framework.outputs(model, network, repair(variants), x), 1):
        margins.append(answers_of(outputs, truth).margins)
        told(number, len(ablations))
    return np.stack(margins)


def starts_of(channels: Mapping[str, int]) -> dict[str, int]:
    """Return the place of the first channel of each group if the channels of all groups are put one after the other."""
    found, start = {}, 0
    for group, count in channels.items():
        found[group], start = start, start + count
    return found


def _kept(network: Network, removed: BoolArray) -> dict[str, IntArray]:
    starts = starts_of(network.channels)
    return {
        group: np.flatnonzero(~removed[starts[group] : starts[group] + count])
        for group, count in network.channels.items()
    }


def attribute_margins(
    channels: Mapping[str, int], ablations: BoolArray, margins: FloatArray, intact: FloatArray
) -> ChannelAttribution:
    """Regress the changes of margins on what was ablated, and test that on ablations that the regression did not see.

    The change without any ablation is known to be 0, so there is no intercept. One penalty serves all examples: the
    one with the least generalised cross-validation error (Golub, Heath and Wahba, 1979).

    Args:
        channels: the number of channels of each group.
        ablations: which channels each ablation removed, bool (ablations, channels).
        margins: the margins under each ablation, (ablations, examples).
        intact: the margins without any, (examples,).
    """
    held = round(HELD_OUT * len(ablations)) if len(ablations) > 1 else 0
    seen, changes = ablations[held:].astype(np.float64), margins - intact
    effects = ridge(seen, changes[held:])
    predicted = ablations[:held].astype(np.float64) @ effects
    return ChannelAttribution(starts_of(channels), effects, held, mean_correlation(predicted, changes[:held]))


def ridge(inputs: FloatArray, outputs: FloatArray) -> FloatArray:
    """Return the coefficients of a ridge regression without intercept, (columns of inputs, columns of outputs).

    Args:
        inputs: one row for each observation.
        outputs: one row for each observation, and one column for each regression.
    """
    left, values, right = np.linalg.svd(inputs, full_matrices=False)
    parts, rows = left.T @ outputs, len(inputs)
    outside = float((outputs**2).sum() - (parts**2).sum())
    scale = max(float(values.max(initial=0)) ** 2, _TINY)
    errors = []
    for penalty in scale * _PENALTIES:
        shrunk = values**2 / (values**2 + penalty)
        left_over = max(outside, 0.0) + float((((1 - shrunk)[:, None] * parts) ** 2).sum())
        errors.append(left_over / max(rows - float(shrunk.sum()), _TINY) ** 2)
    penalty = scale * _PENALTIES[int(np.argmin(errors))]
    found: FloatArray = right.T @ ((values / (values**2 + penalty))[:, None] * parts)
    return found


def mean_correlation(predicted: FloatArray, measured: FloatArray) -> float | None:
    """Return the mean over columns of the correlations of rows; None if no column varies in both."""
    if len(predicted) < 2:
        return None
    a, b = predicted - predicted.mean(axis=0), measured - measured.mean(axis=0)
    lengths = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    varies = lengths > _TINY
    return float(((a * b).sum(axis=0)[varies] / lengths[varies]).mean()) if varies.any() else None
