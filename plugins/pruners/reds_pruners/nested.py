"""The nested family of REDS: score once, choose bottom-up, permute, fine-tune all together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from reds_core.budget import SubnetworkBudget
from reds_core.framework import Family, member_kept
from reds_core.nested import choose_above
from reds_core.network import Network
from reds_core.pruner import Choice, Pruner, PruningState, Step, Tools

SCORE, EXTRACT, FINETUNE = "score", "extract", "finetune"


class NestedPruner(Pruner):
    """Bottom-up nested subnetworks (Corti et al., REDS, arXiv 2311.13349, section 3).

    The smallest budget is solved first; each larger subnetwork keeps what the smaller ones keep and adds to it.
    Channels are permuted by score, so that every subnetwork is a prefix of one set of weights, and all are fine-tuned
    together.
    """

    name = "nested"

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        groups = tuple(g.name for g in network.groups)
        choosing = [Step(_choosing(budget), groups) for budget in budgets]
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
        assert member.solution.widths is not None
        choice = Choice(member.solution.widths, member.solution, member.bound_independent)
        return dataclasses.replace(state, order=formulation.order, choices=(*state.choices, choice))


def _choosing(budget: SubnetworkBudget) -> str:
    return f"choose {budget.name}"


def _extracted(state: PruningState, tools: Tools) -> Family[object]:
    """The permuted full network and its prefixes."""
    assert state.order is not None
    full = tools.extract(tools.model, state.order)
    widths = tuple(choice.widths for choice in state.choices)
    return Family(full, tuple(tools.extract(full, member_kept(w)) for w in widths), widths)
