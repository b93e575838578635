"""Mixed-integer back ends that run in a separate process, because they overrun time limits or conflict with others."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_core.knapsack.relaxation.float_report import FloatReport, nothing_found
from reds_core.knapsack.relaxation.linear import LinearModel
from reds_core.knapsack.solution import Limit
from reds_core.knapsack.solver import Controls
from reds_core.system.isolation import run_isolated

REPORT_S = 0.05
REPORT_SHARE = 0.02
"""A back end is given less time than there is by these seconds and this share of it, to leave time for its report."""


def ask_worker(worker: Path, model: LinearModel, controls: Controls, start: IntArray | None) -> FloatReport:
    """Let a worker script solve `model`; see `reds_core.system.serve`.

    The request holds the arrays of the model (see `LinearModel.arrays`), the start (`start`, empty without one), and
    the controls: `deadline` (`time.monotonic()` by which the back end should stop, or infinity), `seed`, `threads`,
    `memory` (bytes; 0 each if they are not set) and `gap`.

    The reply must hold the attributes of `FloatReport`: columns, bound, finished, infeasible, the name of the limit in
    lower case or "", seconds, and one remark or "" as `message`.

    Args:
        worker: path of the script.
        model: the model.
        controls: the controls; the time limit is the time that is left.
        start: values of the columns to start from, int64 (columns,), or None.

    Raises:
        MemoryError: if the worker ran out of memory.
        RuntimeError: if the worker failed for another reason.
    """
    started = time.monotonic()
    deadline = stop = np.inf
    if controls.time_limit_s is not None:
        deadline = started + controls.time_limit_s
        stop = deadline - REPORT_S - REPORT_SHARE * controls.time_limit_s
    memory = controls.memory_limit()
    request: dict[str, npt.ArrayLike] = {
        **model.arrays(),
        "start": np.zeros(0) if start is None else start,
        "deadline": stop,
        "seed": 0 if controls.seed is None else controls.seed % 2**31,
        "threads": controls.threads or 0,
        "memory": int(memory) if np.isfinite(memory) else 0,
        "gap": controls.gap or 0.0,
    }
    reply = run_isolated(worker, request, None if np.isinf(deadline) else deadline)
    if reply is None:
        return nothing_found(Limit.TIME, time.monotonic() - started)
    limit, message = str(reply["limit"]), str(reply["message"])
    return FloatReport(
        reply["columns"],
        float(reply["bound"]),
        bool(reply["finished"]),
        bool(reply["infeasible"]),
        Limit(limit) if limit else None,
        float(reply["seconds"]),
        (message,) if message else (),
    )
