"""One threshold for all channels: global pruning by score, as most tools do it (Molchanov et al., 2017, 1611.06440)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_core.knapsack import Answer, Claim, Control, Controls, Feature, KnapsackProblem, Solver, Status, first_within


class GlobalThresholdSolver(Solver):
    """Ranks all channels of the network by score and cuts the lowest until the budgets hold.

    Unlike `greedy` it asks for no costs: a channel that costs ten times another of the same score goes no sooner. It
    ranks once, on the full network, puts nothing back and exchanges nothing. At least the first option of each group
    stays, and floors and ceilings are kept.
    """

    name: ClassVar[str] = "global-threshold"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.NONE
    auto_rank: ClassVar[int] = 120

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        choice = first_within(problem, cuts(problem, problem.ceilings))
        if choice is None:
            return Answer(Status.NO_SOLUTION, detail=("no threshold meets the budgets",))
        return Answer(Status.FEASIBLE, choice)


def channel_scores(problem: KnapsackProblem) -> list[npt.NDArray[np.float64]]:
    """Score of a channel that each option adds to the one before it, float64 (options - 1,) a group.

    The difference of the two options' values divided by the channels between them. With pair values it is what the
    channels are worth in the full network, all other groups at their last option.
    """
    values = [g.values.astype(np.float64) for g in problem.groups]
    for pair in problem.pairs:
        if pair.values is not None:
            values[pair.first] += pair.values[:, -1]
            values[pair.second] += pair.values[-1]
    return [np.diff(v) / np.diff(g.widths) for v, g in zip(values, problem.groups, strict=True)]


def cuts(problem: KnapsackProblem, start: Sequence[int]) -> IntArray:
    """The choices met while channels are cut from `start` down to the floors, lowest score first.

    Channels go in the order of their group, last first; so one whose score is low stays as long as one behind it
    whose score is high. Of equal scores the later group's goes first.

    Returns:
        int64 (choices, groups), `start` first.
    """
    keys, owners = [], []
    for g, scores in enumerate(channel_scores(problem)):
        offered = scores[problem.floors[g] : start[g]]
        # a channel goes no sooner than those behind it
        keys.append(np.maximum.accumulate(offered[::-1]))
        owners.append(np.full(offered.size, g))
    owner = np.concatenate(owners)
    order = np.lexsort((np.arange(owner.size), -owner, np.concatenate(keys)))
    steps = np.zeros((owner.size + 1, len(problem.groups)), np.int64)
    steps[0] = start
    steps[np.arange(1, owner.size + 1), owner[order]] = -1
    return steps.cumsum(axis=0)
