"""The scorer boundary: how important is each channel?"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import ContractViolation, InputError, UnsupportedError
from reds_core.framework.framework import Arrays, Framework, Task
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import Plugin, guarded


class ScoreLevel(Enum):
    """What a score is given to: a channel with all that makes it, or each kernel that joins two channels."""

    CHANNEL = "channel"
    KERNEL = "kernel"


def parse_level(text: str) -> ScoreLevel:
    """The level of this name.

    Raises:
        InputError: if there is none.
    """
    for level in ScoreLevel:
        if level.value == text:
            return level
    names = " or ".join(level.value for level in ScoreLevel)
    raise InputError(f"score level '{text}' is unknown", f"give {names}")


@dataclass(frozen=True)
class ScoreTable:
    """Importance of every channel, accumulated in float64.

    Attributes:
        channels: by group name float64 (channels,), finite; larger is more important. They order the channels, and
            their sums are the value of a group's widths unless it has a curve.
        pairs: by (producer group, consumer group) float64 (channels of producer, channels of consumer): importance of
            each kernel that joins two channels. Where a scorer gives them, they count beside `channels`.
        curves: by group name float64 (channels,): entry w - 1 is the value of keeping the w most important channels, in
            place of their scores' sum. Only differences count. For scorers that measure whole widths.
    """

    channels: Mapping[str, FloatArray]
    pairs: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)
    curves: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def tells_channels_apart(self) -> bool:
        """Whether there is anything to choose by: a score that is not that of all others, or a curve that moves."""
        scores = np.concatenate(
            [array.ravel() for array in (*self.channels.values(), *self.pairs.values())] or [np.zeros(1)]
        )
        is_measured = any(np.ptp(curve) > 0 for curve in self.curves.values()) and not np.any(scores)
        return bool(len(scores) < 2 or np.ptp(scores) > 0 or is_measured)

    def totals(self) -> dict[str, FloatArray]:
        """Importance of each channel with the kernels of all its pairs added, by which channels are ordered."""
        totals = {group: scores.copy() for group, scores in self.channels.items()}
        for (first, second), kernel in self.pairs.items():
            totals[first] += kernel.sum(axis=1)
            totals[second] += kernel.sum(axis=0)
        return totals

    def ordered(self, order: Kept) -> ScoreTable:
        """The same scores with the channels of each group in another order."""
        return ScoreTable(
            {group: scores[order[group]] for group, scores in self.channels.items()},
            {(a, b): kernel[np.ix_(order[a], order[b])] for (a, b), kernel in self.pairs.items()},
            self.curves,
        )

    def spread(self, kept: Kept, channels: Mapping[str, int]) -> ScoreTable:
        """These scores of a smaller network by the channels of the network that it was cut from.

        Channels that are gone score 0; curves stay level beyond the widths that are left.

        Args:
            kept: for each group its channels there, in the order of these scores.
            channels: how many each group has there.
        """
        wide = {group: np.zeros(channels[group]) for group in self.channels}
        for group, scores in self.channels.items():
            wide[group][kept[group]] = scores
        kernels = {(a, b): np.zeros((channels[a], channels[b])) for a, b in self.pairs}
        for (a, b), kernel in self.pairs.items():
            kernels[a, b][np.ix_(kept[a], kept[b])] = kernel
        curves = {g: np.pad(curve, (0, channels[g] - len(curve)), mode="edge") for g, curve in self.curves.items()}
        return ScoreTable(wide, kernels, curves)


class Scorer(Plugin, ABC):
    """Base class of scorer plugins. An instance holds its options, those of scorers that it asks, and nothing else.

    Attributes:
        needs_data: whether training data must be given.
        levels: what it can score; more than channels only with `score_kernels`.
        informed: whether scores follow from what channels do; only a baseline's do not.
        asks: other scorers whose scores it builds on, classes of its own package.
        asked: an object of each of them by name; the registry gives them the options that users give that scorer.
    """

    kind = "scorer"
    needs_data: ClassVar[bool]
    levels: ClassVar[frozenset[ScoreLevel]] = frozenset({ScoreLevel.CHANNEL})
    informed: ClassVar[bool] = True
    asks: ClassVar[tuple[type[Scorer], ...]] = ()

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.asked: Mapping[str, Scorer] = {cls.name: cls() for cls in self.asks}

    @abstractmethod
    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        """Score every channel of every group of `network`.

        Args:
            framework: gives the weights, gradients and losses of `model`.
            data: training data; None only where `needs_data` is false.
            task: how outputs are compared with labels.
            seed: of whatever is random.
        """

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        """Score every kernel that joins two channels in `pairs`, and in `channels` what no pair holds.

        Arguments are those of `score`. Only asked of scorers that declare the level.
        """
        raise NotImplementedError


def check_level(scorer: Scorer, level: ScoreLevel) -> None:
    """Refuse a level that `scorer` does not declare.

    Raises:
        UnsupportedError: if it cannot score at that level.
    """
    if level not in scorer.levels:
        able = ", ".join(sorted(known.value for known in scorer.levels))
        raise UnsupportedError(
            f"scorer '{scorer.name}' has no scores for the level '{level.value}'",
            f"give --score-level {able}, or another scorer such as taylor",
        )


def score(
    scorer: Scorer,
    framework: Framework,
    model: Any,
    network: Network,
    data: Arrays | None,
    task: Task,
    seed: int = 0,
    level: ScoreLevel = ScoreLevel.CHANNEL,
) -> ScoreTable:
    """Ask `scorer` and check what it says.

    Raises:
        UnsupportedError: if it cannot score at that level.
        InputError: if weights of the model are not finite numbers, so that no score can be; or if all channels of all
            groups have the same score, by which any choice is as good as any other.
        ContractViolation: if a group has no score, or one of the wrong shape or that is not finite.
        PluginFailure: if the scorer raises an error of its own.
    """

    def violated(what: str) -> ContractViolation:
        return ContractViolation(
            f"scorer '{scorer.name}' gave {what}", "report it to its author, or choose another scorer"
        )

    check_level(scorer, level)
    ask = scorer.score if level is ScoreLevel.CHANNEL else scorer.score_kernels
    with guarded(scorer):
        table = ask(framework, model, network, data, task, seed)
    if not isinstance(table, ScoreTable):
        raise violated(f"{type(table).__name__}, not a ScoreTable")
    channels = network.channels
    named = (*table.channels, *table.curves, *itertools.chain(*table.pairs))
    unknown = {group for group in named if group not in channels}
    if unknown:
        raise violated(f"scores for '{min(unknown)}', which is no group of the network")
    shapes = {
        **{f"group '{g}'": ((n,), table.channels.get(g)) for g, n in channels.items()},
        **{f"groups '{a}' and '{b}'": ((channels[a], channels[b]), k) for (a, b), k in table.pairs.items()},
        **{f"the curve of group '{g}'": ((channels[g],), curve) for g, curve in table.curves.items()},
    }
    for what, (shape, scores) in shapes.items():
        if not isinstance(scores, np.ndarray) or scores.shape != shape or scores.dtype != np.float64:
            raise violated(f"{what} no float64 scores of shape {shape}")
        if not np.all(np.isfinite(scores)):
            _check_weights(framework, model, network)
            raise violated(f"{what} scores that are not finite")
    if not table.tells_channels_apart:
        raise InputError(
            f"scorer '{scorer.name}' gives every channel the same score, so that no choice is better than another",
            "check that the model is trained and that the labels are its own, or take another scorer such as magnitude",
        )
    return table


def _check_weights(framework: Framework, model: Any, network: Network) -> None:
    """Refuse a model that holds NaN: no scorer can help that."""
    for weight, array in zip(network.weights, framework.weights(model, network), strict=True):
        if not np.all(np.isfinite(array)):
            raise InputError(
                f"weight '{weight.name}' of the model holds NaN or infinite numbers",
                "train the model again, with a lower learning rate",
            )
