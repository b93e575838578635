"""Strategies that narrow a network in several cuts towards each budget, largest budget first, and train in between.

In one cut the current network is scored, the knapsack problem over its remaining channels is stated and solved,
some of the widths of the solution are taken, the network is cut to them and fine-tuned. The subnetwork of the next
smaller budget starts from that of the larger one, so that all are nested.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.cost import SubnetworkBudget
from reds_core.errors import InputError, argument
from reds_core.formulation import channel_order
from reds_core.framework import Family
from reds_core.knapsack import KnapsackProblem, Solution, choice_of
from reds_core.network import Kept, Network
from reds_core.pruning import Decision, Pruner, PruningState, Step, Tools
from reds_pruners.training import Together, is_alone, spread, train
from reds_pruners.values import measured, proven_bound

SCORE, FINETUNE = "score", "finetune"


@dataclass(frozen=True)
class NarrowingOptions:
    """Options of every strategy that narrows.

    Attributes:
        finetune: What is trained. joint: the network that is being narrowed, the finished subnetworks and the full
            network, with one set of weights; alone: only the network that is being narrowed, for a single budget;
            auto: alone for one budget, joint for several.
        final: The share of the epochs of the run that is trained at the end, when everything is decided. The rest is
            spread evenly over the cuts.
        rescore: Whether each cut scores the current network; otherwise the scores of the input model are used.

    Raises:
        InputError: If `final` is not a share.
    """

    finetune: Together = "auto"
    final: float = 0.5
    rescore: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.final <= 1:
            raise InputError(f"option final is {self.final}, which is not a share", "give a number from 0 to 1")


@dataclass(frozen=True)
class Narrow(Step):
    """A step that narrows the network once.

    Attributes:
        budget: the index of the budget that the cut leads to, smallest first.
        part: the number of this cut among those that lead to that budget, from 0.
        parts: how many cuts lead to that budget.
    """

    budget: int = 0
    part: int = 0
    parts: int = 1

    @property
    def is_last(self) -> bool:
        """Whether the network meets the budget after this cut."""
        return self.part + 1 == self.parts


class NarrowingPruner(Pruner):
    """Base class of the strategies that narrow. They define which cuts there are, and what each cut may change."""

    Options = NarrowingOptions

    @abstractmethod
    def cuts(self, free: Sequence[str]) -> Sequence[str]:
        """The names of the cuts towards one budget, of which there is at least one.

        Args:
            free: the groups that have a choice of widths, in network order.
        """

    @abstractmethod
    def posed(self, cut: Narrow, problem: KnapsackProblem, state: PruningState, tools: Tools) -> KnapsackProblem:
        """The problem that one cut solves.

        Args:
            problem: the problem of the budget that the cut leads to, with the present widths as upper limits.
        """

    def settled(self, cut: Narrow, state: PruningState) -> Sequence[str]:
        """The groups that take the widths of the solution of this cut. The others are decided in a later cut."""
        return tuple(state.choices[0].widths)

    def sequence(self, state: PruningState, tools: Tools) -> tuple[str, ...]:
        """The groups in the order in which their widths are decided."""
        return tuple(tools.network.channels)

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        return self.steps_where(tuple(network.channels), network, budgets, finetune_epochs)

    def steps_where(
        self, free: Sequence[str], network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int
    ) -> Sequence[Step]:
        if self.options.finetune == "alone" and len(budgets) > 1:
            raise InputError(
                f"pruner '{self.name}' trains a subnetwork alone only for a single budget, "
                "since each subnetwork continues from the one before",
                f"give one budget, or {argument('options', {self.name: {'finetune': 'joint'}})}",
            )
        names = self.cuts(free)
        final = int(finetune_epochs * self.options.final)
        epochs = iter(spread(finetune_epochs - final, len(names) * len(budgets)))
        cuts = [
            Narrow(name if len(budgets) == 1 else f"{name} for {budgets[i].name}", next(epochs), i, part, len(names))
            for i in reversed(range(len(budgets)))
            for part, name in enumerate(names)
        ]
        return [Step(SCORE), *cuts, *([Step(FINETUNE, final)] if final else [])]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        alone = 0 if is_alone(self.options.finetune, len(tools.budgets)) else None
        if isinstance(step, Narrow):
            state = self._cut(step, state, tools)
        elif step.name == SCORE:
            return self._scored(state, tools)
        family = train(state.family, step, tools, alone)
        if not step.epochs:
            # the next cut scores it, and it would hardly work with the statistics of wider layers
            family = dataclasses.replace(family, members=(tools.recalibrate(family.members[0]), *family.members[1:]))
        return dataclasses.replace(state, family=family)

    def _scored(self, state: PruningState, tools: Tools) -> PruningState:
        scores = tools.score(tools.model)
        bounds = tuple(proven_bound(scores, budget, tools) for budget in tools.budgets)
        state = dataclasses.replace(state, scores=scores, bounds=bounds)
        return dataclasses.replace(state, sequence=self.sequence(state, tools))

    def _cut(self, cut: Narrow, state: PruningState, tools: Tools) -> PruningState:
        rescore = self.options.rescore and bool(state.family.members)
        if cut.part == 0:
            state = _opened(state, tools)
        budget, now, kept = tools.budgets[cut.budget], state.choices[0], state.kept(0)
        scores = tools.score(state.family.members[0], kept) if rescore else state.scores
        ranking = channel_order(scores, kept)
        order = {g: np.concatenate([ranking[g][:w], state.order[g][w:]]) for g, w in now.widths.items()}
        stated = tools.formulate(scores, budget, order).problem
        problem = self.posed(cut, stated.with_bounds(ceilings=choice_of(stated, now.widths)), state, tools)
        solution = tools.solve(problem)
        found = Decision.of(solution).widths
        decided = {g: found[g] for g in self.settled(cut, state)}
        widths = {**now.widths, **decided}
        family = _cut_again(state.family, state.order, order, widths, tools)
        chosen = solution if now.solution is None else _after(now.solution, solution)
        bound = state.bounds[cut.budget]
        if cut.is_last:
            left = {g: order[g][:w] for g, w in widths.items()}
            chosen = measured(tools, state.scores, budget, widths, left, bound, chosen)
        choices = (Decision(widths, chosen, bound), *state.choices[1:])
        return dataclasses.replace(state, order=order, choices=choices, family=family, decided=decided)


def _opened(state: PruningState, tools: Tools) -> PruningState:
    """The state in which the network of a new budget begins as a copy of the next larger one, or of the full network.

    It is the first in the family. The models are the same objects until the cut replaces both.
    """
    family = state.family
    model, widths = (family.members[0], family.widths[0]) if family.members else (family.full, tools.network.channels)
    grown = Family(family.full, (model, *family.members), (widths, *family.widths))
    return dataclasses.replace(state, choices=(Decision(widths), *state.choices), family=grown)


def _after(earlier: Solution, solution: Solution) -> Solution:
    """`solution` with the time and the alignment of the cuts before it added."""
    alignment = solution.alignment
    return dataclasses.replace(
        solution,
        wall_s=earlier.wall_s + solution.wall_s,
        alignment=None if alignment is None else alignment.with_earlier(earlier.alignment),
    )


def _cut_again(family: Family[Any], old: Kept, new: Kept, widths: Mapping[str, int], tools: Tools) -> Family[Any]:
    """The family with its channels in another order and its first member cut to `widths`.

    Each model is cut from itself, since each has batch-norm statistics, or even weights, of its own.

    Args:
        old, new: orders of the channels of the input model; every member but the first keeps the same channels first.
    """
    places = {g: np.argsort(old[g])[new[g]] for g in old}
    all_widths = (widths, *family.widths[1:])
    members = tuple(
        tools.extract(model, {g: places[g][:w] for g, w in wanted.items()})
        for model, wanted in zip(family.members, all_widths, strict=True)
    )
    return Family(tools.extract(family.full, places), members, all_widths)
