"""Layerwise pruning: one group at a time is decided, with the others still open, and the network is cut and trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reds_core.arrays import IntArray
from reds_core.errors import InputError
from reds_core.formulation import channel_order
from reds_core.knapsack import KnapsackProblem, choice_of
from reds_core.pruning import PruningState, Tools
from reds_pruners.narrowing import Narrow, NarrowingOptions, NarrowingPruner
from reds_pruners.widths import free_groups, uniform_choice


@dataclass(frozen=True)
class LayerwiseOptions(NarrowingOptions):
    """Options of `layerwise`.

    Attributes:
        order: The order in which groups are decided. forward: in the order of data flow; backward: the last group
            first; sensitivity: first the groups whose narrowing alone raises the loss on validation data least.
        horizon: What each cut distributes. global: the whole remaining budget, over all groups that are not yet
            decided; local: only the share of the groups that it decides, where the share of a group is what one ratio
            of channels for all groups would give it.
        block: The number of groups that each cut decides.
    """

    order: Literal["forward", "backward", "sensitivity"] = "forward"
    horizon: Literal["global", "local"] = "global"
    block: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block < 1:
            raise InputError(f"option layerwise.block is {self.block}", "give 1 or more")


class LayerwisePruner(NarrowingPruner):
    """Iterative pruning by knapsack, one group at a time.

    Each cut solves the knapsack problem over all undecided groups, with scores of the current network. The next
    group takes its width from the solution, and the others are decided again after fine-tuning. Groups that the width
    rules of the run leave whole need no cut.
    """

    name = "layerwise"
    Options = LayerwiseOptions

    def cuts(self, free: Sequence[str]) -> Sequence[str]:
        if not free:
            return ["leave all groups whole"]
        block, groups = self.options.block, self._ordered(tuple(free))
        count = -(-len(groups) // block)
        if self.options.order == "sensitivity":
            return [f"decide by sensitivity ({i + 1} of {count})" for i in range(count)]
        blocks = [groups[i : i + block] for i in range(0, len(groups), block)]
        return [f"decide {_named(b)} ({i + 1} of {count})" for i, b in enumerate(blocks)]

    def sequence(self, state: PruningState, tools: Tools) -> tuple[str, ...]:
        if self.options.order == "sensitivity":
            return by_sensitivity(state, tools)
        return self._ordered(free_groups(tools.formulate(state.scores, tools.budgets[0]).problem))

    def _ordered(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        return groups[::-1] if self.options.order == "backward" else groups

    def settled(self, cut: Narrow, state: PruningState) -> Sequence[str]:
        return state.sequence[cut.part * self.options.block :][: self.options.block]

    def posed(self, cut: Narrow, problem: KnapsackProblem, state: PruningState, tools: Tools) -> KnapsackProblem:
        done = state.sequence[: cut.part * self.options.block]
        fixed = dict(zip(problem.index, problem.ceilings, strict=True))
        pinned = {g: fixed[g] for g in done}
        if self.options.horizon == "local":
            # under the widths at the first cut towards this budget, so that shares stay the same in all its cuts
            start = state.choices[1].widths if len(state.choices) > 1 else tools.network.channels
            shares = uniform_choice(problem.with_bounds(ceilings=choice_of(problem, start)))
            waiting = state.sequence[(cut.part + 1) * self.options.block :]
            pinned |= {g: shares[problem.index[g]] for g in waiting}
        floors = (pinned.get(g, low) for g, low in zip(problem.index, problem.floors, strict=True))
        ceilings = (pinned.get(g, high) for g, high in fixed.items())
        return problem.with_bounds(floors, ceilings)


def by_sensitivity(state: PruningState, tools: Tools) -> tuple[str, ...]:
    """The groups that can be narrowed, ordered by the loss of the network in which only that group is narrowed.

    The least loss comes first; ties are in network order. Each group is narrowed to its width at the common ratio of
    channels that meets the smallest budget. The loss is measured on validation data, with recalibrated batch-norm
    statistics and without fine-tuning.
    """
    order = channel_order(state.scores)
    problem = tools.formulate(state.scores, tools.budgets[0], order).problem
    narrowed = problem.widths(uniform_choice(problem))
    losses = {g: _loss_at(g, order[g][: narrowed[g]], tools) for g in free_groups(problem)}
    return tuple(sorted(losses, key=lambda g: losses[g]))


def _loss_at(group: str, channels: IntArray, tools: Tools) -> float:
    return tools.loss(tools.recalibrate(tools.extract(tools.model, {group: channels})))


def _named(block: Sequence[str]) -> str:
    return ", ".join(block) if len(block) < 4 else f"{block[0]} to {block[-1]}"
