"""A fallback choice that is found quickly, and is feasible if the narrowest network is.

Solvers compute it before they build a table, so that they have a choice to return when a limit of time or memory stops
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reds_core.arrays import FloatArray, Table
from reds_core.knapsack.problem import KnapsackProblem, PeakResource
from reds_core.knapsack.solution import Answer, Limit, Status

_ROUNDS = 3
"""The number of rounds in which every group takes its cheapest option, given the options of the others."""


def cheapest_choice(problem: KnapsackProblem, hint: Sequence[int] | None = None) -> tuple[int, ...] | None:
    """The best feasible choice among a few of low cost, or None if none of them is feasible.

    Takes time linear in the number of options. If costs rise with widths, as in every network, None proves that no
    choice is feasible. Otherwise it proves nothing, because groups take their cheapest options one after the other.

    Args:
        problem: the problem.
        hint: another choice to try, which need not be feasible.
    """
    best: tuple[int, tuple[int, ...]] | None = None
    seen = set()
    for choice in (*(() if hint is None else (tuple(hint),)), *_candidates(problem)):
        if choice in seen:
            continue
        seen.add(choice)
        evaluation = problem.evaluate(choice)
        if evaluation.feasible and (best is None or evaluation.value > best[0]):
            best = evaluation.value, choice
    return None if best is None else best[1]


def trivial_bound(problem: KnapsackProblem) -> int:
    """An upper bound on the value of every choice: the sum of the largest entry of each value table."""
    total = sum(int(np.max(g.values)) for g in problem.groups)
    return total + sum(int(np.max(p.values)) for p in problem.pairs if p.values is not None)


def cheapest_answer(problem: KnapsackProblem, limit: Limit, why: str, hint: Sequence[int] | None = None) -> Answer:
    """The answer of a solver that stops before its search: the cheapest choice, if it is feasible, and a bound.

    Args:
        limit: what stopped the solver.
        why: the same in words, for the user.
        hint: a choice that is used if it is better.
    """
    choice, bound = cheapest_choice(problem, hint), trivial_bound(problem)
    if choice is None:
        return Answer(Status.NO_SOLUTION, bound=bound, limit=limit, detail=(why,))
    if problem.evaluate(choice).value == bound:
        return Answer(Status.OPTIMAL, choice, bound, detail=(why,))
    return Answer(
        Status.FEASIBLE, choice, bound, limit, detail=(why, "the choice is the best one known before a search")
    )


def cheapest_where_memory_ends(
    problem: KnapsackProblem, hint: Sequence[int] | None, solve: Callable[[], Answer]
) -> Answer:
    """The answer of `solve`, or the better of the cheapest choice and `hint` if it runs out of memory."""
    try:
        return solve()
    except MemoryError:
        return cheapest_answer(problem, Limit.MEMORY, "the solver ran out of memory", hint)


def _candidates(problem: KnapsackProblem) -> Iterator[tuple[int, ...]]:
    yield problem.ceilings
    yield problem.floors
    if any(low > high for low, high in zip(problem.floors, problem.ceilings, strict=True)) or _is_least(problem):
        return
    count = len(problem.resources)
    scales = np.array([1.0 / max(abs(r.capacity), 1) for r in problem.resources])
    for weights in (scales, *(np.eye(count)[r] for r in range(count if count > 1 else 0))):
        yield _descended(problem, weights)


def _is_least(problem: KnapsackProblem) -> bool:
    """Whether the floors are known to minimise every cost.

    False if there are negative bilinear coefficients or tables of pair costs, which are not examined.
    """
    spans = [slice(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]
    terms: list[tuple[int, Table]]
    for resource in problem.resources:
        if isinstance(resource, PeakResource):
            terms = [entry for s in resource.steps for entry in zip(s.groups, s.costs, strict=True)]
        else:
            if any(c < 0 for c in resource.bilinear) or any(t is not None for t in resource.pair_costs):
                return False
            for pair, coefficient in zip(problem.pairs, resource.bilinear, strict=True):
                if coefficient and not all(_starts_narrowest(problem, g, spans[g]) for g in (pair.first, pair.second)):
                    return False
            terms = list(enumerate(resource.costs))
        for g, costs in terms:
            if costs is not None and costs[problem.floors[g]] > costs[spans[g]].min():
                return False
    return True


def _starts_narrowest(problem: KnapsackProblem, g: int, span: slice) -> bool:
    """Whether no option in `span` is narrower than the first one."""
    widths = problem.groups[g].widths[span]
    return bool(widths[0] == widths.min())


def _descended(problem: KnapsackProblem, weights: Sequence[float]) -> tuple[int, ...]:
    """Coordinate descent from the floors: each group in turn takes its option of least weighted cost."""
    choice = list(problem.floors)
    terms = [_own_costs(problem, g, weights) for g in range(len(problem.groups))]
    pairs: list[list[int]] = [[] for _ in problem.groups]
    for k, pair in enumerate(problem.pairs):
        pairs[pair.first].append(k)
        pairs[pair.second].append(k)
    for _ in range(_ROUNDS):
        before = list(choice)
        for g, (low, high) in enumerate(zip(problem.floors, problem.ceilings, strict=True)):
            cost = terms[g].copy()
            for k in pairs[g]:
                cost += _cost_beside(problem, k, g, choice, weights)
            choice[g] = low + int(cost[low : high + 1].argmin())
        if choice == before:
            break
    return tuple(choice)


def _own_costs(problem: KnapsackProblem, g: int, weights: Sequence[float]) -> FloatArray:
    """The weighted cost of each option of one group without pair terms, float64 (options,).

    The steps of a peak resource are added up.
    """
    cost = np.zeros(problem.groups[g].options)
    for resource, weight in zip(problem.resources, weights, strict=True):
        if isinstance(resource, PeakResource):
            tables = [c for s in resource.steps for i, c in zip(s.groups, s.costs, strict=True) if i == g]
        else:
            tables = [resource.costs[g]]
        for table in tables:
            if table is not None:
                cost += weight * table
    return cost


def _cost_beside(
    problem: KnapsackProblem, k: int, g: int, choice: Sequence[int], weights: Sequence[float]
) -> FloatArray:
    """The weighted cost of pair `k` for each option of its group `g`, float64 (options,), given the other's option."""
    pair = problem.pairs[k]
    other = pair.second if pair.first == g else pair.first
    at, cost = choice[other], np.zeros(problem.groups[g].options)
    summed = [weight for r, weight in zip(problem.resources, weights, strict=True) if not isinstance(r, PeakResource)]
    for term, weight in zip(problem.pair_terms[k][1:], summed, strict=True):
        if term is not None:
            cost += weight * (term.turned if pair.first == g else term).row(at)
    return cost
