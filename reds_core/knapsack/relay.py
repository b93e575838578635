"""Solves a problem with several solvers in turn, each of which starts from what those before it have found.

All solvers share one clock. The best choice so far is passed on as the hint and the smallest bound as the known bound,
to solvers that honour these controls.

A solver that can continue from a hint or a known bound first searches alone for a short time, which is all that most
problems need. If it is stopped by the clock, the next solver with a bound gets a bounded share of the time, and the
first solver continues from its choice and its bound. Without a time limit no solver is stopped by the clock, so that
the result does not depend on the speed of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from reds_core.errors import ContractViolation, RedsError
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Solution, Status, relative_gap
from reds_core.knapsack.solver import Claim, Control, Controls, Solver, solve

RESERVED_SHARE = 0.2
"""The share of the remaining time that is reserved for the next solver if the cheapest choice is not feasible."""

ALONE_SHARE, ALONE_MOST_S = 0.15, 1.5
"""The share of the time limit, and the most seconds, for which the first solver searches alone."""

PARTNER_SHARE, PARTNER_MOST_S = 0.1, 2.0
"""The share of the time limit, and the most seconds, that the next solver gets before the first one continues."""

SMALL_GAP = 1e-5
"""At a gap up to this one, the next solver is not asked, since its choice could hardly be better."""

LEAST_S = 2.0
"""Under shorter time limits the first solver gets all the time, since it would lose too much by starting anew."""


def solve_in_turn(problem: KnapsackProblem, solvers: Iterable[Solver], controls: Controls) -> Solution:
    """Solve a problem with the first of several solvers, and with further ones if it stops early.

    Args:
        problem: The problem.
        solvers: The solvers that accept the problem, the best first. At least one is needed.
        controls: The limits and hints of all solves together.

    Returns:
        The best choice that was found, with the smallest bound that was proven. Its `detail` names all solvers that
        took part. If a later solver fails, the solutions of those before it are kept.

    Raises:
        ContractViolation: If the answers of two solvers contradict each other, or the first one contradicts itself.
        PluginFailure: If the first solver raises an error.
    """
    relay = _Relay(problem, controls)
    for solver, seconds in relay.legs(iter(solvers)):
        relay.run(solver, seconds)
        if relay.is_settled:
            break
    return relay.result()


class _Relay:
    """The solves of one problem so far, and what they have found together."""

    def __init__(self, problem: KnapsackProblem, controls: Controls) -> None:
        self._problem = problem
        self._controls = controls
        self._started = time.perf_counter()
        limit_s = controls.time_limit_s
        self._reserves = limit_s is not None and cheapest_choice(problem) is None
        self._asked: list[Solution] = []
        self._runs: list[Solution | str] = []

    @property
    def _left_s(self) -> float | None:
        """The seconds that are left, or None if there is no limit."""
        limit_s = self._controls.time_limit_s
        if limit_s is None or not self._asked:
            return limit_s
        return limit_s - (time.perf_counter() - self._started)

    @property
    def _best(self) -> Solution | None:
        """The last of the best solutions with a choice."""
        found = [s for s in self._asked if s.value is not None]
        return max(reversed(found), key=lambda s: s.value or 0, default=None)

    @property
    def _value(self) -> int | None:
        return None if self._best is None else self._best.value

    @property
    def _bound(self) -> int | None:
        known = self._controls.known_bound
        bounds = [s.bound for s in self._asked if s.bound is not None] + ([] if known is None else [known])
        return min(bounds, default=None)

    @property
    def is_settled(self) -> bool:
        """Whether the answers so far prove what was asked for."""
        if any(s.status in (Status.OPTIMAL, Status.INFEASIBLE) for s in self._asked):
            return True
        return self._controls.is_close_enough(self._value, self._bound)

    @property
    def _is_nearly_settled(self) -> bool:
        gap = relative_gap(self._value, self._bound)
        return gap is not None and gap <= SMALL_GAP

    def legs(self, solvers: Iterator[Solver]) -> Iterator[tuple[Solver, float | None]]:
        """Yield the solvers in turn, each with its seconds, as long as another solve may help."""
        first, rest = next(solvers), solvers
        limit_s = self._controls.time_limit_s
        if limit_s is None or limit_s < LEAST_S or not _continues(first):
            yield first, self._share()
        else:
            yield first, min(ALONE_SHARE * limit_s, ALONE_MOST_S)
            if self._asked[-1].limit is Limit.TIME:
                partner = next(solvers, None)
                if partner is not None and _bounds(partner) and not self._is_nearly_settled:
                    yield partner, min(PARTNER_SHARE * limit_s, PARTNER_MOST_S)
                elif partner is not None:
                    rest = chain((partner,), solvers)
                share_s = self._share()
                if share_s is not None and share_s > 0:
                    yield first, share_s
        for solver in rest:
            share_s = self._share()
            if not _ends_early(self._asked[-1]) or (share_s is not None and share_s <= 0):
                return
            yield solver, share_s

    def _share(self) -> float | None:
        """The seconds that the next solver gets, or None if there is no limit."""
        left_s = self._left_s
        return left_s if left_s is None or not self._reserves else left_s * (1 - RESERVED_SHARE)

    def run(self, solver: Solver, seconds: float | None) -> None:
        """Ask one solver, and keep its solution.

        Raises:
            RedsError: If the first solver fails. The failures of later ones become remarks.
        """
        try:
            solution = solve(self._problem, solver, self._passed_on(solver, seconds))
        except RedsError as error:
            if not self._asked:
                raise
            self._runs.append(f"by {solver.name}, failed: {error.what}")
            return
        self._asked.append(solution)
        self._runs.append(solution)

    def _passed_on(self, solver: Solver, seconds: float | None) -> Controls:
        """The controls of the next solve, with the choice and the bound of those before it."""
        controls, best, bound = replace(self._controls, time_limit_s=seconds), self._best, self._bound
        if best is not None and Control.HINT in solver.controls:
            controls = replace(controls, hint=best.choice)
        if bound is not None and Control.KNOWN_BOUND in solver.controls:
            controls = replace(controls, known_bound=bound)
        return controls

    def result(self) -> Solution:
        """The best solution with the smallest bound, which is optimal or within the gap if both agree."""
        best = _best_of(self._asked)
        found = replace(_with_least_bound(best, self._asked), detail=(*best.detail, *self._texts_of_others(best)))
        if found.status is Status.FEASIBLE and found.value is not None and self._bound == found.value:
            return replace(found, status=Status.OPTIMAL, bound=self._bound, gap=0.0, limit=None)
        is_close = self._controls.gap and self._controls.is_close_enough(found.value, found.bound)
        if found.status is Status.FEASIBLE and is_close:
            return replace(found, limit=Limit.GAP)
        if found.status in (Status.FEASIBLE, Status.NO_SOLUTION) and found.limit is None:
            found = replace(found, limit=next((each.limit for each in self._asked if each.limit is not None), None))
        return found

    def _texts_of_others(self, best: Solution) -> Iterator[str]:
        """Yield a sentence for each run but the one whose choice is the answer, in the order in which they ran."""
        for number, run in enumerate(self._runs, start=1):
            if run is not best:
                yield f"run {number} of {len(self._runs)}, {run if isinstance(run, str) else _run_text(run)}"


def _continues(solver: Solver) -> bool:
    """Whether a solver that the clock stops can make use of what another one finds."""
    return Control.TIME_LIMIT in solver.controls and bool((Control.HINT | Control.KNOWN_BOUND) & solver.controls)


def _bounds(solver: Solver) -> bool:
    """Whether a solver finds bounds and stops in time."""
    return Control.TIME_LIMIT in solver.controls and Claim.BOUND in solver.claims


def _ends_early(solution: Solution) -> bool:
    """Whether another solver may do better, because this one stopped without a choice or for lack of memory."""
    if solution.status is Status.NO_SOLUTION:
        return True
    return solution.status is Status.FEASIBLE and solution.limit in (Limit.MEMORY, Limit.NODES)


def _best_of(asked: list[Solution]) -> Solution:
    """The best of several solutions, which is the last solver's among equal ones."""
    best = asked[-1]
    for solution in asked:
        if solution.value is not None and (best.value is None or solution.value > best.value):
            best = solution
    return best


