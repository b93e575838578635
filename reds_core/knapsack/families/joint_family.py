"""The best of all nested families: the largest weighted sum of values over all budgets, with a proof.

Let `goal` be a weighted value above that of the best anchored family. In a family that reaches the goal, each member
must be worth at least the goal minus the largest values of all others. This excludes most options of every budget.
Nesting propagates the exclusions between budgets: every option must contain one that a smaller member can have, and lie
within one that a larger member can have. This lowers the largest value of each budget, and the argument repeats. The
choices that remain for each budget are enumerated and joined into nested families. Goals are tried from the highest
down: a family found at a high goal is proven best with few choices, and a goal that fails lowers the bound. If too many
choices remain, `reds_core.knapsack.families.branching` takes over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.knapsack.families.anchoring import FamilySolution, FamilySolver, MemberSolution, Solve, weighted_sum
from reds_core.knapsack.families.branching import Branching
from reds_core.knapsack.families.enumeration import FamilyLimits, GivenUp, NearOptimal, near_optimal
from reds_core.knapsack.families.order import FamilyOrder
from reds_core.knapsack.families.region import Region, TableTooLarge, narrow, whole, within
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Status, relative_gap

_SHARES = (64, 8, 1)
"""The goals to try: the bound minus the gap divided by each of these."""

_WORTHWHILE = 0.9
_JOIN_BLOCK = 2**22


def joint(
    problems: Sequence[KnapsackProblem],
    solve: Solve,
    weights: Sequence[int] | None = None,
    limits: FamilyLimits | None = None,
) -> FamilySolution:
    """The nested family of the largest weighted value, or the best one found with a bound.

    Args:
        problems: one problem for each budget, smallest first; they differ only in their capacities.
        solve: any solver. The better its choices and bounds, the fewer choices are enumerated.
        weights: weights of the values, integers above 0; None for equal weights.
        limits: limits of the enumeration, and of the branching that follows if it is given up.

    Returns:
        A family. If it is not proven optimal, `detail` says what stopped the proof. The members of a family that is not
        anchored are solutions between the next smaller and the next larger member, and optimal there if the family is.

    Raises:
        InputError, InfeasibleError, NoChoiceError: see `reds_core.knapsack.families.anchoring.anchored`.
    """
    families = FamilySolver(problems, solve, weights)
    best = _best_anchored(families)
    if best.optimal:
        return best
    search = _Search(families, limits or FamilyLimits(), best)
    try:
        return search.run()
    except (GivenUp, TableTooLarge) as why:
        return search.branched(str(why))


def _best_anchored(families: FamilySolver) -> FamilySolution:
    """The best family that is anchored at one of the budgets."""
    found: list[FamilySolution] = []
    failure: InfeasibleError | NoChoiceError | None = None
    for anchor in range(len(families.problems)):
        try:
            found.append(families.anchored(anchor))
        except (InfeasibleError, NoChoiceError) as error:
            failure = failure or error
        if found and found[-1].optimal:
            break
    if failure is not None and not found:
        raise failure
    return max(found, key=lambda f: f.weighted_value)


@dataclass(frozen=True, eq=False)
class _Open:
    """The choices of one budget before they are enumerated.

    Attributes:
        region: the region that contains them.
        target: the target that the region was last narrowed by, or None.
        bound: an upper bound on their values.
        options: for each group, the option indices among them, int64 (kept,), rising.
        size: a measure of the work of enumerating them.
    """

    region: Region
    target: int | None = None

    @property
    def bound(self) -> int:
        return self.region.bound

    @property
    def options(self) -> Sequence[IntArray]:
        return self.region.factors.kept

    @property
    def size(self) -> float:
        return sum(math.log(n) for n in self.region.factors.sizes)

    def narrowed(self, target: int, allowed: Sequence[BoolArray]) -> _Open | None:
        """The choices of allowed options that are worth at least `target`; None if none is left.

        Args:
            target: the smallest value of interest.
            allowed: which options each group may have, bool (options,).
        """
        inside = within(self.region, allowed)
        if inside is not None and inside.options == self.region.options and target == self.target:
            return self
        left = None if inside is None else narrow(inside, target)
        return None if left is None else _Open(left, target)


@dataclass(frozen=True, eq=False)
class _Listed:
    """The enumerated choices of one budget. Attributes: see `_Open`."""

    found: NearOptimal

    @property
    def bound(self) -> int:
        return int(self.found.values[0])

    @cached_property
    def options(self) -> Sequence[IntArray]:
        return [np.flatnonzero(np.bincount(column)) for column in self.found.choices.T]

    @property
    def size(self) -> float:
        return math.log(len(self.found.values))

    def narrowed(self, target: int, allowed: Sequence[BoolArray]) -> _Listed | None:
        """See `_Open.narrowed`."""
        choices, values = self.found.choices, self.found.values
        keep = values >= target
        for mask, column in zip(allowed, choices.T, strict=True):
            if not mask.all():
                keep &= mask[column]
        return _Listed(NearOptimal(choices[keep], values[keep])) if keep.any() else None


class _Search:
    """The search for a family better than `best`.

    Attributes:
        bound: a proven upper bound on the weighted value of every nested family, or None if there is none yet.
    """

    def __init__(self, families: FamilySolver, limits: FamilyLimits, best: FamilySolution) -> None:
        self.bound = best.bound
        self._families = families
        self._limits = limits
        self._best = best
        self._started = time.perf_counter()
        self._deadline = None if limits.time_limit_s is None else self._started + limits.time_limit_s
        self._enumerated = [0] * len(families.problems)
        self._bounds = [m.bound_independent for m in best.members]

    def run(self) -> FamilySolution:
        """Find the best of all families.

        Raises:
            GivenUp, TableTooLarge: if a limit prevents the proof. `bound` is then the best one proven.
        """
        spaces = [self._whole(b) for b in range(len(self._families.problems))]
        self._bounds = [int(s.bound) for s in spaces]
        value = self._best.weighted_value
        bound = max(value, self._weighted([s.bound for s in spaces]))
        self.bound = bound
        for share in _SHARES:
            goal = max(value + 1, bound - (bound - value) // share)
            if goal > self.bound:
                continue
            found = self._at_least(goal, list(spaces))
            if found is not None:
                return found
            self.bound = goal - 1
        return replace(self._best, bound=value, enumerated=tuple(self._enumerated))

    def _whole(self, budget: int) -> _Open:
        region = whole(self._families.problems[budget])
        assert region is not None  # it contains the solution of the budget
        free = self._families.free(budget)
        proved = None if free is None else free.bound
        return _Open(region if proved is None else replace(region, bound=min(region.bound, proved)))

    def _weighted(self, values: Sequence[int]) -> int:
        return weighted_sum(self._families.weights, values)

    def _at_least(self, goal: int, spaces: list[_Open | _Listed]) -> FamilySolution | None:
        """The best family if it is worth at least `goal`, else None."""
        self._enumerated = [0] * len(spaces)
        while self._settled(goal, spaces):
            left = {b: space for b, space in enumerate(spaces) if isinstance(space, _Open)}
            if not left:
                return self._joined(goal, spaces)
            budget = min(left, key=lambda b: spaces[b].size)
            space = left[budget]
            target = self._target(goal, spaces, budget)
            found = near_optimal(space.region, target, self._limits, self._deadline)
            self._enumerated[budget] = len(found.values)
            if not len(found.values):
                return None
            spaces[budget] = _Listed(found)
        return None

    def _target(self, goal: int, spaces: Sequence[_Open | _Listed], budget: int) -> int:
        """The least value of the member of `budget` in a family worth at least `goal`."""
        weight = self._families.weights[budget]
        others = self._weighted([s.bound for s in spaces]) - weight * spaces[budget].bound
        return -((others - goal) // weight)

    def _settled(self, goal: int, spaces: list[_Open | _Listed]) -> bool:
        """Narrow all of `spaces` by the goal and by their neighbours. False if no choice of a budget is left."""
        upwards = range(len(spaces))
        while True:
            before = sum(s.size for s in spaces)
            for b in (*upwards, *reversed(upwards)):
                narrowed = spaces[b].narrowed(self._target(goal, spaces, b), self._allowed(spaces, b))
                if narrowed is None:
                    return False
                spaces[b] = narrowed
            if sum(s.size for s in spaces) >= _WORTHWHILE * before:
                return True

    def _allowed(self, spaces: Sequence[_Open | _Listed], budget: int) -> list[BoolArray]:
        """The options that contain one of the next smaller budget and lie within one of the next larger budget."""
        order = self._families.order
        allowed = [np.ones(g.options, np.bool_) for g in self._families.problems[budget].groups]
        for g, mask in enumerate(allowed):
            if budget:
                mask &= order.above(g, spaces[budget - 1].options[g])
            if budget + 1 < len(spaces):
                mask &= order.below(g, spaces[budget + 1].options[g])
        return allowed

    def _joined(self, goal: int, spaces: Sequence[_Open | _Listed]) -> FamilySolution | None:
        lists = [s.found for s in spaces if isinstance(s, _Listed)]
        chain = best_chain(lists, self._families.weights, goal, self._families.order)
        if chain is None:
            return None
        members = self._members([tuple(lists[b].choices[at].tolist()) for b, at in enumerate(chain)], True)
        value = self._weighted([m.value for m in members])
        return FamilySolution(members, self._families.weights, value, tuple(self._enumerated))

    def branched(self, why: str) -> FamilySolution:
        """The best of all families by branching, or the best known one with a bound.

        Args:
            why: why the enumeration was given up.
        """
        families, best = self._families, self._best
        note = f"not proved to be the best of all families: {why}"
        if self.bound is None:
            return replace(best, bound=None, detail=(note,))
        branching = Branching(
            families.problems, families.weights, families.order, families.solve, self._limits.solves, self._deadline
        )
        free = [families.free(b) for b in range(len(families.problems))]
        found = branching.run(free, best.weighted_value, self.bound)
        members = best.members if found.choices is None else self._members(found.choices, found.stopped is None)
        detail = () if found.stopped is None else (f"{note}, and {found.stopped}",)
        return FamilySolution(members, families.weights, found.bound, solves=found.solves, detail=detail)

    def _members(self, choices: Sequence[tuple[int, ...]], proved: bool) -> tuple[MemberSolution, ...]:
        """The members of a family. `proved` says whether the family is proven optimal."""
        seconds = (time.perf_counter() - self._started) / len(choices)
        return tuple(self._member(b, choice, proved, seconds) for b, choice in enumerate(choices))

    def _member(self, budget: int, choice: tuple[int, ...], proved: bool, seconds: float) -> MemberSolution:
        """`choice` as the solution of its budget between its neighbours in the family."""
        problem, anchored = self._families.problems[budget], self._best.members[budget].solution
        evaluation = problem.evaluate(choice)
        bound = evaluation.value if proved else self._bounds[budget]
        solution = replace(
            anchored,
            status=Status.OPTIMAL if bound == evaluation.value else Status.FEASIBLE,
            limit=None,
            choice=choice,
            value=evaluation.value,
            bound=bound,
            gap=relative_gap(evaluation.value, bound),
            widths=problem.widths(choice),
            usage=evaluation.usage,
            settings=problem.settings(choice),
            wall_s=anchored.wall_s + seconds,
            detail=("chosen together with the other budgets",),
        )
        return MemberSolution(solution, choice, evaluation.value, self._bounds[budget])


def best_chain(lists: Sequence[NearOptimal], weights: Sequence[int], goal: int, order: FamilyOrder) -> list[int] | None:
    """The nested chain of the largest weighted value.

    Args:
        lists: the choices of each budget, smallest budget first.
        weights: weights of the values.
        goal: the smallest weighted value of interest.
        order: the order of the options of each group.

    Returns:
        One index into each list, or None if no chain is worth at least `goal`.
    """
    totals = weights[0] * lists[0].values
    members = np.arange(len(totals))
    trail: list[tuple[IntArray, IntArray]] = [(members, members)]
    for b in range(1, len(lists)):
        rest = sum(w * int(x.values[0]) for w, x in zip(weights[b + 1 :], lists[b + 1 :], strict=True))
        gains = weights[b] * lists[b].values
        smaller = _smaller(lists[b - 1].choices[members], totals, lists[b].choices, gains, goal - rest, order)
        members = np.flatnonzero(smaller >= 0)
        smaller = smaller[members]
        totals = totals[smaller] + gains[members]
        trail.append((members, smaller))
    if not len(totals) or int(totals.max()) < goal:
        return None
    at, chain = int(totals.argmax()), []
    for members, smaller in reversed(trail):
        chain.append(int(members[at]))
        at = int(smaller[at])
    return chain[::-1]


def _smaller(
    inner: IntArray, totals: IntArray, outer: IntArray, gains: IntArray, needed: int, options: FamilyOrder
) -> IntArray:
    """For each `outer` choice, the index of the `inner` choice of the largest total that is nested in it.

    Returns:
        int64 (outer,); -1 if no nested choice has a total that reaches `needed` together with the gain.
    """
    order = np.argsort(-totals, kind="stable")
    found = np.full(len(outer), -1)
    open_ = np.arange(len(outer))
    step = max(_JOIN_BLOCK // max(outer.size, 1), 1)
    for start in range(0, len(order), step):
        block = order[start : start + step]
        open_ = open_[totals[block[0]] + gains[open_] >= needed]
        if not len(open_):
            break
        fits = options.nested(inner[block], outer[open_])
        hit = fits.any(axis=1)
        found[open_[hit]] = block[fits[hit].argmax(axis=1)]
        open_ = open_[~hit]
    return found
