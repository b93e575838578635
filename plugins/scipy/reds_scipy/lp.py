"""The LP relaxation through scipy.optimize.linprog, that is HiGHS: a bound from its duals, a choice by rounding."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.dual import Certificate, Dual
from reds_core.linear import LinearModel, linear_model
from reds_core.milp import PRESOLVE_SHARE, LinearOptions, Outcome, conclude, refusal, repaired
from reds_core.presolve import presolve, untouched
from reds_core.problem import KnapsackProblem
from reds_core.rows import rows_of
from reds_core.solution import Answer, Limit
from reds_core.solver import Claim, Control, Controls, Feature, Solver
from reds_scipy.arrays import csr_matrix

FloatArray = npt.NDArray[np.float64]

OPTIMAL, STOPPED, INFEASIBLE = 0, 1, 2
"""Values of the status that scipy.optimize.linprog reports."""


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """An LP's outcome: columns (None without a solution) and the duals of its rows."""

    status: int
    columns: FloatArray | None
    duals: FloatArray
    seconds: float


class ScipyLpSolver(Solver):
    """Bounds by the LP relaxation. The duals are taken as advice only: the bound is recomputed in whole numbers."""

    name = "scipy-lp"
    requires = ("scipy",)
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.TIME_LIMIT | Control.HINT
    auto_rank: ClassVar[int] = 60
    Options: ClassVar[type] = LinearOptions

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Presolve, relax, certify the duals, round."""
        limit = controls.time_limit_s
        started = time.perf_counter()
        deadline = None if limit is None else started + limit
        if self.options.presolve:
            share = None if limit is None else started + PRESOLVE_SHARE * limit
            known = presolve(problem, controls.hint, share)
        else:
            known = untouched(problem, controls.hint)
        if known.domain is None:
            return conclude(problem, known, Outcome(exhausted=True), trusted=True)
        model = linear_model(problem, known.domain)
        relaxed = _relax(model, False, deadline)
        if relaxed.status == INFEASIBLE:
            # what breaks the limits least tells which multipliers prove that none can be met
            elastic = _relax(model, True, deadline)
            exhausted = elastic.columns is not None and _certificate(problem, model, elastic.duals, False).bound < 0
            spent = relaxed.seconds + elastic.seconds
            stopped = Limit.TIME if elastic.status == STOPPED else None
            return conclude(problem, known, Outcome(None, None, exhausted, stopped, spent), trusted=True)
        bound = _certificate(problem, model, relaxed.duals, True).value_bound
        choice = None if relaxed.columns is None else repaired(problem, model, model.choice(relaxed.columns), deadline)
        stopped = Limit.TIME if relaxed.status == STOPPED else None
        return conclude(problem, known, Outcome(choice, bound, False, stopped, relaxed.seconds), trusted=True)


def _relax(model: LinearModel, elastic: bool, deadline: float | None) -> _Relaxed:
    """Solve the LP relaxation of `model`.

    Args:
        elastic: let limits be broken, and minimise by how much, each in units of its largest coefficient.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack

    matrix: Any = csr_matrix(model)  # the stubs of linprog know dense arrays only
    equality = model.equality
    rhs = model.rhs.astype(np.float64)
    below, costs = matrix[~equality], -model.objective.astype(np.float64)
    exact = matrix[equality]
    if elastic:
        slacks = below.shape[0]
        scales = np.maximum(abs(below).max(axis=1).toarray().ravel(), 1.0)
        below = hstack([below, csr_array((-scales, (np.arange(slacks), np.arange(slacks))), shape=(slacks, slacks))])
        exact = hstack([exact, csr_array((exact.shape[0], slacks))])
        costs = np.concatenate([np.zeros(model.columns), np.ones(slacks)])
    started = time.perf_counter()
    result = linprog(
        costs,
        A_ub=below,
        b_ub=rhs[~equality],
        A_eq=exact,
        b_eq=rhs[equality],
        bounds=(0.0, None),
        method="highs",
        options={"time_limit": np.inf if deadline is None else max(deadline - started, 1e-3)},
    )
    spent = time.perf_counter() - started
    duals = np.zeros(model.rows)
    if result.status == OPTIMAL:
        duals[~equality], duals[equality] = result.ineqlin.marginals, result.eqlin.marginals
    columns = None if result.x is None else np.asarray(result.x)[: model.columns]
    return _Relaxed(int(result.status), columns, duals, spent)


def _certificate(problem: KnapsackProblem, model: LinearModel, duals: FloatArray, values: bool) -> Certificate:
    """What `duals` prove, in whole numbers: those of limits as multipliers, those of chords' marginals as shares.

    Any numbers prove some bound; those of an optimal LP prove its value, for the messages inside the forest are then
    maximised exactly (weak duality; see `reds_core.dual`).
    """
    dual = Dual(problem, rows_of(problem), model.domain, values)
    used = model.limit_rows >= 0
    multipliers = np.where(used, np.maximum(-duals[model.limit_rows], 0.0), 0.0)
    return dual.certify(multipliers, tuple(_shares(model, k, duals) for k in dual.chords))


def _shares(model: LinearModel, pair: int, duals: FloatArray) -> tuple[FloatArray, FloatArray]:
    first, second = (model.domain.options[g].size for g in model.domain.ends[pair])
    start, end = int(model.marginal_rows[pair]), int(model.marginal_rows[pair + 1])
    if start == end:  # a pair without terms has no marginal rows
        return np.zeros(first), np.zeros(second)
    return -duals[start : start + first], -duals[start + first : end]
