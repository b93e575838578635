"""The linear model through PuLP: CBC as it ships with PuLP, or any other back end that PuLP knows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reds_core.errors import UnavailableError
from reds_core.linear import LinearModel
from reds_core.milp import FLOAT_EXACT_BELOW, LinearOptions, LinearSolver, Outcome, whole_bound
from reds_core.problem import IntArray
from reds_core.solution import Limit
from reds_core.solver import Control, Controls
from reds_pulp.process import run

CBC = ("PULP_CBC_CMD", "COIN_CMD")
"""Back ends that take CBC's own options, of which the seed is one."""


@dataclass(frozen=True)
class PulpOptions(LinearOptions):
    """Options of the solver.

    Attributes:
        backend: name of a PuLP solver, as `pulp.listSolvers()` gives it.
    """

    backend: str = "PULP_CBC_CMD"


class PulpSolver(LinearSolver):
    """Branch and cut by CBC (Forrest and Lougee-Heimer, 2005) or another back end of PuLP, with a gap of 0.

    PuLP hands back no bound, so that a search stopped early has the bound of presolve, or none.
    """

    name = "pulp"
    requires = ("pulp",)
    install = "pip install pulp"
    controls = Control.TIME_LIMIT | Control.SEED | Control.THREADS | Control.HINT
    auto_rank: ClassVar[int] = 40
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW
    Options: ClassVar[type] = PulpOptions

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> Outcome:
        backend = self.options.backend
        seeded = controls.seed is not None and backend in CBC
        deadline = None if controls.time_limit_s is None else time.time() + controls.time_limit_s
        request = {
            "backend": backend,
            "objective": model.objective,
            "whole": model.option_columns,
            "column": model.column,
            "coefficient": model.coefficient,
            "starts": model.row_starts(),
            "rhs": model.rhs,
            "equality": model.equality,
            "start": np.zeros(0) if start is None else start,
            "deadline": 0.0 if deadline is None else deadline,
            "threads": controls.threads or 0,
            "seed": (controls.seed or 0) % 2**31 if seeded else -1,
        }
        reply = run(request, deadline)
        detail = () if controls.seed is None or seeded else (f"PuLP's {backend} is given no seed",)
        if reply.unavailable is not None:
            raise UnavailableError(f"PuLP has no back end '{backend}' here", f"choose one of: {reply.unavailable}")
        stopped = deadline is not None and time.time() >= deadline - _MARGIN_S
        if reply.late or reply.levels is None:
            return Outcome(limit=Limit.TIME, detail=detail)
        if reply.infeasible and not stopped:
            return Outcome(exhausted=True, backend_s=reply.seconds, detail=detail)
        if not reply.found or np.any(np.isnan(reply.levels[: model.option_columns])):
            return Outcome(limit=Limit.TIME if stopped else None, backend_s=reply.seconds, detail=detail)
        choice = model.choice(reply.levels)
        bound = None
        if reply.optimal:
            reached = float(model.objective.astype(np.float64) @ np.nan_to_num(reply.levels))
            bound = whole_bound(reached)
        return Outcome(
            choice,
            None if bound is None else model.offset + bound,
            reply.optimal,
            None if reply.optimal else Limit.TIME,
            reply.seconds,
            detail,
        )


_MARGIN_S = 0.2
"""A back end that gives up this short before the deadline was stopped by it, whatever it calls its state."""
