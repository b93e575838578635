"""Values of subnetworks by the scores of the input model, which make all strategies comparable."""

from __future__ import annotations

from collections.abc import Mapping

from reds_core.cost import SubnetworkBudget
from reds_core.errors import NoChoiceError
from reds_core.formulation import channel_order
from reds_core.knapsack import Solution, Status, choice_of, relative_gap
from reds_core.network import Kept
from reds_core.pruning import Tools
from reds_core.scoring import ScoreTable


def proven_bound(scores: ScoreTable, budget: SubnetworkBudget, tools: Tools) -> int | None:
    """A proven upper bound on the value of every subnetwork within the budget, or None if there is none.

    There is none with scores of pairs, since the value of a set of channels then depends on the order of the others.

    Raises:
        InfeasibleError: if no subnetwork meets the budget.
    """
    if scores.pairs:
        return None
    try:
        return tools.solve(tools.formulate(scores, budget).problem, exact=True).bound
    except NoChoiceError:
        return None


def measured(
    tools: Tools,
    scores: ScoreTable,
    budget: SubnetworkBudget,
    widths: Mapping[str, int],
    kept: Kept,
    bound: int | None = None,
    chosen: Solution | None = None,
) -> Solution:
    """A subnetwork, however it was chosen, as a solution of the problem formulated with `scores`.

    Args:
        tools: The tools of the step.
        scores: The scores of the channels of the input model.
        budget: The budget of the subnetwork.
        widths: The width of each group.
        kept: For each group the channels of the input model that the subnetwork keeps.
        bound: An upper bound on its value, from `proven_bound`.
        chosen: The solution that chose it, for the solver and its time; None if no solver was asked.
    """
    # kept channels by descending score, so that sums are rounded as in the problem that gave the bound
    problem = tools.formulate(scores, budget, channel_order(scores, kept)).problem
    choice = choice_of(problem, widths)
    found = problem.evaluate(choice)
    return Solution(
        status=Status.OPTIMAL if bound == found.value else Status.FEASIBLE,
        limit=None,
        choice=choice,
        value=found.value,
        bound=bound,
        gap=relative_gap(found.value, bound),
        widths=dict(widths),
        usage=found.usage,
        wall_s=0.0 if chosen is None else chosen.wall_s,
        backend_s=None,
        solver="none" if chosen is None else chosen.solver,
        version="" if chosen is None else chosen.version,
        detail=("valued by the scores of the input model",),
        alignment=None if chosen is None else chosen.alignment,
    )
