"""The base class of scorers, the scores they return, and the checks on these."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import ContractViolation, InputError, UnsupportedError, argument
from reds_core.framework.data import Arrays
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import Plugin, PluginOptions, PluginSource, equipped, guarded


class ScoreLevel(Enum):
    """The granularity of scores: one per channel, or one per kernel that connects two channels."""

    CHANNEL = "channel"
    KERNEL = "kernel"


def parse_level(text: str) -> ScoreLevel:
    """Return the level with this name.

    Raises:
        InputError: if there is no such level.
    """
    for level in ScoreLevel:
        if level.value == text:
            return level
    names = " or ".join(level.value for level in ScoreLevel)
    raise InputError(f"score level '{text}' is unknown", f"give {names}")


@dataclass(frozen=True)
class ScoreTable:
    """Importance of every channel of a network.

    Attributes:
        channels: group name -> float64 (channels,), finite; larger is more important. The scores order the channels,
            and the value of a width is the sum of the scores it keeps unless the group has a curve.
        pairs: (producer group, consumer group) -> float64 (channels of producer, channels of consumer): importance of
            each kernel that connects two channels, in addition to `channels`.
        curves: group name -> float64 (channels,): entry w - 1 is the value of keeping the w most important channels,
            which replaces the sum of their scores. Only differences matter. For scorers that measure whole widths.
        level_values: (layer, what a transform decides) -> float64 (levels,): the value of each level that is offered
            for the layer, in the units of the scores. The last is 0, because it leaves the layer as it is.
        level_pair_values: (layer, what one transform decides, what another decides) -> float64 (levels, levels): what
            two levels of the layer are worth together beyond the sum of their values; 0 where one of them is the last.
        skipped: group name -> the value of no channels at all, less that of all channels, for groups inside residual
            blocks that may be skipped. A group that is not named is then worth 0, as the sum of no scores is; if it
            has a curve, this is extended from two and one channels to none in a straight line.
    """

    channels: Mapping[str, FloatArray]
    pairs: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)
    curves: Mapping[str, FloatArray] = field(default_factory=dict)
    level_values: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)
    skipped: Mapping[str, float] = field(default_factory=dict)
    level_pair_values: Mapping[tuple[str, str, str], FloatArray] = field(default_factory=dict)

    @property
    def tells_channels_apart(self) -> bool:
        """Whether the scores distinguish any choices: two scores differ, or a curve is not constant."""
        scores = np.concatenate(
            [array.ravel() for array in (*self.channels.values(), *self.pairs.values())] or [np.zeros(1)]
        )
        is_measured = any(np.ptp(curve) > 0 for curve in self.curves.values()) and not np.any(scores)
        return bool(len(scores) < 2 or np.ptp(scores) > 0 or is_measured)

    def totals(self) -> dict[str, FloatArray]:
        """Return the importance of each channel including all its kernels, by which channels are ordered."""
        totals = {group: scores.copy() for group, scores in self.channels.items()}
        for (first, second), kernel in self.pairs.items():
            totals[first] += kernel.sum(axis=1)
            totals[second] += kernel.sum(axis=0)
        return totals

    def ordered(self, order: Kept) -> ScoreTable:
        """Return the same scores with the channels of each group permuted."""
        return ScoreTable(
            {group: scores[order[group]] for group, scores in self.channels.items()},
            {(a, b): kernel[np.ix_(order[a], order[b])] for (a, b), kernel in self.pairs.items()},
            self.curves,
            self.level_values,
            self.skipped,
            self.level_pair_values,
        )

    def spread(self, kept: Kept, channels: Mapping[str, int]) -> ScoreTable:
        """Expand the scores of a subnetwork to the channels of the network that it was cut from.

        Removed channels score 0, and curves are constant beyond the width of the subnetwork.

        Args:
            kept: for each group, the indices of the kept channels in the original network, in the order of the scores.
            channels: for each group, its number of channels in the original network.
        """
        wide = {group: np.zeros(channels[group]) for group in self.channels}
        for group, scores in self.channels.items():
            wide[group][kept[group]] = scores
        kernels = {(a, b): np.zeros((channels[a], channels[b])) for a, b in self.pairs}
        for (a, b), kernel in self.pairs.items():
            kernels[a, b][np.ix_(kept[a], kept[b])] = kernel
        curves = {g: np.pad(curve, (0, channels[g] - len(curve)), mode="edge") for g, curve in self.curves.items()}
        return ScoreTable(wide, kernels, curves, self.level_values, self.skipped, self.level_pair_values)


class Scorer(Plugin, ABC):
    """Base class of scorer plugins. An instance has no state except its options and the scorers it builds on.

    Attributes:
        needs_data: whether training data is required.
        levels: the supported score levels; `ScoreLevel.KERNEL` requires `score_kernels`.
        informed: whether scores depend on what channels compute; False only for baselines.
        asks: classes of the scorers whose scores it builds on, which must be in the same package.
        asked: an instance of each of these scorers by name, with the options that the user gave for it.
    """

    kind = "scorer"
    declares = ("needs_data",)
    needs_data: ClassVar[bool]
    levels: ClassVar[frozenset[ScoreLevel]] = frozenset({ScoreLevel.CHANNEL})
    informed: ClassVar[bool] = True
    asks: ClassVar[tuple[type[Scorer], ...]] = ()

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.asked: Mapping[str, Scorer] = {cls.name: cls() for cls in self.asks}

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        self.asked = {cls.name: equipped(cls, source, settings) for cls in self.asks}

    @abstractmethod
    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        """Score every channel of every group of `network`.

        Args:
            framework: the framework plugin, which provides the weights, gradients and losses of `model`.
            model: the model as a native object of the framework.
            network: the description of the model.
            data: training data; None only if `needs_data` is False.
            task: how outputs are compared with labels.
            seed: seed of all random choices.
        """

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        """Score every kernel that connects two channels in `pairs`, and all other weights in `channels`.

        Takes the same arguments as `score`. Only called for scorers that list `ScoreLevel.KERNEL` in `levels`.
        """
        raise NotImplementedError


def check_level(scorer: Scorer, level: ScoreLevel) -> None:
    """Check that `scorer` supports a level.

    Raises:
        UnsupportedError: if it does not.
    """
    if level not in scorer.levels:
        able = ", ".join(sorted(known.value for known in scorer.levels))
        raise UnsupportedError(
            f"scorer '{scorer.name}' does not support the score level '{level.value}'",
            f"give {argument('score_level', able)}, or another scorer such as taylor",
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
    """Call `scorer` and check the scores that it returns.

    Raises:
        UnsupportedError: if the scorer does not support the level.
        InputError: if the model has weights that are NaN or infinite, or if all channels have the same score, so that
            no choice is better than another.
        ContractViolation: if scores are missing, have the wrong shape or dtype, or are not finite.
        PluginFailure: if the scorer raises an unexpected exception.
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
        raise violated(f"scores for '{min(unknown)}', which is not a group of the network")
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
            "check that the model is trained and that the labels are correct, or use another scorer such as magnitude",
        )
    return table


def _check_weights(framework: Framework, model: Any, network: Network) -> None:
    """Raise InputError if weights of the model are not finite, in which case the scorer is not to blame."""
    for weight, array in zip(network.weights, framework.weights(model, network), strict=True):
        if not np.all(np.isfinite(array)):
            raise InputError(
                f"weight '{weight.name}' of the model holds NaN or infinite numbers",
                "train the model again, with a lower learning rate",
            )
