"""Choice of the exit at which each subnetwork of a model with early exits ends."""

from __future__ import annotations

import dataclasses

from reds_core.errors import InfeasibleError
from reds_core.knapsack import WIDTH, Dimension
from reds_core.knapsack.families import choose_containing
from reds_core.pruning import Decision, PruningState, Tools, exit_trial_epochs


def choose_exit_above(budget: int, state: PruningState, tools: Tools, apart: bool) -> PruningState:
    """The state with the best choice for a budget over all exits, among those that contain the smaller subnetworks.

    The knapsack problem of each exit is solved by itself, with the costs of the layers that the exit needs. Of the
    networks that are found, the one with the smallest loss on held-back data is chosen, after all were trained for a
    part of the run's epochs if the run trains at all: before, the losses of deep networks say little. Without data, the
    last exit that meets the budget is chosen.

    Args:
        budget: the index of the budget.
        state: the state of the run, with the choices for smaller budgets.
        tools: the tools of the run.
        apart: whether the run trains each subnetwork by itself, as the comparison then does too. Otherwise the
            comparison trains them together with the full network, whose weights they share: an early exit that does
            well by itself can do badly with the weights that the others need.

    Raises:
        InfeasibleError: if no exit meets the budget.
    """
    order = tools.formulate(state.scores, tools.budgets[budget]).order
    found, refusals = list[Decision](), list[InfeasibleError]()
    for exit in tools.exits:
        try:
            found.append(_best_at(exit, budget, state, tools))
        except InfeasibleError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    best = found[-1]
    if len(found) > 1 and tools.has_data:
        cut = dataclasses.replace(state, order=order, choices=tuple(found))
        losses = tools.trial_losses(cut, exit_trial_epochs(tools.finetune_epochs), apart)
        best = found[losses.index(min(losses))]
    return dataclasses.replace(state, order=order, choices=(*state.choices, best))


def _best_at(exit: str | None, budget: int, state: PruningState, tools: Tools) -> Decision:
    """The best choice for a budget at one exit."""
    problem = tools.formulate(state.scores, tools.budgets[budget], exit=exit).problem
    member = choose_containing(problem, _decided(state), tools.solve)
    return dataclasses.replace(Decision.of(member.solution, member.bound_independent), exit=exit)


def _decided(state: PruningState) -> dict[Dimension, int]:
    """The levels that the smaller subnetworks have; those of the largest that has them, where several do."""
    found = dict[Dimension, int]()
    for choice in state.choices:
        found |= {Dimension(group, WIDTH): width for group, width in choice.widths.items()}
        found |= dict(choice.settings.chosen())
    return found
