"""The best of all nested families: the largest weighted sum of values over all budgets, and its proof.

Let `goal` be more than the best anchored family is worth. A member of a family worth the goal can be worth as little as
goal - what all others can be worth at most. That excludes most options of every budget; nesting carries what is
excluded from one budget to the next (no option below what a smaller member must have, none above what a larger one can
have), which lowers what each can be worth, and so on. The choices that remain for each budget are enumerated and joined
under nesting. Goals are asked from the top down, so that a family that is found at a high goal is proved best by few
choices, and a goal that fails lowers the bound. Where too many choices remain, `reds_core.knapsack.families.branching`
takes over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.knapsack.families.anchoring import FamilySolution, FamilySolver, MemberSolution, Solve, weighted_sum
from reds_core.knapsack.families.branching import Branching
from reds_core.knapsack.families.enumeration import FamilyLimits, GivenUp, NearOptimal, near_optimal
from reds_core.knapsack.families.region import Region, TableTooLarge, narrow, whole, within
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Status, relative_gap

_SHARES = (64, 8, 1)
"""Goals asked: the bound less the gap divided by each of these."""

_WORTHWHILE = 0.9
_JOIN_BLOCK = 2**22


def joint(
    problems: Sequence[KnapsackProblem],
    solve: Solve,
    weights: Sequence[int] | None = None,
    limits: FamilyLimits | None = None,
) -> FamilySolution:
    """The family of the largest weighted value, or the best anchored one with a bound.

    Args:
        problems: smallest budget first; they differ in their capacities only.
        solve: any solver; the better its choices and bounds, the less is enumerated.
        weights: of the values, whole and above 0; None for all equal.
        limits: of the enumeration, and of the branching that follows where it is given up.

    Returns:
        A family; `detail` says what stopped the proof where it is not proved optimal. Members of a family that no
        budget anchors are solutions of their budgets between the floors of the smaller member and the ceilings of the
        larger, where they are optimal if the family is.

    Raises:
        InputError, InfeasibleError, NoChoiceError: as `reds_core.knapsack.families.anchoring.anchored`.
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
    """The best family that one of the budgets anchors."""
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
    """Choices of one budget, not enumerated.

    Attributes:
        target: what the region was last narrowed by; None before.
        bound: none is worth more.
        low, high: none has an option below or above, one option index a group.
        size: grows with the work of enumerating them.
    """

    region: Region
    target: int | None = None

    @property
    def bound(self) -> int:
        return self.region.bound

    @property
    def low(self) -> list[int]:
        return [int(k[0]) for k in self.region.factors.kept]

    @property
    def high(self) -> list[int]:
        return [int(k[-1]) for k in self.region.factors.kept]

    @property
    def size(self) -> float:
        return sum(math.log(n) for n in self.region.factors.sizes)

    def narrowed(self, target: int, low: Sequence[int], high: Sequence[int]) -> _Open | None:
        """Without choices outside `low` and `high` or worth less than `target`; None if none is left."""
        inside = within(self.region, low, high)
        if inside is not None and inside.options == self.region.options and target == self.target:
            return self
        left = None if inside is None else narrow(inside, target)
        return None if left is None else _Open(left, target)


@dataclass(frozen=True, eq=False)
class _Listed:
    """Choices of one budget, enumerated; attributes as of `_Open`."""

    found: NearOptimal

    @property
    def bound(self) -> int:
        return int(self.found.values[0])

    @property
    def low(self) -> list[int]:
        return [int(i) for i in self.found.choices.min(axis=0)]

    @property
    def high(self) -> list[int]:
        return [int(i) for i in self.found.choices.max(axis=0)]

    @property
    def size(self) -> float:
        return math.log(len(self.found.values))

    def narrowed(self, target: int, low: Sequence[int], high: Sequence[int]) -> _Listed | None:
        """As of `_Open`."""
        choices, values = self.found.choices, self.found.values
        keep = (values >= target) & (choices >= np.array(low)).all(axis=1) & (choices <= np.array(high)).all(axis=1)
        return _Listed(NearOptimal(choices[keep], values[keep])) if keep.any() else None


