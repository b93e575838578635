"""Values of widths by the loss that is measured when a single group is narrowed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.framework import Arrays, Framework, Task, WeightArrays
from reds_core.network import Network
from reds_core.scoring import LossMeasurement, Scorer, ScoreTable, check_readers, masked, normalise
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.magnitude import MagnitudeScorer
from reds_scorers.taylor import TaylorScorer

Curves = Mapping[str, FloatArray]


@dataclass(frozen=True)
class SensitivityOptions:
    """Settings of `sensitivity`.

    Attributes:
        widths: number of widths that are measured per group in addition to the full width; the smallest is 1 channel.
        order: the scorer that decides which channels a width keeps: taylor or magnitude, each with its own options.
        curve: "measured" interpolates the measured losses linearly; "monotone" first makes them decrease with the width
            by isotonic regression, because increases are noise or due to channels whose removal reduces the loss.
        examples: maximum number of training examples, drawn at random and balanced over classes; 0 means all.
        recalibrate: whether batch-norm statistics are measured anew for each width, so that losses are closer to those
            after training. Recommended together with transforms, whose losses are measured in the same way.
        floor: a width costs at least this many times the negative logarithm of the share of the score of `order` that
            it keeps, in units of the loss. It guards groups that seem to cost little while all others are at full
            width, such as the last ones. 0 sets no floor.
        shares: the part of each curve, from 0 to 1, that is the logarithm of the share of the score of `order` instead
            of measured losses. It guards groups that cost little alone, but much if others are narrow as well.

    Raises:
        InputError: if a number is out of range.
    """

    widths: int = 6
    order: Literal["taylor", "magnitude"] = "taylor"
    curve: Literal["monotone", "measured"] = "monotone"
    examples: int = 1024
    recalibrate: bool = False
    floor: float = 0.0
    shares: float = 0.0

    def __post_init__(self) -> None:
        check_counts("sensitivity", 1, self.examples)
        if self.widths < 1:
            raise InputError(f"option sensitivity.widths is {self.widths}", "give 1 or more")
        if not (math.isfinite(self.floor) and self.floor >= 0):
            raise InputError(f"option sensitivity.floor is {self.floor}", "give 0 or more, such as 0.5")
        if not 0 <= self.shares <= 1:
            raise InputError(f"option sensitivity.shares is {self.shares}", "give a number from 0 to 1, such as 0.75")


class SensitivityScorer(Scorer):
    """Measures the loss at several widths of each group and turns the losses into value curves. Needs training data.

    The value of a width is the loss at one channel minus the loss at that width. Each group is narrowed alone, keeping
    its best channels, while all other groups keep their full width. Li et al., Pruning Filters for Efficient ConvNets
    (arXiv 1608.08710), section 3.2, prune by such curves; that losses add up over groups is an assumption. Widths
    in between are interpolated linearly. Curves need not be concave, because solvers do not require that. Costs one
    measurement of the loss on `examples` for each of `widths` of each group, and the scores of `order`. With
    `recalibrate`, each of these also measures batch-norm statistics on training data.
    """

    name = "sensitivity"
    needs_data = True
    Options = SensitivityOptions
    asks = (TaylorScorer, MagnitudeScorer)

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        check_readers(network, f"scorer '{self.name}'")
        given, data = data, training_examples(self.name, data, self.options.examples, seed)
        channels = self.asked[self.options.order].score(framework, model, network, data, task, seed).channels
        measured = {g.name: measured_widths(g.channels, self.options.widths) for g in network.groups}
        from scipy.optimize import isotonic_regression

        weights = framework.weights(model, network)

        def variants() -> Iterator[WeightArrays]:
            yield weights
            for group, widths in measured.items():
                ranking = np.argsort(-channels[group], kind="stable")
                for width in widths[:-1]:
                    yield masked(network, weights, {group: ranking[:width]})

        if self.options.recalibrate and given is not None:
            losses = LossMeasurement(framework, model, network, given, data, task, seed).losses(variants())
        else:
            losses = framework.losses(model, network, variants(), data, task)
        full = next(losses)
        curves = {}
        for group, widths in measured.items():
            found = np.array([*(next(losses) for _ in widths[:-1]), full])
            if self.options.curve == "monotone":
                found = isotonic_regression(found, increasing=False).x
            curves[group] = np.interp(np.arange(1, widths[-1] + 1), widths, found[0] - found)
        if self.options.floor or self.options.shares:
            shares = normalise(ScoreTable(channels)).curves
            if self.options.floor:
                curves = {group: floored(curve, self.options.floor * shares[group]) for group, curve in curves.items()}
            curves = blended(curves, shares, self.options.shares)
        return ScoreTable(channels, curves=curves)


def floored(curve: FloatArray, floor: FloatArray) -> FloatArray:
    """Lower a curve so that each width is below the full one by at least as much as on another curve, and starts at 0.

    Args:
        curve, floor: the value of each width, float64 (channels,).
    """
    below = np.minimum(curve - curve[-1], floor - floor[-1])
    lowered: FloatArray = below - below[0]
    return lowered


def blended(curves: Curves, shares: Curves, part: float) -> dict[str, FloatArray]:
    """Return the weighted mean of measured curves and logarithms of shares, which are first scaled to losses.

    The scale makes what all groups together are worth in both the same, so that the measured losses decide how groups
    compare, and the shares how the value of each group rises with its width.

    Args:
        curves: the measured value of each width of each group, float64 (channels,).
        shares: the logarithms of shares of the score, likewise.
        part: the weight of the shares, from 0 to 1.
    """
    total = sum(float(each[-1]) for each in shares.values())
    losses = max(0.0, sum(float(each[-1]) for each in curves.values()))  # noise must not turn shares around
    scale = losses / total if total > 0 else 0.0
    return {group: (1 - part) * curve + part * scale * shares[group] for group, curve in curves.items()}


def measured_widths(channels: int, count: int) -> npt.NDArray[np.int64]:
    """Return the full width and at most `count` evenly spaced smaller widths, the first of which is 1."""
    return np.unique(np.rint(np.linspace(1, channels, count + 1)).astype(np.int64))
