"""The LP relaxation, solved by HiGHS through scipy.optimize.linprog: a bound from its duals, a choice by rounding."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack import (
    Answer,
    Claim,
    Control,
    Controls,
    Feature,
    KnapsackProblem,
    Limit,
    Solver,
    cheapest_where_memory_ends,
)
from reds_core.knapsack.relaxation import (
    BackendOutcome,
    Certificate,
    Dual,
    LinearModel,
    LinearOptions,
    Presolved,
    at_gap,
    conclude,
    is_settled,
    least,
    linear_model,
    prepared,
    refusal,
    repaired,
    rows_of,
    unasked,
    why_not_built,
)
from reds_scipy.highs import INFEASIBLE, STOPPED, ask


class ScipyLpSolver(Solver):
    """Bounds by the LP relaxation. The duals are only a guide: the bound is recomputed in exact integers."""

    name = "scipy-lp"
    requires = ("scipy",)
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.TIME_LIMIT | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    auto_rank: ClassVar[int] = 60
    Options: ClassVar[type] = LinearOptions

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Presolve, solve the relaxation, compute an exact bound from its duals, and round to a choice."""
        answer = cheapest_where_memory_ends(problem, controls.hint, lambda: self._answer(problem, controls))
        return at_gap(problem, answer, controls)

    def _answer(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        limit = controls.time_limit_s
        started = time.perf_counter()
        deadline = None if limit is None else started + limit
        known = prepared(problem, controls, self.options, started)
        if isinstance(known, Answer):
            return known
        if is_settled(known, controls):
            return conclude(problem, known, BackendOutcome())
        if known.domain is None:
            return conclude(problem, known, BackendOutcome(exhausted=True), proved=True)
        halted = why_not_built(problem, known.domain, controls.memory_limit(), deadline)
        if halted is not None:
            return conclude(problem, known, unasked(problem, known, halted, deadline))
        model = linear_model(problem, known.domain)
        relaxed = ask(model, "lp", _left(deadline))
        if relaxed is not None and int(relaxed["status"]) == INFEASIBLE:
            return self._infeasible(problem, known, model, deadline)
        columns = np.zeros(0) if relaxed is None else relaxed["columns"]
        # without an optimum the duals are 0, which still prove a weak bound
        duals = np.zeros(model.rows) if relaxed is None else relaxed["duals"]
        bound = certificate(problem, model, duals, values=True).value_bound
        choice = repaired(problem, model.domain, model.choice(columns), deadline) if columns.size else None
        if choice is None and known.incumbent is None:
            choice = least(problem, model.domain, deadline)
        stopped = Limit.TIME if relaxed is None or int(relaxed["status"]) == STOPPED else None
        spent = None if relaxed is None else float(relaxed["seconds"])
        return conclude(problem, known, BackendOutcome(choice, bound, False, stopped, spent))

    def _infeasible(
        self, problem: KnapsackProblem, known: Presolved, model: LinearModel, deadline: float | None
    ) -> Answer:
        """The answer if HiGHS found no solution. The duals of the elastic LP are the multipliers that prove it."""
        elastic = ask(model, "elastic", _left(deadline))
        duals = np.zeros(model.rows) if elastic is None else elastic["duals"]
        exhausted = certificate(problem, model, duals, values=False).bound < 0
        bound = certificate(problem, model, np.zeros(model.rows), values=True).value_bound
        choice = None if exhausted or known.incumbent is not None else least(problem, model.domain, deadline)
        stopped = Limit.TIME if elastic is None or int(elastic["status"]) == STOPPED else None
        spent = None if elastic is None else float(elastic["seconds"])
        return conclude(problem, known, BackendOutcome(choice, bound, exhausted, stopped, spent))


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.perf_counter(), 0.01)


def certificate(problem: KnapsackProblem, model: LinearModel, duals: FloatArray, values: bool) -> Certificate:
    """The bound that `duals` prove in exact integers.

    The duals of limits serve as multipliers, those of the marginal rows of chords as shares. Any numbers prove some
    bound, by weak duality. Those of an optimal LP prove its value, because the terms within the forest are maximised
    exactly; see `reds_core.knapsack.relaxation.dual`.
    """
    dual = Dual(problem, rows_of(problem), model.domain, values)
    used = model.limit_rows >= 0
    multipliers = np.where(used, np.maximum(-duals[model.limit_rows], 0.0) / model.divisors, 0.0)
    return dual.certify(multipliers, tuple(_shares(model, k, duals) for k in dual.chords))


def _shares(model: LinearModel, pair: int, duals: FloatArray) -> tuple[FloatArray, FloatArray]:
    first, second = (model.domain.options[g].size for g in model.domain.ends[pair])
    start, end = int(model.marginal_rows[pair]), int(model.marginal_rows[pair + 1])
    if start == end:  # a pair without terms has no marginal rows
        return np.zeros(first), np.zeros(second)
    return -duals[start : start + first], -duals[start + first : end]
