"""The nested family of REDS: score once, choose, permute, fine-tune all together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from reds_core.budget import SubnetworkBudget
from reds_core.framework import Family, member_kept
from reds_core.nested import NestedSolution, choose_above, top_down
from reds_core.network import Network
from reds_core.pruner import Choice, Pruner, PruningState, Step, Tools

SCORE, CHOOSE, EXTRACT, FINETUNE = "score", "choose", "extract", "finetune"


@dataclass(frozen=True)
class NestedOptions:
    """Options of `nested`.

    Attributes:
        family: which budget gives way where they disagree. bottom-up: the larger ones, which keep what the smaller
            keep and add to it; top-down: the smaller ones, which drop what the larger drop and more; joint: whichever
            costs least in value, summed over all budgets.
    """

    family: Literal["bottom-up", "top-down", "joint"] = "bottom-up"


class NestedPruner(Pruner):
    """Nested subnetworks (Corti et al., REDS, arXiv 2311.13349, section 3).

    Every larger subnetwork keeps what the smaller ones keep. Channels are permuted by score, so that every subnetwork
    is a prefix of one set of weights, and all are fine-tuned together. A bottom-up family is decided in one step a
    budget; the others in one step for all, since no member is settled before the last.
    """

    name = "nested"
    Options: ClassVar[type] = NestedOptions

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        groups = tuple(g.name for g in network.groups)
        stepwise = self.options.family == "bottom-up"
        choosing = [Step(_choosing(b), groups) for b in budgets] if stepwise else [Step(CHOOSE, groups)]
        finetuning = [Step(FINETUNE)] if finetune_epochs else []
        return [Step(SCORE), *choosing, Step(EXTRACT), *finetuning]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        if step.name == SCORE:
            return dataclasses.replace(state, scores=tools.score(tools.model))
        if step.name == EXTRACT:
            return dataclasses.replace(state, family=_extracted(state, tools))
        if step.name == FINETUNE:
            assert state.family is not None
            return dataclasses.replace(state, family=tools.finetune(state.family))
        if step.name == CHOOSE:
            return self._choose_all(state, tools)
        return self._choose(tools.budgets[len(state.choices)], state, tools)

    def _choose(self, budget: SubnetworkBudget, state: PruningState, tools: Tools) -> PruningState:
        assert state.scores is not None
        formulation = tools.formulate(state.scores, budget)
        smaller = None
        if state.choices:
            widths = state.choices[-1].widths
            groups = formulation.problem.groups
            smaller = [int(g.widths.searchsorted(widths[g.name])) for g in groups]
        member = choose_above(formulation.problem, smaller, tools.solve)
        return dataclasses.replace(state, order=formulation.order, choices=(*state.choices, _choice(member)))

    def _choose_all(self, state: PruningState, tools: Tools) -> PruningState:
        assert state.scores is not None
        formulations = [tools.formulate(state.scores, budget) for budget in tools.budgets]
        from reds_core.families.joint import joint  # not at the top: every command line loads every plugin

        problems = [f.problem for f in formulations]
        family = joint(problems, tools.solve) if self.options.family == "joint" else top_down(problems, tools.solve)
        choices = tuple(_choice(member) for member in family.members)
        return dataclasses.replace(state, order=formulations[0].order, choices=choices)


def _choice(member: NestedSolution) -> Choice:
    assert member.solution.widths is not None
    return Choice(member.solution.widths, member.solution, member.bound_independent)


def _choosing(budget: SubnetworkBudget) -> str:
    return f"choose {budget.name}"


def _extracted(state: PruningState, tools: Tools) -> Family[object]:
    """The permuted full network and its prefixes."""
    assert state.order is not None
    full = tools.extract(tools.model, state.order)
    widths = tuple(choice.widths for choice in state.choices)
    return Family(full, tuple(tools.extract(full, member_kept(w)) for w in widths), widths)
