"""Scores an answer in the process of the comparison: nothing that the process of a solve says of it is believed."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.bench.record import Contender, ProblemFacts, SolveOutcome, SolveRecord
from reds_core.bench.task import SolveLimits, SolverAnswer, SolveResult
from reds_core.errors import RedsError
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Solution
from reds_core.knapsack.solver import Controls, Feature, Solver, solve


@dataclass(frozen=True)
class Question:
    """One solve of a comparison: who is asked what, and how.

    Attributes:
        repeat: from 0.
        jobs: how many solves run side by side.
    """

    facts: ProblemFacts
    contender: Contender
    limits: SolveLimits
    repeat: int
    jobs: int


def scored(problem: KnapsackProblem, solver: type[Solver], answer: SolverAnswer) -> Solution:
    """The answer through the one guarded call, given by a stand-in that declares what `solver` declares.

    Raises:
        ContractViolation: as `reds_core.knapsack.solver.solve`.
    """

    class StandIn(Solver):
        """Repeats what was answer."""

        name = solver.name
        features = Feature.ALL
        claims = solver.claims
        controls = solver.controls
        exact_below = solver.exact_below

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            return Answer(answer.status, answer.choice, answer.bound, answer.limit, answer.backend_s, answer.detail)

    return solve(problem, StandIn())


def record_of(question: Question, problem: KnapsackProblem, solver: type[Solver], result: SolveResult) -> SolveRecord:
    """The record of a solve, value and gap computed here, a claim that does not hold as BROKE_CONTRACT."""
    reply, solution = result.reply, None
    outcome, reason, detail = reply.outcome, reply.reason, result.detail
    if reply.answer is not None:
        try:
            solution = scored(problem, solver, reply.answer)
            detail = solution.detail
        except RedsError as error:
            outcome, reason = SolveOutcome.BROKE_CONTRACT, error.what
    return SolveRecord(
        problem=question.facts,
        contender=question.contender,
        repeat=question.repeat,
        outcome=outcome,
        reason=reason,
        status=None if solution is None else solution.status,
        limit=None if solution is None else solution.limit,
        value=None if solution is None else solution.value,
        bound=None if solution is None else solution.bound,
        gap=None if solution is None else solution.gap,
        widths=None if solution is None else solution.widths,
        wall_s=reply.wall_s,
        backend_s=None if solution is None else solution.backend_s,
        peak_memory_bytes=reply.peak_memory_bytes,
        time_limit_s=question.limits.time_limit_s,
        memory_limit_bytes=question.limits.memory_limit_bytes,
        threads=question.limits.threads,
        seed=question.limits.seed,
        jobs=question.jobs,
        started_at=result.started_at,
        machine=result.machine,
        versions=result.versions,
        detail=detail,
    )
