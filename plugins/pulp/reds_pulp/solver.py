"""The linear model through PuLP: CBC as it ships with PuLP, or any other back end that PuLP knows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray, NamedArrays
from reds_core.errors import UnavailableError
from reds_core.knapsack import Control, Controls, Limit
from reds_core.knapsack.relaxation import (
    FLOAT_BITS,
    FLOAT_EXACT_BELOW,
    BackendOutcome,
    LinearModel,
    LinearOptions,
    LinearSolver,
    whole_bound,
)
from reds_core.system import run_isolated

WORKER = Path(__file__).with_name("worker.py")

MARGIN_S = 0.2
"""A back end that ends within this time of the deadline was stopped by it, whatever status it reports."""

CBC = ("PULP_CBC_CMD", "COIN_CMD")
"""Back ends that accept the options of CBC, such as the seed."""

CBC_OPTIONS = ("preprocess off",)
"""With preprocessing, the CBC that ships with PuLP reports false optima for about one in a thousand small models."""


@dataclass(frozen=True)
class PulpOptions(LinearOptions):
    """Options of the solver.

    Attributes:
        backend: name of a PuLP solver, as listed by `pulp.listSolvers()`.
    """

    backend: str = "PULP_CBC_CMD"


class PulpSolver(LinearSolver):
    """Branch and cut by CBC (Forrest and Lougee-Heimer, 2005) or another back end of PuLP, with a gap of 0 unless
    one is asked for.

    PuLP returns no bound, so a search that is stopped early has the bound of presolve or none, and one that ends at a
    gap has the bound that the gap implies.
    """

    name = "pulp"
    requires = ("pulp",)
    install = "pip install pulp"
    controls = (
        Control.TIME_LIMIT
        | Control.SEED
        | Control.THREADS
        | Control.HINT
        | Control.MEMORY_LIMIT
        | Control.GAP
        | Control.KNOWN_BOUND
    )
    auto_rank: ClassVar[int] = 40
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW
    coefficient_bits: ClassVar[int | None] = FLOAT_BITS
    Options: ClassVar[type] = PulpOptions

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        backend = self.options.backend
        cbc = backend in CBC
        options = list(CBC_OPTIONS) if cbc else []
        if cbc and controls.seed is not None:
            options += [f"randomSeed {controls.seed % 2**31}", f"randomCbcSeed {controls.seed % 2**31}"]
        deadline = None if controls.time_limit_s is None else time.monotonic() + controls.time_limit_s
        request: dict[str, npt.ArrayLike] = {
            **model.arrays(),
            "backend": backend,
            "cbc": cbc,
            "options": np.array(options, np.str_),
            "start": np.zeros(0) if start is None else start,
            "deadline": 0.0 if deadline is None else deadline,
            "threads": controls.threads or 0,
            # back ends take shares of the larger of value and bound, reds takes shares of the value
            "gap": (controls.gap or 0.0) / (1 + (controls.gap or 0.0)),
        }
        detail = () if controls.seed is None or cbc else (f"PuLP's {backend} is given no seed",)
        reply = run_isolated(WORKER, request, deadline)
        if reply is None:
            return BackendOutcome(limit=Limit.TIME, detail=detail)
        if "unavailable" in reply:
            raise UnavailableError(f"PuLP has no back end '{backend}' here", f"choose one of: {reply['unavailable']}")
        return replace(_outcome(model, reply, deadline, controls.gap or 0.0), detail=detail)


def _outcome(model: LinearModel, reply: NamedArrays, deadline: float | None, gap: float) -> BackendOutcome:
    """Interpret the reply of the worker. Its flags follow `sol_status`, because `status` calls stopped runs optimal."""
    seconds, levels = float(reply["seconds"]), reply["levels"]
    stopped = deadline is not None and time.monotonic() >= deadline - MARGIN_S
    if reply["infeasible"] and not stopped:
        return BackendOutcome(exhausted=True, backend_s=seconds)
    if not reply["found"] or np.any(np.isnan(levels[: model.group_starts[-1]])):
        return BackendOutcome(limit=Limit.TIME if stopped else None, backend_s=seconds)
    if not reply["optimal"] or (gap and stopped):
        return BackendOutcome(model.choice(levels), None, False, Limit.TIME if stopped else None, seconds)
    reached = whole_bound(float(model.objective.astype(np.float64) @ np.nan_to_num(levels)))
    value = None if reached is None else model.offset + reached
    bound = None if value is None else value + int(gap * abs(value))
    return BackendOutcome(model.choice(levels), bound, not gap, None, seconds)
