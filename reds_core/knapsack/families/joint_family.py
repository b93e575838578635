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
from reds_core.knapsack.families.chains import best_chain
from reds_core.knapsack.families.enumeration import NearOptimal, near_optimal
from reds_core.knapsack.families.limits import GAP_REACHED, FamilyLimits, GivenUp, check_time
from reds_core.knapsack.families.region import Region, narrow, whole, within
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Status, relative_gap

_SHARES = (64, 8, 1)
"""The goals to try: the bound minus the gap divided by each of these."""

_WORTHWHILE = 0.9


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
    return improved(FamilySolver(problems, solve, weights), None, limits or FamilyLimits())


def improved(families: FamilySolver, known: FamilySolution | None, limits: FamilyLimits) -> FamilySolution:
    """The best nested family, or the best one that is found within the limits, with a bound.

    Args:
        families: the budgets, the options that are offered to each of them, and a solver, which may raise GivenUp.
        known: a family of offered options that was found before, instead of the one anchored at the smallest budget;
            None if there is none. The result is no worse, and it is `known` with another bound if nothing better is
            found.
        limits: limits of the search. Anchored families count towards the time limit if a family is known.

    Raises:
        InfeasibleError, NoChoiceError: if there is no known family and no anchored one, see
            `reds_core.knapsack.families.anchoring.anchored`.
        GivenUp: if a limit was reached before any family was found.
    """
    deadline = None if known is None else limits.deadline()
    best, stopped = _best_anchored(families, known, limits.gap, deadline)
    if stopped is not None:
        return replace(best, limit=stopped.limit, detail=(not_proved(str(stopped)),))
    if best.is_within(limits.gap):
        return best if best.optimal else replace(best, limit=Limit.GAP, detail=(not_proved(GAP_REACHED),))
    search = _Search(families, limits, best, limits.deadline() if known is None else deadline)
    try:
        return search.run()
    except GivenUp as why:
        return search.branched(why)


def not_proved(why: str) -> str:
    """The remark of a family that is not proven to be the best."""
    return f"not proved to be the best of all families: {why}"


def _best_anchored(
    families: FamilySolver, known: FamilySolution | None, gap: float, deadline: float | None
) -> tuple[FamilySolution, GivenUp | None]:
    """The best of the known family and those that are anchored at one of the budgets, with the bound of all families.

    The search stops at a family that is within `gap` of the bound.

    Returns:
        The family, and the limit that was reached before all were compared, or None.
    """
    best, anchors = known, list(range(len(families.problems)))
    if known is not None:
        anchors = anchors[:0:-1]  # the largest budget first, since families around it differ most from the known one
    failure: InfeasibleError | NoChoiceError | None = None
    try:
        if best is not None:
            bounds = [bound for bound in (best.bound, families.bound()) if bound is not None]
            best = replace(best, bound=min(bounds, default=None))
        for anchor in anchors:
            if best is not None and best.is_within(gap):
                break
            check_time(deadline)
            try:
                found = families.anchored(anchor)
            except (InfeasibleError, NoChoiceError) as error:
                failure = failure or error
                continue
            if best is None or found.weighted_value > best.weighted_value:
                best = found
    except GivenUp as why:
        if best is None:
            raise
        return best, why
    if best is None:
        assert failure is not None
        raise failure
    return best, None


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

    def __init__(
        self, families: FamilySolver, limits: FamilyLimits, best: FamilySolution, deadline: float | None
    ) -> None:
        self.bound = best.bound
        self._families = families
        self._limits = limits
        self._best = best
        self._started = time.perf_counter()
        self._deadline = deadline
        self._enumerated = [0] * len(families.problems)
        self._bounds = [m.bound_independent for m in best.members]

    def run(self) -> FamilySolution:
        """Find the best of all families.

        Raises:
            GivenUp: if a limit prevents the proof. `bound` is then the best one proven.
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
            if replace(self._best, bound=self.bound).is_within(self._limits.gap):
                enumerated = tuple(self._enumerated)
                note = not_proved(GAP_REACHED)
                return replace(self._best, bound=self.bound, enumerated=enumerated, limit=Limit.GAP, detail=(note,))
            found = self._at_least(goal, list(spaces))
            if found is not None:
                return found
            self.bound = goal - 1
        return replace(self._best, bound=value, enumerated=tuple(self._enumerated))

    def _whole(self, budget: int) -> _Open:
        memory = self._limits.memory_limit_bytes
        share = None if memory is None else memory / len(self._families.problems)
        region = whole(self._families.problems[budget], deadline=self._deadline, memory_limit_bytes=share)
        region = None if region is None else within(region, self._families.offered[budget])
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

    def branched(self, why: GivenUp) -> FamilySolution:
        """The best of all families by branching, or the best known one with a bound.

        Args:
            why: why the enumeration was given up.
        """
        families, best = self._families, self._best
        if self.bound is None:
            return replace(best, bound=None, detail=(not_proved(str(why)),), limit=why.limit)
        found = Branching(families, self._limits, self._deadline).run(best.weighted_value, self.bound)
        if found.choices is not None:
            best = FamilySolution(self._members(found.choices, found.stopped is None), families.weights, found.bound)
        if found.stopped is None:
            return replace(best, bound=found.bound, solves=found.solves)
        stages = (str(why),) if found.stopped == str(why) else (str(why), found.stopped)
        detail, limit = (not_proved(", and ".join(stages)),), found.limit or why.limit
        return replace(best, bound=found.bound, solves=found.solves, detail=detail, limit=limit)

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
