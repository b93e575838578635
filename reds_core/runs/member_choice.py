"""Where one more member belongs in a finished family, and which widths and levels it has there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import InfeasibleError, InputError, command
from reds_core.knapsack.families import between
from reds_core.knapsack.levels import WIDTH, Dimension
from reds_core.knapsack.option_rows import choice_of
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.plan import SubnetworkRecord
from reds_core.pruning.pruner import Decision
from reds_core.runs.alignment import choose
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.search import Search


def position(family: FinishedFamily, budget: SubnetworkBudget) -> int:
    """The place of a new member in the family: the number of members that meet its budget."""
    fits = [
        not family.statement.part(member.exit).excesses(budget, member.widths, member.levels)
        for member in family.plan.subnetworks
    ]
    return fits.index(False) if False in fits else len(fits)


def choices_at(family: FinishedFamily, budget: SubnetworkBudget, place: int, search: Search) -> list[PlannedMember]:
    """The best choice for a budget at each exit of the network that meets it; the only one without early exits.

    Args:
        family: The family.
        budget: The budget.
        place: The number of smaller members, which the choices contain. The others contain them.
        search: The solver and its limits.

    Raises:
        InfeasibleError: If no exit meets the budget.
        InputError: If the plan states widths or levels of a member that cannot be chosen.
        NoChoiceError: If the solver stopped before it found a choice.
    """
    found, refusals = list[PlannedMember](), list[InfeasibleError]()
    for exit in family.statement.exits:
        try:
            decision = _decide(family, budget, place, exit, search)
        except InfeasibleError as error:
            refusals.append(error)
        else:
            part = family.statement.part(exit)
            found.append(PlannedMember(budget, decision, family.order, part, family.levels_of(exit)))
    if not found:
        raise refusals[0]
    return found


def _decide(family: FinishedFamily, budget: SubnetworkBudget, place: int, exit: str | None, search: Search) -> Decision:
    """The best choice for a budget at one exit, between the smaller and the larger members."""
    statement, members = family.statement.part(exit), family.plan.subnetworks
    unchanged = {g.name: np.arange(g.channels, dtype=np.int64) for g in statement.network.groups}
    problem = statement.formulate(family.scores, budget, unchanged).problem
    _check_choosable(problem, [member for member in members if member.exit == exit])
    # of several members that have a group or a layer, the nearest counts
    nested = between(problem, _levels_of(family, members[:place]), _levels_of(family, reversed(members[place:])))
    solution = choose(search, nested, statement.rules, statement.network.channels)
    independent = search.answer(problem).bound if members else solution.bound
    return replace(Decision.of(solution, independent), exit=exit)


def _check_choosable(problem: KnapsackProblem, members: Iterable[SubnetworkRecord]) -> None:
    """Refuse a plan that states what no choice of the problem has, such as a number of bits that is not offered."""
    for member in members:
        try:
            choice_of(problem, member.widths, member.levels)
        except ValueError as error:
            raise InputError(
                f"the plan states widths or levels of subnetwork '{member.name}' that cannot be chosen ({error})",
                f"run {command('prune')} again",
            ) from None


def _levels_of(family: FinishedFamily, members: Iterable[SubnetworkRecord]) -> dict[Dimension, int]:
    """The widths and levels that members have; those of the last that has them, where several do."""
    found = dict[Dimension, int]()
    for member in members:
        space = family.statement.part(member.exit).space
        if space is not None:  # a layer that a member does not name is left as it is, which is its last level
            found |= {Dimension(offer.site, offer.what): int(offer.levels[-1]) for offer in space.offers}
        found |= {Dimension(group, WIDTH): width for group, width in member.widths.items()}
        found |= dict(member.levels.chosen())
    return found
