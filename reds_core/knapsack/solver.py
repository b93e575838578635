"""The solver interface: what a solver declares, and `solve`, which calls it and checks its answer."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Flag, auto
from numbers import Real
from typing import Any, ClassVar

from reds_core.errors import ContractViolation, InputError, UnsupportedError, argument
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Solution, Status, relative_gap
from reds_core.plugin import Plugin, guarded
from reds_core.system.memory import default_memory_limit


class Feature(Flag):
    """Features of problems. A solver is only given problems whose features it declares."""

    NONE = 0
    PAIR_TERMS = auto()
    """Pair values, bilinear terms or pair costs."""
    MULTI_RESOURCE = auto()
    """More than one sum resource."""
    PEAK = auto()
    """Peak resources."""
    BOUNDS = auto()
    """Floors or ceilings that exclude an option."""
    ALL = PAIR_TERMS | MULTI_RESOURCE | PEAK | BOUNDS


class Claim(Flag):
    """What a solver may claim besides a feasible choice."""

    NONE = 0
    OPTIMAL = auto()
    INFEASIBLE = auto()
    BOUND = auto()


class Control(Flag):
    """The controls that a solver can honour."""

    NONE = 0
    TIME_LIMIT = auto()
    SEED = auto()
    THREADS = auto()
    HINT = auto()
    MEMORY_LIMIT = auto()
    GAP = auto()
    KNOWN_BOUND = auto()


MOST_THREADS = 2**16
"""The largest number of threads; the libraries behind solvers store it in small integers."""


@dataclass(frozen=True)
class Controls:
    """Limits and hints for a solve. None leaves a control to the solver.

    Attributes:
        time_limit_s: time limit in seconds of wall time.
        seed: random seed.
        threads: maximum number of threads.
        hint: a choice to start from, which need not be feasible.
        memory_limit_bytes: the most memory that the tables of the solver may take, checked before they are allocated.
            None means half of the memory that is available when the solve begins; see `memory_limit`.
        gap: the proven relative gap, (bound - value) / |value|, at which the search may stop: its answer then is
            FEASIBLE with the limit GAP. None or 0 asks for a proof of optimality.
        known_bound: an upper bound on the value of every feasible choice that is already proven, by another solver say.

    Raises:
        InputError: if a value is out of range.
    """

    time_limit_s: float | None = None
    seed: int | None = None
    threads: int | None = None
    hint: tuple[int, ...] | None = None
    memory_limit_bytes: int | None = None
    gap: float | None = None
    known_bound: int | None = None

    def __post_init__(self) -> None:
        if self.time_limit_s is not None and not 0 < self.time_limit_s < math.inf:
            raise InputError(
                f"the time limit {self.time_limit_s:g} is not above 0 and finite", "give seconds such as 60"
            )
        if self.threads is not None and self.threads < 1:
            raise InputError(f"the number of threads {self.threads} is below 1", "give 1 or more")
        if self.threads is not None and self.threads > MOST_THREADS:
            raise InputError(f"{self.threads} threads are more than any machine has", f"give at most {MOST_THREADS}")
        if self.seed is not None and self.seed < 0:
            raise InputError(f"the seed {self.seed} is negative", "give 0 or more")
        if self.memory_limit_bytes is not None and self.memory_limit_bytes < 1:
            raise InputError(f"the memory limit {self.memory_limit_bytes} is below 1 byte", "give more, such as 2GiB")
        if self.gap is not None and not 0 <= self.gap < math.inf:
            raise InputError(f"the gap {self.gap:g} is not a finite share of at least 0", "give one such as 1e-4")

    def given(self) -> Control:
        """The controls that are set."""
        flags = {
            Control.TIME_LIMIT: self.time_limit_s,
            Control.SEED: self.seed,
            Control.THREADS: self.threads,
            Control.HINT: self.hint,
            Control.MEMORY_LIMIT: self.memory_limit_bytes,
            Control.GAP: self.gap or None,
            Control.KNOWN_BOUND: self.known_bound,
        }
        result = Control.NONE
        for flag, setting in flags.items():
            if setting is not None:
                result |= flag
        return result

    def is_close_enough(self, value: int | None, bound: int | None) -> bool:
        """Whether a search that holds a choice worth `value` may stop at the proven `bound`, if it has both."""
        gap = relative_gap(value, bound)
        return gap is not None and gap <= (self.gap or 0.0)

    def memory_limit(self) -> float:
        """The most memory that tables may take now, in bytes; infinite if nobody limits it."""
        if self.memory_limit_bytes is not None:
            return self.memory_limit_bytes
        default = default_memory_limit()
        return math.inf if default is None else default


class Solver(Plugin, ABC):
    """Base class of solver plugins. An instance has no state except its options.

    Attributes:
        features: the features of problems that the solver supports.
        claims: what the solver may claim.
        controls: the controls that the solver honours.
        auto_rank: the order in which `--solver auto` tries solvers, lowest first. Among equal ranks, exact solvers come
            before those with a bound, and these before all others.
        exact_below: the magnitude of values and costs below which the solver computes exactly and may claim OPTIMAL.
            None for solvers that only compute in integers.
        memory_bounds_work: whether a solve under a memory limit ends soon without a time limit, and with an answer that
            does not depend on the speed of the machine.
    """

    kind = "solver"
    declares = ("features", "claims", "controls")
    features: ClassVar[Feature]
    claims: ClassVar[Claim]
    controls: ClassVar[Control]
    auto_rank: ClassVar[int] = 50
    exact_below: ClassVar[int | None] = None
    memory_bounds_work: ClassVar[bool] = False

    def refusal(self, problem: KnapsackProblem) -> str | None:
        """Why the solver cannot take this problem although it supports its features (its size, say), or None."""
        return None

    @abstractmethod
    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        """Solve `problem`. Only called by the function `solve`, which validates, times and evaluates the answer."""


def features_of(problem: KnapsackProblem) -> Feature:
    """The features that a solver must support to be given `problem`."""
    result = Feature.NONE
    if problem.pairs:
        result |= Feature.PAIR_TERMS
    if len(problem.sum_resources) > 1:
        result |= Feature.MULTI_RESOURCE
    if problem.peak_resources:
        result |= Feature.PEAK
    full = tuple(g.options - 1 for g in problem.groups)
    if any(problem.floors) or problem.ceilings != full:
        result |= Feature.BOUNDS
    return result


def why_not(solver: Solver, problem: KnapsackProblem) -> str | None:
    """Why `solver` cannot be given `problem`, or None if it can."""
    missing = features_of(problem) & ~solver.features
    if missing:
        names = ", ".join(str(f.name).lower() for f in Feature if f in missing and f.name)
        return f"it does not handle {names}"
    return solver.refusal(problem)


def solve(problem: KnapsackProblem, solver: Solver, controls: Controls | None = None) -> Solution:
    """Solve `problem` with `solver`, and check and complete its answer.

    Value and usage are computed from the choice in exact integers; the solver does not report them.

    Raises:
        UnsupportedError: if the solver does not accept the problem.
        ContractViolation: if the choice exceeds a budget, the bound is below its value, or the solver claims what it
            did not declare.
        PluginFailure: if the solver raises an unexpected exception.
    """
    controls = controls or Controls()
    if controls.hint is not None:
        problem.evaluate(controls.hint)
    with guarded(solver, f" on problem '{problem.name}'"):
        reason = why_not(solver, problem)
    if reason is not None:
        raise UnsupportedError(
            f"solver '{solver.name}' cannot take problem '{problem.name}': {reason}",
            f"choose another solver, or {argument('solver', 'auto')}",
        )
    if any(low > high for low, high in zip(problem.floors, problem.ceilings, strict=True)):
        return _complete(problem, solver, Answer(Status.INFEASIBLE, detail=("a floor is above its ceiling",)), 0.0)
    started = time.perf_counter()
    try:
        with guarded(solver, f" on problem '{problem.name}'"):
            answer = solver.solve(problem, controls)
    except MemoryError:
        answer = Answer(Status.NO_SOLUTION, limit=Limit.MEMORY, detail=("the solver ran out of memory",))
    wall_s = time.perf_counter() - started
    _check(problem, solver, answer)
    _check_gap(problem, solver, answer, controls)
    ignored = controls.given() & ~solver.controls
    notes = tuple(f"does not honour {str(c.name).lower()}" for c in Control if c in ignored and c.name)
    return _complete(problem, solver, answer, wall_s, notes)


def _complete(
    problem: KnapsackProblem, solver: Solver, answer: Answer, wall_s: float, notes: tuple[str, ...] = ()
) -> Solution:
    choice = None if answer.choice is None else tuple(int(i) for i in answer.choice)
    evaluation = None if choice is None else problem.evaluate(choice)
    value = None if evaluation is None else evaluation.value
    bound = None if answer.bound is None else int(answer.bound)
    return Solution(
        status=answer.status,
        limit=answer.limit,
        choice=choice,
        value=value,
        bound=bound,
        gap=relative_gap(value, bound),
        widths=None if choice is None else problem.widths(choice),
        usage=None if evaluation is None else evaluation.usage,
        wall_s=wall_s,
        backend_s=answer.backend_s,
        solver=solver.name,
        version=type(solver).version(),
        detail=(*answer.detail, *notes),
        settings=LevelSettings() if choice is None else problem.settings(choice),
    )


def _is_integer(number: Any) -> bool:
    return not isinstance(number, bool) and hasattr(number, "__index__")


def _violation(problem: KnapsackProblem, solver: Solver, what: str) -> ContractViolation:
    return ContractViolation(
        f"solver '{solver.name}' broke its contract on problem '{problem.name}': {what}",
        "report it to its author, or choose another solver",
    )


def malformed(answer: object) -> str | None:
    """Return what is wrong with the types in an answer, as a sentence without a capital, or None if nothing is."""
    if not isinstance(answer, Answer):
        return f"it returned {type(answer).__name__}, not an Answer"
    parts: dict[str, object] = vars(answer)
    if not isinstance(parts["status"], Status):
        return f"its status {answer.status!r} is not a Status"
    if not isinstance(parts["limit"], Limit | None):
        return f"its limit {answer.limit!r} is not a Limit"
    if not isinstance(parts["backend_s"], Real | None):
        return f"its backend seconds {answer.backend_s!r} are not a number"
    if not isinstance(parts["detail"], tuple | list) or not all(isinstance(d, str) for d in answer.detail):
        return f"its detail {answer.detail!r} is not a tuple of texts"
    has_choice = answer.status in (Status.OPTIMAL, Status.FEASIBLE)
    if has_choice != (answer.choice is not None):
        return f"status {answer.status.value} {'without' if has_choice else 'with'} a choice"
    if answer.bound is not None and not _is_integer(answer.bound):
        return f"its bound {answer.bound!r} is not an integer"
    if answer.bound is not None and abs(int(answer.bound)) >= 2**63:
        return "its bound does not fit in 64 bits"
    return None


def _check_gap(problem: KnapsackProblem, solver: Solver, answer: Answer, controls: Controls) -> None:
    """Check that an answer whose limit is the gap has reached the gap that was asked for."""
    if answer.limit is not Limit.GAP:
        return
    if answer.choice is None or answer.bound is None:
        raise _violation(problem, solver, "it stopped at a gap without a choice and a bound")
    gap = relative_gap(problem.evaluate(answer.choice).value, int(answer.bound))
    if gap is None or gap > (controls.gap or 0.0):
        raise _violation(problem, solver, f"it stopped at the gap {gap}, but {controls.gap} was asked for")


def _check(problem: KnapsackProblem, solver: Solver, answer: Answer) -> None:
    """Check `answer` against the declarations of the solver and against the problem."""

    def violated(what: str) -> ContractViolation:
        return _violation(problem, solver, what)

    fault = malformed(answer)
    if fault is not None:
        raise violated(fault)
    if answer.bound is not None and Claim.BOUND not in solver.claims:
        raise violated("it gave a bound, which it does not declare")
    if answer.status is Status.INFEASIBLE and Claim.INFEASIBLE not in solver.claims:
        raise violated("it claimed infeasibility, which it does not declare")
    if answer.choice is None:
        return
    try:
        evaluation = problem.evaluate(answer.choice)
    except (InputError, TypeError, ValueError) as error:
        raise violated("its choice does not hold one option index for each group") from error
    if not evaluation.feasible:
        raise violated(f"its choice is over budget or outside floors and ceilings (usage {dict(evaluation.usage)})")
    if answer.bound is not None and answer.bound < evaluation.value:
        raise violated(f"its bound {answer.bound} is below the value {evaluation.value} of its own choice")
    if answer.status is Status.OPTIMAL:
        if Claim.OPTIMAL not in solver.claims:
            raise violated("it claimed optimality, which it does not declare")
        if answer.bound is None or answer.bound != evaluation.value:
            raise violated(f"it claimed optimality at value {evaluation.value} with bound {answer.bound}")
        if solver.exact_below is not None and problem.magnitude >= solver.exact_below:
            raise violated(f"it claimed optimality above the magnitude {solver.exact_below} that it declares exact")
