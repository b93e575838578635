"""Correct scorers and pruning strategies, and others that each have one fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.framework.data import Arrays
from reds_core.framework.family import Family, member_kept
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task
from reds_core.network.description import Network
from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools
from reds_core.scoring.attribution import attribute_to_kernels
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable


class HonestScorer(Scorer):
    """Sum of squares of the kernels that make a channel."""

    name = "honest"
    needs_data = False

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        weights = framework.weights(model, network)
        kernels = {w.layer: a for w, a in zip(network.weights, weights, strict=True) if a.ndim == 2}
        return ScoreTable({g.name: np.square(kernels[g.name].astype(np.float64)).sum(axis=0) for g in network.groups})


class Undeclared(HonestScorer):
    needs_data = None  # type: ignore[assignment]


class Incomplete(HonestScorer):
    def score(self, *arguments: Any) -> ScoreTable:
        table = super().score(*arguments)
        return ScoreTable(dict(list(table.channels.items())[1:]))


class Positional(HonestScorer):
    """Scores channels by their position, except those without any effect."""

    def score(self, *arguments: Any) -> ScoreTable:
        table = super().score(*arguments)
        return ScoreTable({g: np.where(s > 0, np.arange(1.0, len(s) + 1), 0) for g, s in table.channels.items()})


class Inverted(HonestScorer):
    """Takes the least important for the most important."""

    def score(self, *arguments: Any) -> ScoreTable:
        return ScoreTable({g: -s for g, s in super().score(*arguments).channels.items()})


_ticks = count(1)


class Unseeded(HonestScorer):
    """Of another scale at every call."""

    def score(self, *arguments: Any) -> ScoreTable:
        tick = 1.0 + next(_ticks) * 1e-9
        return ScoreTable({g: s * tick for g, s in super().score(*arguments).channels.items()})


class Remembering(HonestScorer):
    """Adds up what one object has scored."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.calls = count(1)

    def score(self, *arguments: Any) -> ScoreTable:
        # a power of two, so that nothing but the scale changes
        scale = 1.0 + 2.0**-40 * next(self.calls)
        return ScoreTable({g: s * scale for g, s in super().score(*arguments).channels.items()})


class Spoiling(HonestScorer):
    """Leaves its marks in the model that it was given."""

    def score(self, framework: Framework, model: Any, *rest: Any) -> ScoreTable:
        model.weights[-1] += np.float32(1)
        return super().score(framework, model, *rest)


class Curious(HonestScorer):
    """Uses data although it declares that it needs none."""

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        table = super().score(framework, model, network, data, task, seed)
        return ScoreTable({g: s * (1 if data is None else len(data)) for g, s in table.channels.items()})


class Levelless(HonestScorer):
    levels = ("channel",)  # type: ignore[assignment]


class KernelScorer(HonestScorer):
    """Honest at both levels: squares of the entries of the kernels that join two groups."""

    levels = frozenset(ScoreLevel)

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        weights = framework.weights(model, network)
        squares = {i: np.square(w.astype(np.float64)) for i, w in enumerate(weights) if w.ndim == 2}
        return ScoreTable(*attribute_to_kernels(network, squares))


class MissingKernels(HonestScorer):
    """Says that it scores kernels, and does not."""

    levels = frozenset(ScoreLevel)

    def score_kernels(self, *arguments: Any) -> ScoreTable:
        return ScoreTable({})


class TurnedKernels(KernelScorer):
    """Takes the channels of a kernel for those of another."""

    def score_kernels(self, *arguments: Any) -> ScoreTable:
        table = super().score_kernels(*arguments)
        return ScoreTable(table.channels, {pair: kernel[:, ::-1] for pair, kernel in table.pairs.items()})


class CurvedByPlace(HonestScorer):
    """Gives its groups curves that depend on where channels stand."""

    def score(self, *arguments: Any) -> ScoreTable:
        table = super().score(*arguments)
        return ScoreTable(table.channels, curves={g: np.cumsum(s) for g, s in table.channels.items()})


class Uninformed(Positional):
    """Scores channels by their position, and declares that its scores do not depend on the channels."""

    informed = False


class PrintingScorer(HonestScorer):
    def score(self, *arguments: Any) -> ScoreTable:
        print("scoring")
        return super().score(*arguments)


