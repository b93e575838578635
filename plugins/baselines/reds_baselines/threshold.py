"""One threshold for all channels: global pruning by score, as in most tools (Molchanov et al., 2017, 1611.06440)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reds_baselines.level_refusal import refusal_of_levels
from reds_core.arrays import IntArray
from reds_core.knapsack import Answer, Claim, Control, Controls, Feature, KnapsackProblem, Solver, Status, first_within


class GlobalThresholdSolver(Solver):
    """Ranks all channels of the network by score and cuts the lowest until the budgets hold.

    Unlike `greedy`, it ignores costs: of two channels of equal score, the more expensive one is not cut earlier.
    Channels are ranked once, on the full network, and never restored or exchanged. Each group keeps at least its first
    option, and floors and ceilings are respected.
    """

    name: ClassVar[str] = "global-threshold"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.NONE
    auto_rank: ClassVar[int] = 120

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal_of_levels(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        choice = first_within(problem, cuts(problem, problem.ceilings))
        if choice is None:
            return Answer(Status.NO_SOLUTION, detail=("no threshold meets the budgets",))
        return Answer(Status.FEASIBLE, choice)


def channel_scores(problem: KnapsackProblem) -> list[npt.NDArray[np.float64]]:
    """For each group, the score of one channel that an option adds to the option before it, float64 (options - 1,).

    The score is the difference between the values of the two options, divided by the number of channels between them.
    With pair values, it is what the channels are worth in the full network, that is, with all other groups at their
    last option. The widths of each group must rise strictly, so that every option adds channels to the one before it.
    """
    values = [g.values.astype(np.float64) for g in problem.groups]
    for pair in problem.pairs:
        if pair.values is not None:
            values[pair.first] += pair.values[:, -1]
            values[pair.second] += pair.values[-1]
    return [np.diff(v) / np.diff(g.widths) for v, g in zip(values, problem.groups, strict=True)]


def cuts(problem: KnapsackProblem, start: Sequence[int]) -> IntArray:
    """The choices met while channels are cut from `start` down to the floors, lowest score first.

    Within a group, channels are cut from the last to the first, so a channel with a low score stays as long as one
    behind it with a high score. Among equal scores, the channel of the later group is cut first. The widths of each
    group must rise strictly; see `channel_scores`.

    Returns:
        int64 (choices, groups), `start` first.
    """
    keys, owners = [], []
    for g, scores in enumerate(channel_scores(problem)):
        offered = scores[problem.floors[g] : start[g]]
        # a channel is not cut before those behind it
        keys.append(np.maximum.accumulate(offered[::-1]))
        owners.append(np.full(offered.size, g))
    owner = np.concatenate(owners)
    order = np.lexsort((np.arange(owner.size), -owner, np.concatenate(keys)))
    steps = np.zeros((owner.size + 1, len(problem.groups)), np.int64)
    steps[0] = start
    steps[np.arange(1, owner.size + 1), owner[order]] = -1
    return steps.cumsum(axis=0)
