"""The original formulation of REDS, with a binary for each kernel."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from reds_baselines.kernel_model import kernel_model
from reds_baselines.level_refusal import refusal_of_levels
from reds_baselines.mathopt import Backend, maximise
from reds_baselines.threshold import cuts
from reds_core.arrays import IntArray
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
    cheapest_choice,
    first_within,
)

KERNELS_LIMIT = 2_000_000
"""The largest number of kernels; models with more take gigabytes."""

KERNELS_PER_S = 100_000
"""The number of kernels whose model is built and passed on in a second, at least."""


@dataclass(frozen=True)
class KernelOptions:
    """Options of `reds-kernel`.

    Attributes:
        backend: the solver of OR-Tools to use.
    """

    backend: Backend = "scip"


class RedsKernelSolver(Solver):
    """Solves the kernel-level program of REDS and keeps the widths that it chose.

    The program chooses kernels freely, so its bound and its optimum are not valid for widths, and the solver claims
    neither. If the widths exceed a budget that the kernels meet, channels are cut by score as in `global-threshold`.
    """

    name: ClassVar[str] = "reds-kernel"
    requires: ClassVar[tuple[str, ...]] = ("ortools",)
    install: ClassVar[str | None] = "pip install ortools"
    features: ClassVar[Feature] = Feature.PAIR_TERMS | Feature.MULTI_RESOURCE | Feature.BOUNDS
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.TIME_LIMIT | Control.SEED | Control.THREADS
    auto_rank: ClassVar[int] = 140
    Options: ClassVar[type] = KernelOptions

    def refusal(self, problem: KnapsackProblem) -> str | None:
        of_levels = refusal_of_levels(problem)
        if of_levels is not None:
            return of_levels
        names = [g.name for g in problem.groups]
        for pair in problem.pairs:
            if pair.kernel is None:
                joined = f"'{names[pair.first]}' and '{names[pair.second]}'"
                return f"it chooses kernels, and there are no kernel scores (kernel/K) of the pair {joined}"
        if any(table is not None and table.any() for r in problem.sum_resources for table in r.pair_costs):
            return "pair costs in a table cannot be told apart by kernel"
        kernels = sum(p.kernel.size for p in problem.pairs if p.kernel is not None)
        return f"{kernels:,} kernels are more than {KERNELS_LIMIT:,}" if kernels > KERNELS_LIMIT else None

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        started = time.monotonic()
        deadline = None if controls.time_limit_s is None else started + controls.time_limit_s
        kernels = sum(p.kernel.size for p in problem.pairs if p.kernel is not None)
        if controls.time_limit_s is not None and kernels > KERNELS_PER_S * controls.time_limit_s:
            late = f"no time was left to build a model of {kernels:,} kernels"
            return _without_back_end(problem, Answer(Status.NO_SOLUTION, limit=Limit.TIME, detail=(late,)))
        model = kernel_model(problem)
        found = maximise(model, self.options.backend, controls, deadline)
        detail: tuple[str, ...] = (str(model),)
        if found.backend_s is None:
            detail += ("the back end ran past the time limit and was ended",)
        limit = Limit.TIME if found.stopped else None
        choice = None
        if found.widths is not None:
            wanted = nearest_options(problem, found.widths)
            choice = first_within(problem, cuts(problem, wanted))
            if choice != wanted:
                detail += ("its widths exceed a budget that its kernels meet",)
        elif not found.stopped:
            detail += ("no choice of kernels meets the budgets",)
        if choice is None:
            none = Answer(Status.NO_SOLUTION, limit=limit, backend_s=found.backend_s, detail=detail)
            return _without_back_end(problem, none)
        return Answer(Status.FEASIBLE, choice, limit=limit, backend_s=found.backend_s, detail=detail)


def _without_back_end(problem: KnapsackProblem, none: Answer) -> Answer:
    """`none`, an answer without a choice, completed by the cheapest choice if that is feasible."""
    choice = cheapest_choice(problem)
    if choice is None:
        return none
    detail = (*none.detail, "the choice is the cheapest one, not the back end's")
    return replace(none, status=Status.FEASIBLE, choice=choice, detail=detail)


def nearest_options(problem: KnapsackProblem, widths: IntArray) -> tuple[int, ...]:
    """The widest option of each group that keeps at most `widths` channels, moved within floor and ceiling.

    The widths of each group must rise strictly, because options are found by bisection.

    Args:
        problem: the problem.
        widths: number of channels for each group, int64 (groups,).
    """
    options = [int(np.searchsorted(g.widths, w, side="right")) - 1 for g, w in zip(problem.groups, widths, strict=True)]
    return tuple(int(k) for k in np.clip(options, problem.floors, problem.ceilings))