class HonestPruner(Pruner):
    """Bottom-up: each larger subnetwork keeps what the smaller ones keep."""

    name = "honest"

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        train = [Step("train", finetune_epochs)] if finetune_epochs else []
        return [Step("choose"), Step("extract"), *train]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        if step.name == "choose":
            return self.choose(state, tools)
        if step.name == "extract":
            return replace(state, family=self.extract(state, tools))
        return replace(state, family=tools.finetune(state.family))

    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        scores = tools.score(tools.model)
        floors: tuple[int, ...] | None = None
        choices: list[Decision] = []
        order = state.order
        for budget in tools.budgets:
            stated = tools.formulate(scores, budget)
            solution = tools.solve(stated.problem.with_bounds(floors=floors))
            choices.append(Decision.of(solution))
            floors, order = solution.choice, stated.order
        return replace(state, scores=scores, order=order, choices=tuple(choices))

    def extract(self, state: PruningState, tools: Tools) -> Family[Any]:
        full = tools.extract(tools.model, state.order)
        widths = tuple(c.widths for c in state.choices)
        return Family(full, tuple(tools.extract(full, member_kept(w)) for w in widths), widths)


class Shouting(HonestPruner):
    name = "Shouting"


class SameNames(HonestPruner):
    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        choose, extract, *train = super().steps(network, budgets, finetune_epochs)
        return [choose, extract, extract, *train]


class OtherWhere(HonestPruner):
    """Has an additional step in steps_where() if every group has a choice."""

    def steps_where(
        self, free: Sequence[str], network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int
    ) -> Sequence[Step]:
        return [*self.steps(network, budgets, finetune_epochs), Step("linger")]


class Inventing(HonestPruner):
    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        return replace(super().take(step, state, tools), decided={"nowhere": 1})


class LeavesOneOut(HonestPruner):
    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        decided = super().choose(state, tools)
        return replace(decided, choices=decided.choices[:-1])


class Wasteful(HonestPruner):
    """Keeps everything, whatever the budget."""

    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        decided = super().choose(state, tools)
        return replace(decided, choices=tuple(replace(c, widths=dict(tools.network.channels)) for c in decided.choices))


class Unnested(HonestPruner):
    """Lets the largest subnetwork drop to one channel where the smaller ones keep more."""

    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        decided = super().choose(state, tools)
        if len(decided.choices) < 2:
            return decided
        last = replace(decided.choices[-1], widths=dict.fromkeys(tools.network.channels, 1))
        return replace(decided, choices=(*decided.choices[:-1], last))


class Suffix(HonestPruner):
    """Cuts the wrong end off."""

    def extract(self, state: PruningState, tools: Tools) -> Family[Any]:
        family = super().extract(state, tools)
        channels = tools.network.channels
        ends = [{g: np.arange(channels[g] - w, channels[g]) for g, w in c.widths.items()} for c in state.choices]
        return replace(family, members=tuple(tools.extract(family.full, kept) for kept in ends))


class Overtraining(HonestPruner):
    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        taken = super().take(step, state, tools)
        if step.name == "train":
            tools.finetune(taken.family)
        return taken


class Hoarding(HonestPruner):
    """Carries what it decided in the object, past the state."""

    decided: PruningState | None = None

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        if step.name == "choose":
            self.decided = self.choose(state, tools)
            return self.decided
        if step.name == "extract" and self.decided is None:  # a new object knows nothing of the step before
            smallest = tuple(replace(c, widths=dict.fromkeys(c.widths, 1)) for c in state.choices)
            return super().take(step, replace(state, choices=smallest), tools)
        return super().take(step, state, tools)


class Wandering(HonestPruner):
    """Decides something else every time: one channel a group at every second run of an object."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.runs: dict[str, int] = {}

    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        decided = super().choose(state, tools)
        if not tools.finetune_epochs:
            return decided
        key = str(tools.budgets)
        self.runs[key] = self.runs.get(key, 0) + 1
        if self.runs[key] % 2:
            return decided
        return replace(decided, choices=tuple(replace(c, widths=dict.fromkeys(c.widths, 1)) for c in decided.choices))


class Vandal(HonestPruner):
    """Changes the last bias of the input model after all is extracted."""

    def extract(self, state: PruningState, tools: Tools) -> Family[Any]:
        family = super().extract(state, tools)
        tools.model.weights[-1] += np.float32(1e-6)
        return family


class PrintingPruner(HonestPruner):
    def choose(self, state: PruningState, tools: Tools) -> PruningState:
        print("choosing")
        return super().choose(state, tools)
