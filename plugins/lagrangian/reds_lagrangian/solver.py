"""The solver `lagrangian`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack import (
    Answer,
    Claim,
    Control,
    Controls,
    Feature,
    KnapsackProblem,
    Limit,
    Solver,
    Status,
    cheapest_answer,
    cheapest_choice,
    cheapest_where_memory_ends,
    trivial_bound,
)
from reds_core.knapsack.inference import (
    Ascent,
    CuttingPlanes,
    Factors,
    build_factors,
    original,
    positions,
    possible_options,
    table_bytes,
)
from reds_core.system import why_too_much
from reds_lagrangian.masks import pair_masks, supported
from reds_lagrangian.reweighted import Reweighted

_PRECISION = 1e-6
_IMPROVED_EVERY = 8
_PATIENCE = 12


class OutOfTime(Exception):
    """The deadline has passed."""


class Infeasible(Exception):
    """It is proven that no choice is feasible."""


@dataclass(frozen=True)
class LagrangianOptions:
    """Options of `lagrangian`.

    Attributes:
        sweeps: the largest number of sweeps over the tables, each forward and backward.
    """

    sweeps: int = 120


class _Run:
    """The state of one solve: the best choice and the bound so far."""

    def __init__(
        self,
        problem: KnapsackProblem,
        factors: Factors,
        sweeps: int,
        controls: Controls,
        check_time: Callable[[], None],
    ) -> None:
        self.problem = problem
        self.best: tuple[int, tuple[int, ...]] | None = None
        self.bound = controls.known_bound
        self._controls = controls
        self._check_time = check_time
        self._sweeps = sweeps
        self._factors = factors
        self._ascent = Ascent(problem, factors.kept, self._check_time)
        self._tried: set[tuple[int, ...]] = set()
        self._least = -math.ceil(float(factors.magnitudes[0]) * (1 + 1e-9)) - 1

    def offer(self, choice: tuple[int, ...]) -> tuple[float, FloatArray]:
        """Keep `choice` if it is feasible and the best so far. Returns its value and its excess over each capacity."""
        evaluation = self.problem.evaluate(choice)
        if evaluation.feasible and (self.best is None or evaluation.value > self.best[0]):
            self.best = evaluation.value, choice
        excess = [float(evaluation.usage[r.name] - r.capacity) for r in self.problem.sum_resources]
        return float(evaluation.value), np.array(excess)

    def closed(self) -> bool:
        """Whether the best choice is as close to the bound as was asked for."""
        if self.best is None or self.bound is None:
            return False
        return self.best[0] >= self.bound or self._controls.is_close_enough(self.best[0], self.bound)

    def start(self, hint: tuple[int, ...]) -> None:
        """Keep the choice `hint`, or a feasible one near it."""
        self.offer(hint)
        places = None if self.best is not None else positions(self._factors.kept, hint)
        if places is not None:
            self._improve(places.tolist(), np.zeros(len(self._factors.room)))

    def _improve(self, start: list[int], multipliers: FloatArray) -> None:
        key = tuple(start)
        if key not in self._tried:
            self._tried.add(key)
            found = self._ascent.improve(start, multipliers)
            if found is not None:
                self.offer(found)
            # an ascent that was interrupted hands over what it has
            self._check_time()

    def _limit(self, bound: float) -> None:
        if bound < self._least:
            raise Infeasible
        whole = math.floor(bound)
        self.bound = whole if self.bound is None else min(self.bound, whole)
        if self.best is not None:
            # no bound can be below the value of a feasible choice
            self.bound = max(self.bound, self.best[0])

    def search(self) -> None:
        """Update messages by sweeps and multipliers by cutting planes in turn, and improve the choices met.

        Raises:
            OutOfTime: if the deadline has passed.
            Infeasible: if it is proven that no choice is feasible.
        """
        if self.closed():
            return
        factors = self._factors
        room = factors.room
        tables = Reweighted(factors, self._check_time)
        scales = np.maximum(np.abs(room), 1e-6 * factors.magnitudes[1:]) + 1.0
        master = CuttingPlanes(max(float(factors.magnitudes[0]), 1.0), scales)
        multipliers = best_at = np.zeros(len(room))
        lowest, stalled = math.inf, 0
        recent: list[int] = []
        for sweep in range(self._sweeps):
            before = lowest
            for forward in (True, False):
                self._check_time()
                weights = np.concatenate(([1.0], -multipliers))
                reached, decoded = tables.sweep(weights, forward)
                margin = 8.0 * float(np.finfo(np.float64).eps) * float(np.abs(weights[1:]) @ np.abs(room))
                value = reached + float(multipliers @ room) + margin
                if value < lowest:
                    lowest, best_at, recent = value, multipliers, decoded
                self._limit(value)
                plane = self.offer(original(factors, decoded))
                master.add(*plane)
            if self.closed():
                return
            if sweep % _IMPROVED_EVERY == 1 or sweep < 1:
                self._improve(recent, best_at)
                if self.closed():
                    return
            level, multipliers = master.lowest()
            stalled = stalled + 1 if before - lowest <= _PRECISION * abs(lowest) else 0
            if lowest - level <= _PRECISION * abs(lowest) and stalled >= 2 and not master.raise_ceiling():
                break
            if stalled >= _PATIENCE:
                break
            if stalled % 2:
                multipliers = best_at
        self._improve(recent, best_at)

    def fallback(self) -> None:
        """Try choices of low usage if no feasible choice was found."""
        sizes = self._factors.sizes
        nothing = np.zeros(len(self._factors.room))
        starts = [[0] * len(sizes)]
        for row in range(1, self._factors.rows):
            starts.append([int(f.stack[row].argmin()) for f in self._factors.unary])
        for start in starts:
            if self.best is None:
                self._improve(start, nothing)


class LagrangianSolver(Solver):
    """Lagrangian relaxation, repair and local search.

    Finds a good choice and a valid bound for problems of any shape and size. Its time grows linearly with the size of
    the tables of costs and values.
    """

    name = "lagrangian"
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.TIME_LIMIT | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    auto_rank = 20
    Options = LagrangianOptions

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        limit_s = controls.time_limit_s
        deadline = math.inf if limit_s is None else time.perf_counter() + limit_s
        kept = possible_options(problem)
        if kept is None:
            return _INFEASIBLE_STEPS
        why = why_too_much("its tables take", needed_bytes(problem, kept), controls.memory_limit())
        if why is not None:
            return cheapest_answer(problem, Limit.MEMORY, why, controls.hint)
        return cheapest_where_memory_ends(
            problem, controls.hint, lambda: self._answer(problem, kept, deadline, controls)
        )

    def _answer(
        self, problem: KnapsackProblem, kept: tuple[IntArray, ...], deadline: float, controls: Controls
    ) -> Answer:
        def check_time() -> None:
            if time.perf_counter() > deadline:
                raise OutOfTime

        hint, first = controls.hint, cheapest_choice(problem)
        try:
            tables = build_factors(problem, kept, pair_masks(problem, kept), range(len(kept)), check_time)
            factors = supported(tables)
        except OutOfTime:
            return cheapest_answer(problem, Limit.TIME, "no time was left to build its tables", hint)
        if factors is None:
            return _INFEASIBLE_STEPS
        run = _Run(problem, factors, self.options.sweeps, controls, check_time)
        limit: Limit | None = None
        try:
            if hint is not None:
                run.start(hint)
            run.search()
            run.fallback()
        except OutOfTime:
            limit = Limit.TIME
        except Infeasible:
            return Answer(Status.INFEASIBLE)
        if first is not None:
            run.offer(first)
        bound = trivial_bound(problem) if run.bound is None else run.bound
        if run.best is None:
            return Answer(Status.NO_SOLUTION, bound=bound, limit=limit)
        value, choice = run.best
        if value >= bound:
            return Answer(Status.OPTIMAL, choice, value)
        if run.closed():
            limit = Limit.GAP
        return Answer(Status.FEASIBLE, choice, bound, limit)


_INFEASIBLE_STEPS = Answer(Status.INFEASIBLE, detail=("the steps of the peak resources allow no choice",))


def needed_bytes(problem: KnapsackProblem, kept: tuple[IntArray, ...]) -> int:
    """The memory of all tables in bytes, with a mask for each pair if there are peak resources."""
    sizes = [len(k) for k in kept]
    masks = sum(sizes[p.first] * sizes[p.second] for p in problem.pairs) if problem.peak_resources else 0
    return table_bytes(problem, sizes) + masks
