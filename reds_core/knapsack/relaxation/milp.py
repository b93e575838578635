"""Base class of solver plugins whose back end takes the linear model: presolve before, exact checks after.

A plugin only implements `optimise`. The results of its back end are checked in exact integers here. A choice that
exceeds a limit by the tolerance of the back end is excluded, and the back end is called again. Nothing is claimed above
the magnitude below which the plugin declares exact results.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.cheapest import cheapest_answer, cheapest_choice, cheapest_where_memory_ends, trivial_bound
from reds_core.knapsack.inference.elimination import open_sizes
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.digits import in_digits
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.incumbent import Improver
from reds_core.knapsack.relaxation.linear import MAGNITUDE_LIMIT, LinearModel, linear_model
from reds_core.knapsack.relaxation.presolving import Presolved, presolve, untouched
from reds_core.knapsack.relaxation.rows import rows_of
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Controls, Feature, Solver
from reds_core.system.memory import why_too_much

LEAKS = 20
"""The number of choices above a limit that are excluded before the search is given up."""

BUILD_COLUMNS_PER_S = 500_000
"""The number of columns of the linear model that are built in a second, at least."""

PRESOLVE_SHARE = 0.4
"""The share of the time limit that presolve may take."""

PRESOLVE_ENTRIES_PER_S = 30_000_000
"""Table entries, counted for each resource, that presolve copies and prices for the first time in a second."""

BYTES_PER_CELL = 56
BYTES_PER_CELL_AND_RESOURCE = 24
"""The most memory that presolve takes for each option and joint choice, as measured: tables of integers and of floats,
priced tables, and reduced costs."""

BYTES_PER_COLUMN = 400
BYTES_PER_COLUMN_AND_RESOURCE = 140
"""The memory of the linear model for each of its columns: as measured while it is built, and the same again for the
copy that the back end makes."""


@dataclass(frozen=True)
class LinearOptions:
    """Options of a solver of the linear model.

    Attributes:
        presolve: whether options that cannot be part of a better choice are removed before the search, which then
            starts from the best choice known.
    """

    presolve: bool = True


@dataclass(frozen=True)
class BackendOutcome:
    """The result of a back end for a linear model.

    Attributes:
        choice: the best choice found, or None.
        bound: an integer upper bound on the value of every choice in the model, or None.
        exhausted: whether the back end searched the whole model: no choice in it is better than `choice`, or there is
            none if `choice` is None.
        limit: why the back end stopped early, or None.
        backend_s: seconds inside the back end, or None if it was not called.
        detail: remarks for the user, one clause each.
    """

    choice: tuple[int, ...] | None = None
    bound: int | None = None
    exhausted: bool = False
    limit: Limit | None = None
    backend_s: float | None = None
    detail: tuple[str, ...] = ()


def whole_bound(bound: float) -> int | None:
    """An integer upper bound from the float bound of a back end; None if that is not finite.

    It allows for an error of 1e-12 of the bound (sums of some thousand doubles) and for the absolute tolerances of the
    back end (1e-6 times the number of groups). It is therefore valid for problems below the magnitude
    `FLOAT_EXACT_BELOW`.
    """
    return None if not np.isfinite(bound) else int(np.floor(bound + 0.25 + 1e-12 * abs(bound)))


FLOAT_EXACT_BELOW = 2**36
"""The magnitude below which back ends that use doubles are trusted: 2^-53 x 2^36 is far below their tolerances."""

FLOAT_BITS = 18
"""The number of bits of coefficients of rows in such back ends: 2^18 times their tolerance of 1e-6 is below 1."""


def refusal(problem: KnapsackProblem) -> str | None:
    """Why `problem` has no linear model in int64, or None if it has one."""
    return None if problem.magnitude <= MAGNITUDE_LIMIT else "its sums may pass 2^61"


class LinearSolver(Solver):
    """Base class of solvers that solve the linear model of a problem with a back end.

    Attributes:
        coefficient_bits: the number of bits of the digits in which rows are given to the back end, or None to give them
            unchanged.
    """

    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    Options: ClassVar[type] = LinearOptions
    coefficient_bits: ClassVar[int | None] = None

    @abstractmethod
    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        """Maximise over `model` with the back end.

        Args:
            model: the model.
            controls: the controls; the time limit is the time that is left. The gap is relative to the value of the
                problem, which is the objective of the model plus `model.offset`.
            start: values of the columns to start from, int64 (columns,), or None.
        """

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Presolve, call the back end, check its result, and combine what both prove."""
        answer = cheapest_where_memory_ends(problem, controls.hint, lambda: self._answer(problem, controls))
        return at_gap(problem, answer, controls)

    def _answer(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        started = time.perf_counter()
        limit = controls.time_limit_s
        deadline = None if limit is None else started + limit
        known = prepared(problem, controls, self.options, started)
        if isinstance(known, Answer):
            return known
        trusted = self.exact_below is None or problem.magnitude < self.exact_below
        if is_settled(known, controls):
            return conclude(problem, known, BackendOutcome(), trusted)
        if known.domain is None:
            return conclude(problem, known, BackendOutcome(exhausted=True), trusted, proved=True)
        halted = why_not_built(problem, known.domain, controls.memory_limit(), deadline)
        if halted is not None:
            return conclude(problem, known, unasked(problem, known, halted, deadline), trusted)
        model = linear_model(problem, known.domain, () if known.cut is None else (known.cut,))
        if model.contradictory:
            return conclude(problem, known, BackendOutcome(exhausted=True), trusted, proved=True)
        if self.coefficient_bits is not None:
            model = in_digits(model, self.coefficient_bits)
        outcome = self._search(problem, known, model, controls, started)
        if outcome.choice is None and known.incumbent is None and not (trusted and outcome.exhausted):
            outcome = replace(outcome, choice=least(problem, known.domain, deadline))
        return conclude(problem, known, outcome, trusted)

    def _search(
        self, problem: KnapsackProblem, known: Presolved, model: LinearModel, controls: Controls, started: float
    ) -> BackendOutcome:
        """Call the back end until its choice is within the limits in exact integers."""
        hint = controls.hint
        usable = hint is not None and known.cut is None and model.domain.holds(hint)
        start = model.solution(hint) if hint is not None and usable else None
        spent, leaks = 0.0, 0
        while True:
            left = controls
            if controls.time_limit_s is not None:
                remaining = controls.time_limit_s - (time.perf_counter() - started)
                if remaining <= 0:
                    return BackendOutcome(limit=Limit.TIME, backend_s=spent)
                left = replace(controls, time_limit_s=remaining)
            outcome = self.optimise(model, left, start)
            spent += outcome.backend_s or 0.0
            leaked = outcome.choice
            if leaked is None or problem.evaluate(leaked).feasible:
                break
            leaks += 1
            if leaks > LEAKS or outcome.limit is not None:
                outcome = replace(outcome, choice=repaired(problem, model.domain, leaked), exhausted=False)
                break
            model, start = model.without(leaked), None
        detail = outcome.detail
        if leaks:
            detail += (f"the back end's tolerance let {leaks} choice{'s' * (leaks > 1)} exceed a limit; excluded",)
        return replace(outcome, backend_s=spent, detail=detail)


def repaired(
    problem: KnapsackProblem, domain: Domain, choice: Sequence[int], deadline: float | None = None
) -> tuple[int, ...] | None:
    """A locally optimal feasible choice near `choice`; None if repair finds none."""
    positions = [int(np.searchsorted(o, i)) for o, i in zip(domain.options, choice, strict=True)]
    improved = Improver(problem, rows_of(problem), domain, deadline).improve(positions)
    return None if improved is None else domain.choice(improved)


def least(problem: KnapsackProblem, domain: Domain, deadline: float | None) -> tuple[int, ...] | None:
    """A locally optimal feasible choice near the first options; None if repair finds none."""
    return repaired(problem, domain, domain.choice([0] * len(domain.options)), deadline)


def prepared(
    problem: KnapsackProblem, controls: Controls, options: LinearOptions, started: float
) -> Presolved | Answer:
    """Presolve `problem` if the options say so.

    Args:
        problem: the problem.
        controls: the controls of the solve.
        options: the options of the solver.
        started: `time.perf_counter()` from which the time limit counts.

    Returns:
        The result of presolve, or a final answer if there is not enough time or memory for it.
    """
    sizes = open_sizes(problem)
    cells = sum(sizes) + sum(sizes[p.first] * sizes[p.second] for p in problem.pairs)
    resources = len(problem.resources)
    what, needed = "the linear model takes", cells * (BYTES_PER_COLUMN + BYTES_PER_COLUMN_AND_RESOURCE * resources)
    if options.presolve:
        what, needed = "presolve takes", cells * (BYTES_PER_CELL + BYTES_PER_CELL_AND_RESOURCE * resources)
    why = why_too_much(what, needed, controls.memory_limit())
    if why is not None:
        return cheapest_answer(problem, Limit.MEMORY, why, controls.hint)
    if not options.presolve:
        return _informed(untouched(problem, controls.hint), controls)
    limit = controls.time_limit_s
    share = None if limit is None else PRESOLVE_SHARE * limit
    if share is not None and cells * (1 + resources) > PRESOLVE_ENTRIES_PER_S * share:
        return cheapest_answer(problem, Limit.TIME, "there is no time to presolve the problem", controls.hint)
    return _informed(presolve(problem, controls.hint, None if share is None else started + share), controls)


def _informed(known: Presolved, controls: Controls) -> Presolved:
    """The result of presolve, with the bound that the caller knows where that is the smaller one."""
    bounds = [bound for bound in (known.bound, controls.known_bound) if bound is not None]
    return replace(known, bound=min(bounds, default=None))


def is_settled(known: Presolved, controls: Controls) -> bool:
    """Whether the search can stop after presolve, because its choice is within the gap that was asked for."""
    return controls.is_close_enough(known.value, known.bound)


def at_gap(problem: KnapsackProblem, answer: Answer, controls: Controls) -> Answer:
    """The answer with the limit GAP if it is not proven optimal but within the gap that was asked for."""
    if answer.status is not Status.FEASIBLE or answer.choice is None or answer.bound is None or not controls.gap:
        return answer
    value = problem.evaluate(answer.choice).value
    return replace(answer, limit=Limit.GAP) if controls.is_close_enough(value, answer.bound) else answer


def why_not_built(
    problem: KnapsackProblem, domain: Domain, memory: float, deadline: float | None
) -> tuple[Limit, str] | None:
    """The limit that building the linear model would exceed, with an explanation; None if it exceeds none.

    Args:
        problem: the problem.
        domain: the domain of the model.
        memory: the most memory that may be used, in bytes.
        deadline: `time.perf_counter()` at which to stop, or None.
    """
    needed = domain.size * (BYTES_PER_COLUMN + BYTES_PER_COLUMN_AND_RESOURCE * len(problem.resources))
    why = why_too_much("the linear model takes", needed, memory)
    if why is not None:
        return Limit.MEMORY, why
    if deadline is not None and domain.size > BUILD_COLUMNS_PER_S * (deadline - time.perf_counter()):
        return Limit.TIME, "no time was left to build the linear model"
    return None


def unasked(
    problem: KnapsackProblem, known: Presolved, halted: tuple[Limit, str], deadline: float | None
) -> BackendOutcome:
    """The outcome if the linear model is not built; `halted` is the result of `why_not_built`."""
    choice = None if known.incumbent is not None or known.domain is None else least(problem, known.domain, deadline)
    return BackendOutcome(choice, limit=halted[0], detail=(halted[1],))


def conclude(
    problem: KnapsackProblem, known: Presolved, outcome: BackendOutcome, trusted: bool = True, proved: bool = False
) -> Answer:
    """Combine what presolve and the back end prove. The choice is at least as good as the cheapest one.

    Args:
        problem: the problem.
        known: the result of presolve.
        outcome: the result of the back end.
        trusted: whether the magnitude of the numbers allows the solver to claim OPTIMAL. If not, the bound of the back
            end and its claim of an exhaustive search are ignored.
        proved: whether `outcome` was found in exact integers, without the back end.
    """
    detail = outcome.detail
    found = [c for c in (known.incumbent, outcome.choice) if c is not None]
    cheapest = None if proved else cheapest_choice(problem)
    if cheapest is not None:
        worth = problem.evaluate(cheapest).value
        found.append(cheapest)
        if outcome.exhausted and outcome.choice is None and (known.value is None or known.value < worth):
            outcome = replace(outcome, exhausted=False)
            detail += ("the back end reported that there is no better choice, but there is; its report is ignored",)
    values = [problem.evaluate(c).value for c in found]
    value = max(values, default=None)
    choice = found[int(np.argmax(values))] if found else None
    if not trusted and not proved and (outcome.exhausted or outcome.bound is not None):
        detail += ("the numbers are too large for the back end to prove anything in floating point",)
    # presolve's bound may be worse than the sum of the largest values if the numbers are too large for its floats
    safe = trivial_bound(problem) if known.bound is None else min(known.bound, trivial_bound(problem))
    bounds = [safe]
    if (trusted or proved) and outcome.exhausted and outcome.choice is None:
        if value is None:
            return Answer(Status.INFEASIBLE, backend_s=outcome.backend_s, detail=detail)
        bounds.append(value)
    if trusted and outcome.bound is not None:
        # the model may leave out choices that are no better than the incumbent
        bounds.append(outcome.bound if known.value is None else max(outcome.bound, known.value))
    bound = min(bounds)
    if value is None or choice is None:
        return Answer(Status.NO_SOLUTION, None, bound, outcome.limit, outcome.backend_s, detail)
    if bound < value:
        bound = safe
        detail += ("the back end's bound was below the value of a choice, and is left out",)
    if bound == value and trusted:
        return Answer(Status.OPTIMAL, choice, bound, None, outcome.backend_s, detail)
    return Answer(Status.FEASIBLE, choice, bound, outcome.limit, outcome.backend_s, detail)