class _Search:
    """The search for a family better than `best`.

    Attributes:
        bound: proven upper limit on the weighted value of every nested family; None while nothing proves one.
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
        """The best of all families.

        Raises:
            GivenUp, TableTooLarge: where that is not proved; `bound` holds what is.
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
        assert region is not None  # the budget's solution is in it
        free = self._families.free(budget)
        proved = None if free is None else free.bound
        return _Open(region if proved is None else replace(region, bound=min(region.bound, proved)))

    def _weighted(self, values: Sequence[int]) -> int:
        return weighted_sum(self._families.weights, values)

    def _at_least(self, goal: int, spaces: list[_Open | _Listed]) -> FamilySolution | None:
        """The best family if it is worth `goal` or more, else None."""
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
        """What the member of `budget` must be worth in a family worth `goal`."""
        weight = self._families.weights[budget]
        others = self._weighted([s.bound for s in spaces]) - weight * spaces[budget].bound
        return -((others - goal) // weight)

    def _settled(self, goal: int, spaces: list[_Open | _Listed]) -> bool:
        """Narrow all of `spaces` by the goal and by their neighbours; False where one has nothing left."""
        floors, ceilings = self._families.problems[0].floors, self._families.problems[-1].ceilings
        upwards = range(len(spaces))
        while True:
            before = sum(s.size for s in spaces)
            for b in (*upwards, *reversed(upwards)):
                low = spaces[b - 1].low if b else floors
                high = spaces[b + 1].high if b + 1 < len(spaces) else ceilings
                narrowed = spaces[b].narrowed(self._target(goal, spaces, b), low, high)
                if narrowed is None:
                    return False
                spaces[b] = narrowed
            if sum(s.size for s in spaces) >= _WORTHWHILE * before:
                return True

    def _joined(self, goal: int, spaces: Sequence[_Open | _Listed]) -> FamilySolution | None:
        lists = [s.found for s in spaces if isinstance(s, _Listed)]
        chain = best_chain(lists, self._families.weights, goal)
        if chain is None:
            return None
        members = self._members([tuple(lists[b].choices[at].tolist()) for b, at in enumerate(chain)], True)
        value = self._weighted([m.value for m in members])
        return FamilySolution(members, self._families.weights, value, tuple(self._enumerated))

    def branched(self, why: str) -> FamilySolution:
        """The best of all families by branching, or the best one known with a bound; `why` enumeration was given up."""
        families, best = self._families, self._best
        note = f"not proved best of all families: {why}"
        if self.bound is None:
            return replace(best, bound=None, detail=(note,))
        branching = Branching(families.problems, families.weights, families.solve, self._limits.solves, self._deadline)
        free = [families.free(b) for b in range(len(families.problems))]
        found = branching.run(free, best.weighted_value, self.bound)
        members = best.members if found.choices is None else self._members(found.choices, found.stopped is None)
        detail = () if found.stopped is None else (f"{note}, and {found.stopped}",)
        return FamilySolution(members, families.weights, found.bound, solves=found.solves, detail=detail)

    def _members(self, choices: Sequence[tuple[int, ...]], proved: bool) -> tuple[MemberSolution, ...]:
        """`choices` as a family; `proved` says whether no family is worth more."""
        seconds = (time.perf_counter() - self._started) / len(choices)
        return tuple(self._member(b, choice, proved, seconds) for b, choice in enumerate(choices))

    def _member(self, budget: int, choice: tuple[int, ...], proved: bool, seconds: float) -> MemberSolution:
        """`choice` as the answer for its budget between its neighbours in the family."""
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
            wall_s=anchored.wall_s + seconds,
            detail=("chosen together with the other budgets",),
        )
        return MemberSolution(solution, choice, evaluation.value, self._bounds[budget])


def best_chain(lists: Sequence[NearOptimal], weights: Sequence[int], goal: int) -> list[int] | None:
    """The nested chain of the largest weighted value, one index into each list; None if it is worth less than `goal`.

    Args:
        lists: for each budget, smallest first, what may be chosen.
        weights: of the values.
        goal: chains worth less are not looked for.
    """
    totals = weights[0] * lists[0].values
    members = np.arange(len(totals))
    trail: list[tuple[IntArray, IntArray]] = [(members, members)]
    for b in range(1, len(lists)):
        rest = sum(w * int(x.values[0]) for w, x in zip(weights[b + 1 :], lists[b + 1 :], strict=True))
        gains = weights[b] * lists[b].values
        smaller = _smaller(lists[b - 1].choices[members], totals, lists[b].choices, gains, goal - rest)
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


def _smaller(inner: IntArray, totals: IntArray, outer: IntArray, gains: IntArray, needed: int) -> IntArray:
    """For each of `outer` the index of the `inner` choice within it that has the largest total.

    Returns:
        int64 (outer,); -1 where none lies within it whose total and the gain together reach `needed`.
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
        fits = (inner[block][None] <= outer[open_][:, None]).all(axis=2)
        hit = fits.any(axis=1)
        found[open_[hit]] = block[fits[hit].argmax(axis=1)]
        open_ = open_[~hit]
    return found
