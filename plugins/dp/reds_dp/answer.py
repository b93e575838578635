"""From a problem to an answer: what can be said before any search, the search, and what its end means."""

from __future__ import annotations

from reds_core.inference.elimination import Elimination, Scope, eliminate, open_sizes, pair_scopes, peak_scopes
from reds_core.inference.factors import build_factors, peak_masks, possible_options
from reds_core.problem import IntArray, KnapsackProblem
from reds_core.solution import Answer, Limit, Status
from reds_dp.proof import prove
from reds_dp.search import Limits, NothingBetter, OutOfLabels, OutOfTime, Search, trivial_bound


def plan(problem: KnapsackProblem, table_limit: int) -> tuple[Elimination, list[Scope]]:
    """An elimination order, and the groups of those peak steps that have a place in its buckets.

    Peak steps join the group graph as cliques where tables stay within `table_limit`; otherwise the steps that fit
    nowhere are left to label setting, which checks them choice by choice.
    """
    sizes, pairs, peaks = open_sizes(problem), pair_scopes(problem), peak_scopes(problem)
    order = eliminate(sizes, [*pairs, *peaks])
    if max(order.entries) <= table_limit:
        return order, peaks
    order = eliminate(sizes, pairs, peaks)
    rank = {g: i for i, g in enumerate(order.processing)}
    lasts = [max(scope, key=rank.__getitem__) for scope in peaks]
    held = [s for s, last in zip(peaks, lasts, strict=True) if set(s) <= {last, *order.separators[last]}]
    return order, held


def _search(
    problem: KnapsackProblem, kept: tuple[IntArray, ...], table_limit: int, limits: Limits, hint: tuple[int, ...] | None
) -> tuple[Search, Limit | None, bool]:
    """Search to the end or to a limit; the search, the limit met, and whether the incumbent is proven best."""
    order, held = plan(problem, table_limit)
    factors = build_factors(problem, kept, peak_masks(problem, kept, table_limit, held))
    search = Search(problem, order, factors, limits)
    if hint is not None:
        search.offer(hint)
    try:
        prove(search, factors)
    except NothingBetter:
        return search, None, True
    except OutOfTime:
        return search, Limit.TIME, False
    except OutOfLabels:
        return search, Limit.MEMORY, False


def answer(problem: KnapsackProblem, table_limit: int, limits: Limits, hint: tuple[int, ...] | None) -> Answer:
    """The proven optimum, proof that there is no choice, or what is known when a limit is met."""
    kept = possible_options(problem)
    if kept is None:
        return Answer(Status.INFEASIBLE, detail=("a step of a peak resource is over its capacity with every choice",))
    search, limit, proven = _search(problem, kept, table_limit, limits, hint)
    best = search.incumbent
    detail = (f"{search.labels} partial choice{'' if search.labels == 1 else 's'} looked at",)
    if best is None:
        if proven:
            return Answer(Status.INFEASIBLE, detail=detail)
        bound = trivial_bound(problem) if search.bound is None else search.bound
        return Answer(Status.NO_SOLUTION, bound=bound, limit=limit, detail=detail)
    if proven or (search.bound is not None and search.bound <= best.value):
        return Answer(Status.OPTIMAL, best.choice, best.value, detail=detail)
    bound = trivial_bound(problem) if search.bound is None else search.bound
    return Answer(Status.FEASIBLE, best.choice, bound, limit, detail=detail)
