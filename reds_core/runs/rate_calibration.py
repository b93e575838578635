"""Fits the exchange rate between widths and levels to short trainings of random choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.errors import UnsupportedError, argument
from reds_core.framework.family import Family
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.axis import Kept
from reds_core.pruning.pruner import Decision, Tools
from reds_core.scoring.exchange_rate import (
    FittedRate,
    TrainedChoice,
    default_rate,
    fitted_rate,
    level_pair_values,
    level_values,
    width_value,
)
from reds_core.scoring.level_losses import LevelLosses
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.records import to_json

CALIBRATION_EPOCHS = 2
"""The number of epochs for which each choice is trained."""

_FACTOR = 0.5
"""The standard deviation of the logarithm of the factors by which values of groups and of layers are changed."""
_RATES = (0.1, 10.0)
"""The range of the rates at which random choices exchange widths for levels, as multiples of the default rate."""
_STREAM = 15
"""Sets these random numbers apart from others of the same seed."""
_TRIES = 20
"""After how many draws in a row without a new choice no more are drawn. Many are equal if a network has few options."""


@dataclass(frozen=True, eq=False)
class DrawnChoice:
    """A random choice of widths and levels that meets a budget.

    Attributes:
        kept: The channels of each group that it keeps.
        widths: The width of each group.
        settings: The levels of layers.
    """

    kept: Kept
    widths: Mapping[str, int]
    settings: LevelSettings


def drawn_choices(
    tools: Tools,
    scores: ScoreTable,
    losses: LevelLosses,
    count: int,
) -> Iterator[DrawnChoice]:
    """Yield at most `count` different random choices, each of which uses up one of the budgets, in turn.

    Each is the best choice for values that are changed at random: those of each group by a factor, those of the levels
    of each layer by another, and those of all levels by a rate that varies by two orders of magnitude, so that the
    choices differ in how they exchange widths for levels.

    Args:
        tools: Formulates and solves problems.
        scores: The scores of the channels.
        losses: The measured losses of levels.
        count: The number of choices.

    Raises:
        InfeasibleError: If no choice meets a budget.
        UnsupportedError: If `scores` holds scores of kernels, whose values are not those of single widths.
    """
    if scores.pairs:
        raise UnsupportedError(
            "an exchange rate cannot be fitted to scores of kernels", f"leave out {argument('score_level')}"
        )
    rng = np.random.default_rng([tools.seed, _STREAM])
    default = default_rate(scores)
    seen: set[str] = set()
    draw, missed = -1, 0
    while len(seen) < count and missed < _TRIES:
        draw, missed = draw + 1, missed + 1
        factors = {group: float(np.exp(rng.normal(0, _FACTOR))) for group in scores.channels}
        rate = default * float(np.exp(rng.uniform(*np.log(_RATES))))
        values = {
            key: value * np.exp(rng.normal(0, _FACTOR)) for key, value in level_values(losses, scores, rate).items()
        }
        changed = ScoreTable(
            {group: factors[group] * channels for group, channels in scores.channels.items()},
            curves={group: factors[group] * curve for group, curve in scores.curves.items()},
            level_values=values,
            level_pair_values=level_pair_values(losses.excesses, scores, rate),
        )
        budget = tools.budgets[draw % len(tools.budgets)]
        formulation = tools.formulate(changed, budget)
        found = Decision.of(tools.solve(formulation.problem, exact=True))
        name = to_json((found.widths, found.settings))
        if name not in seen:
            seen.add(name)
            missed = 0
            kept = {group: formulation.order[group][:width] for group, width in found.widths.items()}
            yield DrawnChoice(kept, found.widths, found.settings)


def calibrated_rate(
    tools: Tools,
    scores: ScoreTable,
    losses: LevelLosses,
    count: int,
    project: Callable[[Any, LevelSettings], Any],
    told: Callable[[str], None] | None = None,
) -> FittedRate:
    """Fit the exchange rate to the losses on held-back data of `count` random choices after a short training.

    Args:
        tools: Trains each choice, for as many epochs as a step of it has.
        scores: The scores of the channels of the input model.
        losses: The measured losses of its levels.
        count: The number of choices.
        project: Sets the weights of a trained model to what the levels of its layers leave of them, and measures its
            batch-norm statistics again if that changed them.
        told: Called with a sentence after each training.

    Raises:
        InfeasibleError: If no choice meets a budget.
        UnsupportedError: If `scores` holds scores of kernels.
    """
    trained: list[TrainedChoice] = []
    for choice in drawn_choices(tools, scores, losses, count):
        cut = tools.extract(tools.ending_at(tools.model, None), choice.kept)
        model = tools.finetune(Family(cut, (), (), full_settings=choice.settings)).full
        project(model, choice.settings)
        rise = losses.rise(choice.settings)
        trained.append(TrainedChoice(width_value(scores, choice.widths), rise, tools.loss(model)))
        if told is not None:
            last = trained[-1]
            told(
                f"training {len(trained)} of {count} for the exchange rate: value {last.width_value:.3g}, "
                f"rise {last.rise:.3g}, held-back loss {last.loss:.4g}"
            )
    return fitted_rate(trained, default_rate(scores))
