"""The course of a solve: checks before the search, the search, and the answer after it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reds_core.knapsack import (
    Answer,
    Controls,
    KnapsackProblem,
    Limit,
    Status,
    cheapest_answer,
    cheapest_choice,
    trivial_bound,
)
from reds_core.knapsack.compiled import described
from reds_core.knapsack.inference import (
    Elimination,
    Mask,
    Scope,
    eliminate,
    open_sizes,
    pair_scopes,
    peak_masks,
    peak_scopes,
    possible_options,
    table_bytes,
)
from reds_core.system import why_too_much
from reds_dp.proof import prove
from reds_dp.search import DpSearch, NothingBetter, OutOfMemory, OutOfTime, SearchLimits

_FEW_OPTIONS = 1 << 13
"""With at most this many options, the cheapest choice takes a few milliseconds."""


def plan(problem: KnapsackProblem, table_limit: int) -> tuple[Elimination, list[Scope]]:
    """An elimination order, and the scopes of the peak steps that fit in its buckets.

    Peak steps are added to the group graph as cliques if all tables stay within `table_limit`. Otherwise, the steps
    that fit in no bucket are left to label setting, which checks them on partial choices.

    Args:
        problem: the problem.
        table_limit: the largest number of entries of a table.
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


def needed_bytes(problem: KnapsackProblem, order: Elimination, masked: Sequence[Scope]) -> int:
    """The memory of all tables and messages of max-sum along `order`, with masks over the scopes `masked`, in bytes."""
    messages = sum(math.prod(order.sizes[a] for a in separator) for separator in order.separators)
    masks = sum(math.prod(order.sizes[g] for g in scope) for scope in masked)
    # a mask is held as bool and as float64
    return table_bytes(problem, order.sizes) + 8 * messages + 9 * masks


def _searched(search: DpSearch, masks: Sequence[Mask]) -> tuple[Limit | None, bool]:
    """Search to the end or to a limit.

    Returns:
        The limit that was reached, or None, and whether the incumbent is proven to be close enough to the optimum.
    """
    try:
        # the tables have no name here, so that they are freed as soon as smaller ones replace them
        prove(search, search.build(masks))
    except NothingBetter:
        return None, True
    except OutOfTime:
        return Limit.TIME, False
    except OutOfMemory:
        return Limit.MEMORY, False


def answer(problem: KnapsackProblem, table_limit: int, limits: SearchLimits, controls: Controls) -> Answer:
    """The proven optimum, a proof that there is no choice, or what is known when a limit is reached.

    Nothing is allocated beyond the memory limit. If a limit is reached, the answer is no worse than the cheapest
    choice, which is computed before any table is built if there are many options.

    Args:
        problem: the problem.
        table_limit: the largest number of entries of a table.
        limits: when to stop.
        controls: supplies the hint and the known bound.
    """
    hint = controls.hint
    kept = possible_options(problem)
    if kept is None:
        return Answer(Status.INFEASIBLE, detail=("a step of a peak resource exceeds its capacity with every choice",))
    order, held = plan(problem, table_limit)
    why = why_too_much("its tables take", needed_bytes(problem, order, held), limits.memory)
    if why is not None:
        return cheapest_answer(problem, Limit.MEMORY, why, hint)
    search = DpSearch(problem, order, kept, limits, controls.known_bound)
    # on few options it takes no time worth keeping free, so it is computed only if the search is stopped
    few = sum(order.sizes) <= _FEW_OPTIONS
    first = None if few else cheapest_choice(problem)
    if hint is not None and not search.record(hint).feasible:
        search.near = hint
    limit, proven = _searched(search, peak_masks(problem, kept, table_limit, held))
    return _concluded(search, first, limit, proven)


def _concluded(search: DpSearch, first: tuple[int, ...] | None, limit: Limit | None, proven: bool) -> Answer:
    """The answer after a search has ended. `first` is a choice that the search does not know."""
    detail = (
        f"{search.labels} partial choice{'' if search.labels == 1 else 's'} examined",
        f"computed with {described()}",
    )
    if not proven and first is None:
        first = cheapest_choice(search.problem)
    if not proven and first is not None:
        search.record(first)
    best = search.incumbent
    if best is None and proven:
        return Answer(Status.INFEASIBLE, detail=detail)
    bound = search.proven_bound() if proven else search.bound
    if bound is None:
        bound = trivial_bound(search.problem)
    if best is None:
        return Answer(Status.NO_SOLUTION, bound=bound, limit=limit, detail=detail)
    if bound <= best.value:
        return Answer(Status.OPTIMAL, best.choice, best.value, detail=detail)
    return Answer(Status.FEASIBLE, best.choice, bound, Limit.GAP if proven else limit, detail=detail)
