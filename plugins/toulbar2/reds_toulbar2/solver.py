"""Branch and bound on a cost function network by toulbar2, which runs in a process of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.arrays import NamedArrays
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
    LinearOptions,
    Presolved,
    at_gap,
    conclude,
    is_settled,
    least,
    prepared,
    unasked,
)
from reds_core.system import run_isolated, why_too_much
from reds_toulbar2.network import Network, entries_of, is_too_large, network_of

WORKER = Path(__file__).with_name("worker.py")

EXACT_BELOW = 2**51
"""pytoulbar2 passes costs as doubles; twice the magnitude of a problem must be below 2^53."""

BYTES_PER_ENTRY = 200
"""Memory of a table entry, as measured: in the request, as a number in Python, and in toulbar2."""

ENTRIES_PER_S = 1_500_000
"""The number of table entries that pytoulbar2 takes in a second."""


class Toulbar2Solver(Solver):
    """Exact branch and bound with soft local consistency by toulbar2 (Hurley et al., 2016)."""

    name = "toulbar2"
    requires = ("pytoulbar2",)
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = (
        Control.TIME_LIMIT | Control.SEED | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    )
    auto_rank: ClassVar[int] = 100
    Options: ClassVar[type] = LinearOptions

    def refusal(self, problem: KnapsackProblem) -> str | None:
        if problem.magnitude >= EXACT_BELOW:
            return "its sums may pass 2^51, beyond which pytoulbar2 rounds costs"
        if is_too_large(problem):
            return "more than one of its limits has costs that add up to 2^31, the most that toulbar2 can hold"
        return None

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Presolve, let toulbar2 search what is left, and combine what both prove."""
        answer = cheapest_where_memory_ends(problem, controls.hint, lambda: self._answer(problem, controls))
        return at_gap(problem, answer, controls)

    def _answer(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        started = time.perf_counter()
        deadline = None if controls.time_limit_s is None else started + controls.time_limit_s
        known = prepared(problem, controls, self.options, started)
        if isinstance(known, Answer):
            return known
        if is_settled(known, controls):
            return conclude(problem, known, BackendOutcome())
        if known.domain is None:
            return conclude(problem, known, BackendOutcome(exhausted=True), proved=True)
        entries = entries_of(problem, known.domain)
        why = why_too_much("the cost function network takes", entries * BYTES_PER_ENTRY, controls.memory_limit())
        if why is not None:
            return conclude(problem, known, unasked(problem, known, (Limit.MEMORY, why), deadline))
        if deadline is not None and entries > ENTRIES_PER_S * (deadline - time.perf_counter()):
            halted = (Limit.TIME, "no time was left to hand the network to toulbar2")
            return conclude(problem, known, unasked(problem, known, halted, deadline))
        network = network_of(problem, known.domain, known.value)
        if network is None:
            return conclude(problem, known, BackendOutcome(exhausted=True), proved=True)
        return conclude(problem, known, _search(problem, known, network, controls, deadline))


def _search(
    problem: KnapsackProblem, known: Presolved, network: Network, controls: Controls, deadline: float | None
) -> BackendOutcome:
    """Ask toulbar2 for the best choice that is worth more than the incumbent."""
    end = None if deadline is None else time.monotonic() + deadline - time.perf_counter()
    reply = run_isolated(WORKER, _request(network, controls, end), end)
    outcome = BackendOutcome(limit=Limit.TIME) if reply is None else _outcome(problem, known, network, reply)
    if outcome.choice is None and known.incumbent is None and known.domain is not None and not outcome.exhausted:
        return replace(outcome, choice=least(problem, known.domain, deadline))
    return outcome


def _request(network: Network, controls: Controls, end: float | None) -> dict[str, npt.ArrayLike]:
    """The arrays that the worker reads."""
    scopes = np.full((len(network.tables), 3), -1)
    for scope, table in zip(scopes, network.tables, strict=True):
        scope[: len(table.scope)] = table.scope
    memory = controls.memory_limit()
    return {
        "sizes": np.array(network.sizes, np.int64),
        "parts": np.array([table.part for table in network.tables], np.int64),
        "scopes": scopes,
        "starts": np.cumsum([0, *(table.costs.size for table in network.tables)]),
        "costs": np.concatenate([np.zeros(0, np.int64), *(table.costs.ravel() for table in network.tables)]),
        "weighted_room": network.weighted_room,
        "linear_rooms": np.array(network.linear_rooms, np.int64),
        "top": network.top,
        "seed": 1 if controls.seed is None else controls.seed % 2**31,
        "deadline": np.inf if end is None else end,
        "memory": 0 if not np.isfinite(memory) else int(memory),
    }


def _outcome(problem: KnapsackProblem, known: Presolved, network: Network, reply: NamedArrays) -> BackendOutcome:
    """Interpret the reply of the worker.

    Raises:
        RuntimeError: if toulbar2 returned a choice that does not have the cost that it reports.
    """
    assert known.domain is not None
    spent = float(reply["seconds"])
    choice = None
    if reply["values"].size:
        choice = known.domain.choice(reply["values"][: len(problem.groups)].tolist())
        evaluation = problem.evaluate(choice)
        if not evaluation.feasible or evaluation.value != network.constant - int(reply["cost"]):
            raise RuntimeError(f"toulbar2 reports a cost of {reply['cost']} for the choice {choice}, which is wrong")
    if reply["finished"]:
        bound = None if choice is None else network.constant - int(reply["cost"])
        return BackendOutcome(choice, bound, True, None, spent)
    return BackendOutcome(choice, network.constant - int(reply["bound"]), False, Limit.TIME, spent)
