"""Lets toulbar2 solve one network; a script that `reds_core.system.isolation` runs in a separate process.

toulbar2 holds Python's lock while it searches, counts its time limit in whole seconds of processor time, and ends the
process on some errors. It therefore runs in a child of this process, which stops it at the deadline by the signal of
its own timer: it then reports what it has found.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from reds_core.arrays import IntArray, NamedArrays
from reds_core.system import limit_memory, serve
from reds_toulbar2.network import OBJECTIVE, WEIGHTED

REPORT_S = 0.1
"""toulbar2 is stopped this many seconds before the deadline, to leave time for its report."""

PATIENCE_S = 0.3
"""A search that has not ended this many seconds after it was stopped is killed."""

FAR_S = 10**7
"""A time limit that is never reached; setting one makes toulbar2 listen to the signal of its timer."""


def answer(request: NamedArrays) -> dict[str, Any]:
    """Solve the network in `request`; see `reds_toulbar2.solver` for the names of the arrays.

    Raises:
        MemoryError: if toulbar2 ran out of memory.
        RuntimeError: if it failed for another reason.
    """
    started = time.perf_counter()
    if not hasattr(os, "fork"):
        return _search(request) | {"seconds": time.perf_counter() - started}
    import pytoulbar2  # noqa: F401 - imported once, before the process forks

    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    child = forking.Process(target=_child, args=(request, sender), daemon=True)
    child.start()
    sender.close()
    reply = _received(receiver, child.pid or 0, float(request["deadline"]))
    if reply is None:
        child.kill()
        reply = _stopped()
    child.join()
    if "error" in reply:
        raise (MemoryError if "bad_alloc" in reply["error"] else RuntimeError)(reply["error"])
    return reply | {"seconds": time.perf_counter() - started}


def _received(receiver: Connection, child: int, deadline: float) -> dict[str, Any] | None:
    """The reply of the child, which is told to stop at the deadline; None if it does not reply then."""
    try:
        left = deadline - REPORT_S - time.monotonic()
        if receiver.poll(None if np.isinf(left) else max(left, 0.0)):
            return dict(receiver.recv())
        os.kill(child, signal.SIGVTALRM)
        if not receiver.poll(PATIENCE_S):
            return None
        reply = dict(receiver.recv())
        return reply | {"finished": reply["finished"] and reply["bound"] >= reply["cost"]}
    except EOFError:
        if time.monotonic() >= deadline - REPORT_S:
            return None  # the signal ends a child that has not begun to search
        return {"error": "toulbar2 ended without an answer"}


def _child(request: NamedArrays, sender: Connection) -> None:
    try:
        limit_memory(int(request["memory"]))
        sender.send(_search(request))
    except MemoryError:
        sender.send({"error": "bad_alloc"})
    except Exception as error:
        sender.send({"error": f"{type(error).__name__}: {error}"})


def _stopped() -> dict[str, Any]:
    return {"finished": False, "values": np.zeros(0, np.int64), "cost": 0, "bound": 0}


def _search(request: NamedArrays) -> dict[str, Any]:
    """Build the network, solve it, and report."""
    import pytoulbar2

    top = int(request["top"])
    network = pytoulbar2.CFN(top, resolution=0, seed=int(request["seed"]), verbose=-1)
    network.CFN.timer(FAR_S)
    nothing = {"finished": True, "values": np.zeros(0, np.int64), "cost": top, "bound": top}
    try:
        _fill(network, request)
        solved = network.Solve()
    except network.Contradiction:  # no choice costs less than the top
        return nothing
    # a search that was stopped has a lower bound below its best cost, or below the top if it has found nothing
    bound = int(np.ceil(min(network.GetDDualBound(), top) - 1e-6))
    best = top if solved is None else round(solved[1])
    finished = bound >= best or not pytoulbar2.pytoulbar2.tb2.option.limited
    values = np.array([] if solved is None else solved[0], np.int64)
    return {"finished": finished, "values": values, "cost": best, "bound": max(bound, 0)}


def _fill(network: Any, request: NamedArrays) -> None:
    """Add variables, tables and constraints."""
    import pytoulbar2

    sizes = request["sizes"].tolist()
    _add_variables(network, sizes)
    # first, because toulbar2 may crash when it adds this constraint to a network whose values others have excluded
    weighted = list(_tables(request, WEIGHTED))
    if weighted:
        most = sum(int(costs.max()) for _, costs in weighted)
        second = pytoulbar2.CFN(most + 1, resolution=0, verbose=-1, init=False)
        _add_variables(second, sizes)
        for scope, costs in weighted:
            second.AddFunction(scope, costs.tolist())
        network.AddWeightedCSPConstraint(second, 0, int(request["weighted_room"]) + 1)
    for scope, costs in _tables(request, OBJECTIVE):
        network.AddFunction(scope, costs.tolist())
    for part, room in enumerate(request["linear_rooms"].tolist(), WEIGHTED + 1):
        terms = [(v, i, cost) for (v,), costs in _tables(request, part) for i, cost in enumerate(costs.tolist())]
        network.AddGeneralizedLinearConstraint(terms, "<=", room)


def _add_variables(network: Any, sizes: list[int]) -> None:
    for variable, size in enumerate(sizes):
        network.AddVariable(f"x{variable}", [f"v{i}" for i in range(size)])


def _tables(request: NamedArrays, part: int) -> Iterator[tuple[list[int], IntArray]]:
    """The scopes and flat costs of the tables of one part."""
    for k in np.flatnonzero(request["parts"] == part).tolist():
        scope = request["scopes"][k]
        yield scope[scope >= 0].tolist(), request["costs"][request["starts"][k] : request["starts"][k + 1]]


if __name__ == "__main__":
    serve(answer)
