"""Base of solver plugins whose back end takes the linear model: presolve before, exact checks after.

A plugin overrides `optimise` alone. Whatever its back end says is held against whole numbers here: a choice that leaks
over a limit is excluded and the back end asked again; nothing is claimed above the magnitude it declares exact.
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
"""How many choices over a limit are excluded before the search is given up."""

BUILD_COLUMNS_PER_S = 500_000
"""Columns of the linear model that are built in a second, at least."""

PRESOLVE_SHARE = 0.4
"""Share of the time limit that presolve may take."""

PRESOLVE_ENTRIES_PER_S = 30_000_000
"""Table entries, those of every resource counted, that presolve lays out and prices for the first time in a second."""

BYTES_PER_CELL = 56
BYTES_PER_CELL_AND_RESOURCE = 24
"""What presolve holds at most for each option and joint choice: tables of whole numbers and of floats, priced tables,
reduced costs; measured."""

BYTES_PER_COLUMN = 400
BYTES_PER_COLUMN_AND_RESOURCE = 140
"""What the linear model takes for each of its columns: measured while it is built, and as much again for the copy that
the back end makes."""


@dataclass(frozen=True)
class LinearOptions:
    """Options of a solver of the linear model.

    Attributes:
        presolve: drop by bounds what no optimum needs, and start from the choice found on the way.
    """

    presolve: bool = True


@dataclass(frozen=True)
class BackendOutcome:
    """What a back end says of a linear model.

    Attributes:
        choice: the best it found, or None.
        bound: an integer limit on the value of every choice that the model allows, or None.
        exhausted: with a choice: none of the model is better; without: the model has none.
        limit: why it stopped early, or None.
        backend_s: seconds inside the back end; None where it was not asked.
        detail: remarks for the user.
    """

    choice: tuple[int, ...] | None = None
    bound: int | None = None
    exhausted: bool = False
    limit: Limit | None = None
    backend_s: float | None = None
    detail: tuple[str, ...] = ()


def whole_bound(bound: float) -> int | None:
    """A limit on a whole value from a float limit of a back end, its numerical error covered; None if it has none.

    Covers 1e-12 of the bound (sums of some thousand doubles) and the back end's absolute tolerances (1e-6 times the
    groups), so that it holds for problems below the magnitude `FLOAT_EXACT_BELOW`.
    """
    return None if not np.isfinite(bound) else int(np.floor(bound + 0.25 + 1e-12 * abs(bound)))


FLOAT_EXACT_BELOW = 2**36
"""Magnitude below which back ends that compute in doubles are trusted: 2^-53 x 2^36 is far below their tolerances."""

FLOAT_BITS = 18
"""Bits of a row's coefficients in such back ends: 2^18 times their tolerance of 1e-6 is below 1."""


def refusal(problem: KnapsackProblem) -> str | None:
    """Why `problem` has no linear model in int64, or None."""
    return None if problem.magnitude <= MAGNITUDE_LIMIT else "its sums may pass 2^61"