def _with_least_bound(best: Solution, asked: list[Solution]) -> Solution:
    """The best solution with the least of the bounds that all solvers have proven, and with the time of all.

    Raises:
        ContractViolation: If a solver found a choice though another proved that there is none, or a choice better than
            the bound of another.
    """
    if len(asked) == 1:
        return best
    bounds = [s.bound for s in asked if s.bound is not None]
    bound = min(bounds, default=None)
    refuted = [s for s in asked if s.status is Status.INFEASIBLE]
    if best.value is not None and bound is not None and bound < best.value:
        refuted += [s for s in asked if s.bound == bound]
    if best.choice is not None and refuted:
        raise ContractViolation(
            f"solver '{best.solver}' found a choice worth {best.value}, which solver '{refuted[0].solver}' ruled out",
            "report it to the author of the latter, or choose another solver",
        )
    if best.status is Status.INFEASIBLE:
        bound = None  # there is nothing to bound
    best = replace(best, bound=bound, gap=relative_gap(best.value, bound), wall_s=sum(s.wall_s for s in asked))
    if best.value is not None and best.value == bound:
        return replace(best, status=Status.OPTIMAL, limit=None)
    return best


def _run_text(solution: Solution) -> str:
    """How the run of a solver ended, and what it found and proved."""
    why = f" at its {solution.limit.value} limit" if solution.limit else ""
    what = "without a choice" if solution.value is None else f"with a choice worth {solution.value:,}"
    bound = "" if solution.bound is None else f" and the bound {solution.bound:,}"
    reason = f": {solution.detail[0]}" if solution.detail else ""
    return f"by {solution.solver}, stopped{why} {what}{bound}{reason}"
