"""Values of whole widths by the loss that is measured when one group is narrowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework import Arrays, Framework, Task, WeightArrays
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable, check_readers, masked
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.magnitude import MagnitudeScorer
from reds_scorers.taylor import TaylorScorer


@dataclass(frozen=True)
class SensitivityOptions:
    """Settings of `sensitivity`.

    Attributes:
        widths: how many widths of each group are measured beside the full one, the least of them 1 channel.
        order: which scorer says what channels a width keeps: taylor or magnitude, each with its own options.
        curve: "measured" joins the measured losses by straight lines; "monotone" first makes them fall with the width
            (isotonic regression): what rises is noise of the examples, or a channel that is better gone.
        examples: the most training examples used, of every class alike, drawn by the seed; 0 means all.

    Raises:
        InputError: if a number is out of range.
    """

    widths: int = 6
    order: Literal["taylor", "magnitude"] = "taylor"
    curve: Literal["monotone", "measured"] = "monotone"
    examples: int = 1024

    def __post_init__(self) -> None:
        check_counts("sensitivity", 1, self.examples)
        if self.widths < 1:
            raise InputError(f"option sensitivity.widths is {self.widths}", "give 1 or more")


class SensitivityScorer(Scorer):
    """The value of a width is the loss of the network whose group has one channel, less the loss at that width.

    Each group is narrowed alone, its best channels kept and all else whole. Needs training data; costs a measurement of
    the loss on `examples` for each of `widths` of each group, and the scores of `order`. Li et al., Pruning Filters
    for Efficient ConvNets (arXiv 1608.08710), section 3.2, prune by such curves; that losses add up over groups is an
    assumption. Widths between measured ones lie on straight lines; nothing makes a curve concave, as solvers need no
    such thing.
    """

    name = "sensitivity"
    needs_data = True
    Options = SensitivityOptions
    asks = (TaylorScorer, MagnitudeScorer)

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        check_readers(network, f"scorer '{self.name}'")
        data = training_examples(self.name, data, self.options.examples, seed)
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

        losses = framework.losses(model, network, variants(), data, task)
        full = next(losses)
        curves = {}
        for group, widths in measured.items():
            found = np.array([*(next(losses) for _ in widths[:-1]), full])
            if self.options.curve == "monotone":
                found = isotonic_regression(found, increasing=False).x
            curves[group] = np.interp(np.arange(1, widths[-1] + 1), widths, found[0] - found)
        return ScoreTable(channels, curves=curves)


def measured_widths(channels: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` widths from 1 up, evenly spaced, and the full one."""
    return np.unique(np.rint(np.linspace(1, channels, count + 1)).astype(np.int64))