class LinearSolver(Solver):
    """Solves the linear model of a problem through a back end.

    Attributes:
        coefficient_bits: the back end is given rows in digits of so many bits; None: as they are.
    """

    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    Options: ClassVar[type] = LinearOptions
    coefficient_bits: ClassVar[int | None] = None

    @abstractmethod
    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        """Maximise over `model` through the back end.

        Args:
            model: the model.
            controls: with the time that is left.
            start: columns to start from, or None.
        """

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Presolve, ask the back end, check and conclude."""
        return cheapest_where_memory_ends(problem, controls.hint, lambda: self._answer(problem, controls))

    def _answer(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        started = time.perf_counter()
        limit = controls.time_limit_s
        deadline = None if limit is None else started + limit
        known = prepared(problem, controls, self.options, started)
        if isinstance(known, Answer):
            return known
        trusted = self.exact_below is None or problem.magnitude < self.exact_below
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
        """Ask the back end until its choice is within the limits in exact whole numbers."""
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
            detail += (f"the back end's tolerance let {leaks} choice{'s' * (leaks > 1)} over a limit; excluded",)
        return replace(outcome, backend_s=spent, detail=detail)


def repaired(
    problem: KnapsackProblem, domain: Domain, choice: Sequence[int], deadline: float | None = None
) -> tuple[int, ...] | None:
    """A feasible choice near `choice`, locally best; None where repair finds none."""
    positions = [int(np.searchsorted(o, i)) for o, i in zip(domain.options, choice, strict=True)]
    improved = Improver(problem, rows_of(problem), domain, deadline).improve(positions)
    return None if improved is None else domain.choice(improved)


def least(problem: KnapsackProblem, domain: Domain, deadline: float | None) -> tuple[int, ...] | None:
    """A feasible choice near the first options, locally best; None where repair finds none."""
    return repaired(problem, domain, domain.choice([0] * len(domain.options)), deadline)


def prepared(
    problem: KnapsackProblem, controls: Controls, options: LinearOptions, started: float
) -> Presolved | Answer:
    """`problem` presolved, if the options say so; the answer where there is neither time nor memory for that.

    Args:
        started: `time.perf_counter()` from which the time limit counts.
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
        return untouched(problem, controls.hint)
    limit = controls.time_limit_s
    share = None if limit is None else PRESOLVE_SHARE * limit
    if share is not None and cells * (1 + resources) > PRESOLVE_ENTRIES_PER_S * share:
        return cheapest_answer(problem, Limit.TIME, "there is no time to presolve the problem", controls.hint)
    return presolve(problem, controls.hint, None if share is None else started + share)


def why_not_built(
    problem: KnapsackProblem, domain: Domain, memory: float, deadline: float | None
) -> tuple[Limit, str] | None:
    """The limit that building the linear model would pass, and that in words; None where it passes none.

    Args:
        memory: bytes that may be taken.
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
    """What is left to say where the linear model is not built; `halted` as `why_not_built` gives it."""
    choice = None if known.incumbent is not None or known.domain is None else least(problem, known.domain, deadline)
    return BackendOutcome(choice, limit=halted[0], detail=(halted[1],))


def conclude(
    problem: KnapsackProblem, known: Presolved, outcome: BackendOutcome, trusted: bool = True, proved: bool = False
) -> Answer:
    """What presolve and the back end prove together; the choice is no worse than the cheapest one.

    Args:
        trusted: whether the numbers are of a magnitude at which the solver may claim OPTIMAL; where not, the back end's
            bound and its having searched everything count for nothing.
        proved: `outcome` was found in whole numbers, without the back end.
    """
    detail = outcome.detail
    found = [c for c in (known.incumbent, outcome.choice) if c is not None]
    cheapest = None if proved else cheapest_choice(problem)
    if cheapest is not None:
        worth = problem.evaluate(cheapest).value
        found.append(cheapest)
        if outcome.exhausted and outcome.choice is None and (known.value is None or known.value < worth):
            outcome = replace(outcome, exhausted=False)
            detail += ("the back end says that there is no better choice, but there is: what it says is left out",)
    values = [problem.evaluate(c).value for c in found]
    value = max(values, default=None)
    choice = found[int(np.argmax(values))] if found else None
    if not trusted and not proved and (outcome.exhausted or outcome.bound is not None):
        detail += ("the numbers are too large for the back end to prove anything in floating point",)
    bounds = [] if known.bound is None else [known.bound]
    if (trusted or proved) and outcome.exhausted and outcome.choice is None:
        if value is None:
            return Answer(Status.INFEASIBLE, backend_s=outcome.backend_s, detail=detail)
        bounds.append(value)
    if trusted and outcome.bound is not None:
        # the model may leave out choices up to the incumbent
        bounds.append(outcome.bound if known.value is None else max(outcome.bound, known.value))
    bound = min(bounds, default=trivial_bound(problem))
    if value is None or choice is None:
        return Answer(Status.NO_SOLUTION, None, bound, outcome.limit, outcome.backend_s, detail)
    if bound < value:
        bound = trivial_bound(problem) if known.bound is None else known.bound
        detail += ("the back end's bound was below the value of a choice, and is left out",)
    if bound == value and trusted:
        return Answer(Status.OPTIMAL, choice, bound, None, outcome.backend_s, detail)
    return Answer(Status.FEASIBLE, choice, bound, outcome.limit, outcome.backend_s, detail)
