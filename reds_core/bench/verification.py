"""Verifies answers in the process of the comparison, without trusting the process that solved the problem."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reds_core.bench.record import Contender, ProblemFacts, SolveOutcome, SolveRecord
from reds_core.bench.task import SolveLimits, SolverAnswer, SolveResult
from reds_core.errors import RedsError
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Solution
from reds_core.knapsack.solver import Controls, Feature, Solver, solve


@dataclass(frozen=True)
class Question:
    """One solve of a comparison: the problem, the contender and the limits.

    Attributes:
        facts: description of the problem.
        contender: the solver with its options.
        limits: limits and controls of the solve.
        repeat: number of the repeat, from 0.
        jobs: number of solves that run at the same time.
    """

    facts: ProblemFacts
    contender: Contender
    limits: SolveLimits
    repeat: int
    jobs: int


def scored(problem: KnapsackProblem, solver: type[Solver], answer: SolverAnswer, gap: float | None = None) -> Solution:
    """Check an answer and compute its value and gap.

    A stand-in solver with the declarations of `solver` replays the answer through `solve`, which checks it.

    Args:
        problem: the problem.
        solver: the class of the solver.
        answer: its answer.
        gap: the proven relative gap at which it was allowed to stop.

    Raises:
        ContractViolation: as `reds_core.knapsack.solver.solve`.
    """

    class StandIn(Solver):
        """Replays the answer."""

        name = solver.name
        features = Feature.ALL
        claims = solver.claims
        controls = solver.controls
        exact_below = solver.exact_below

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            return Answer(answer.status, answer.choice, answer.bound, answer.limit, answer.backend_s, answer.detail)

    return replace(solve(problem, StandIn(), Controls(gap=gap)), detail=tuple(answer.detail))


def record_of(question: Question, problem: KnapsackProblem, solver: type[Solver], result: SolveResult) -> SolveRecord:
    """Make the record of a solve. Value and gap are recomputed; an answer that fails the checks is BROKE_CONTRACT."""
    reply, solution = result.reply, None
    outcome, reason, detail = reply.outcome, reply.reason, result.detail
    if reply.answer is not None:
        try:
            solution = scored(problem, solver, reply.answer, question.limits.gap)
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
        settings=LevelSettings() if solution is None else solution.settings,
        wall_s=reply.wall_s,
        backend_s=None if solution is None else solution.backend_s,
        peak_memory_bytes=reply.peak_memory_bytes,
        time_limit_s=question.limits.time_limit_s,
        memory_limit_bytes=question.limits.memory_limit_bytes,
        threads=question.limits.threads,
        seed=question.limits.seed,
        gap_asked=question.limits.gap,
        jobs=question.jobs,
        started_at=result.started_at,
        machine=result.machine,
        versions=result.versions,
        detail=detail,
        cpu_s=reply.cpu_s,
        load=result.load,
    )
