"""Presolve for solvers that take a linear model: drops options and joint choices that no optimum needs.

Three steps are repeated while they shrink the problem. First, drop what no choice within the limits contains. Second,
minimise the Lagrangian dual and improve the choices it meets into an incumbent. Third, drop what no choice better than
the incumbent contains. The rest comes with one redundant row, sum of reduced costs <= bound - incumbent (reduced-cost
fixing; Dantzig, Fulkerson and Johnson, 1954).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.dual import Certificate, Dual
from reds_core.knapsack.relaxation.incumbent import Improver
from reds_core.knapsack.relaxation.linear import Cut
from reds_core.knapsack.relaxation.multipliers import DualSearch
from reds_core.knapsack.relaxation.rows import Restriction, rows_of

ROUNDS = 8
WORTHWHILE = 0.9
"""Rounds repeat while one leaves less than this share of the options and cells."""
CANDIDATES = 6
"""The number of choices that are improved in each round: the latest ones that the dual search met."""
JOINT_CHOICES = 2**17
"""If there are more changes of two groups than this, only one choice is improved by them."""


@dataclass(frozen=True, eq=False)
class Presolved:
    """The result of presolve.

    Attributes:
        incumbent: the best feasible choice found, or None.
        value: the value of the incumbent, or None.
        bound: a proven upper bound on the value of every choice, or None if none was computed.
        domain: a domain that contains every choice better than the incumbent. None if there is no such choice: the
            incumbent is then optimal, or the problem infeasible if there is no incumbent.
        cut: a row that every choice better than the incumbent satisfies, or None without an incumbent.
    """

    incumbent: tuple[int, ...] | None
    value: int | None
    bound: int | None
    domain: Domain | None
    cut: Cut | None


def untouched(problem: KnapsackProblem, hint: Sequence[int] | None = None) -> Presolved:
    """The result without presolve: the whole domain, with `hint` as incumbent if it is feasible."""
    evaluation = None if hint is None else problem.evaluate(hint)
    if hint is None or evaluation is None or not evaluation.feasible:
        return Presolved(None, None, None, Domain.of(problem), None)
    return Presolved(tuple(hint), evaluation.value, None, Domain.of(problem), None)


def presolve(problem: KnapsackProblem, hint: Sequence[int] | None = None, deadline: float | None = None) -> Presolved:
    """Shrink `problem` to a domain that contains every choice better than the best one found.

    Args:
        problem: the problem.
        hint: a choice to improve from; it need not be feasible.
        deadline: `time.perf_counter()` at which to stop, or None.
    """
    # products of large costs and multipliers may overflow in the dual, whose certificate is computed in integers
    with np.errstate(over="ignore", invalid="ignore"):
        return _Presolve(problem, deadline).run(hint)


class _Presolve:
    def __init__(self, problem: KnapsackProblem, deadline: float | None) -> None:
        self.problem = problem
        self.deadline = deadline
        self.rows = rows_of(problem)
        self.incumbent: tuple[int, ...] | None = None
        self.value: int | None = None
        self.bound: int | None = None

    def run(self, hint: Sequence[int] | None) -> Presolved:
        domain = self._within_limits(Domain.of(self.problem))
        if domain is not None and hint is not None:
            self._offer(domain, [self._nearest(domain, hint)], exchange=False)
        start = np.zeros(len(self.rows))
        for _ in range(ROUNDS):
            if domain is None or self._late():
                break
            narrowed, start = self._round(domain, start)
            if narrowed is None or self.value is None or narrowed.size > WORTHWHILE * domain.size:
                domain = narrowed
                break
            domain = narrowed
        return self._finish(domain, start)

    def _round(self, domain: Domain, start: FloatArray) -> tuple[Domain | None, FloatArray]:
        """One round of presolve from the multipliers `start`. Returns the new domain and multipliers."""
        search = self._search(domain, start)
        met = list(search.met)[-CANDIDATES:]
        self._offer(domain, met, exchange=False)
        if self.value is None:
            self._offer(domain, met, exchange=True)
        if self.value is None and self._rows_disagree(domain):
            return None, start
        certificate = search.dual.certify(search.best.multipliers, search.best_shares)
        self.bound = certificate.value_bound if self.bound is None else min(self.bound, certificate.value_bound)
        for (index, _), multiplier in zip(self._breakable(domain), search.best.multipliers, strict=True):
            start[index] = multiplier
        if self.value is None:
            return domain, start
        narrowed = self._narrowed(certificate, domain, self.value)
        if narrowed is not None and narrowed.size > WORTHWHILE * domain.size:
            # changes of two groups are expensive, so they are tried only when other changes no longer help
            before = self.value
            self._offer(domain, [self._nearest(domain, self.incumbent or ()), *met], exchange=True)
            if self.value > before:
                narrowed = self._narrowed(certificate, domain, self.value)
        return narrowed, start

    def _narrowed(self, certificate: Certificate, domain: Domain, value: int) -> Domain | None:
        """`domain` without what no feasible choice worth more than `value` has; None if there is no such choice."""
        narrowed = certificate.narrow(domain, value + 1)
        return None if narrowed is None else self._within_limits(narrowed)

    def _breakable(self, domain: Domain) -> list[tuple[int, Restriction]]:
        """The rows that the largest remaining costs could violate, with their indices."""
        return [(i, row) for i, row in enumerate(self.rows) if _largest_use(row, domain) > row.limit]

    def _search(self, domain: Domain, start: FloatArray) -> DualSearch:
        """A finished dual search over the rows that can be violated."""
        rows = self._breakable(domain)
        dual = Dual(self.problem, [row for _, row in rows], domain)
        search = DualSearch(dual, start[[i for i, _ in rows]], self.value, self.deadline)
        search.run()
        return search

    def _finish(self, domain: Domain | None, start: FloatArray) -> Presolved:
        """The result, with a cut at the last multipliers."""
        if domain is None:
            return Presolved(self.incumbent, self.value, self.value, None, None)
        if self.value is None:
            return Presolved(None, None, self.bound, domain, None)
        search = self._search(domain, start)
        certificate = search.dual.certify(search.best.multipliers, search.best_shares)
        if certificate.room(self.value + 1) < 0:
            return Presolved(self.incumbent, self.value, self.value, None, None)
        bound = max(certificate.value_bound, self.value)
        bound = bound if self.bound is None else min(bound, self.bound)
        return Presolved(self.incumbent, self.value, bound, domain, certificate.cut(self.value + 1))

    def _late(self) -> bool:
        return self.deadline is not None and time.perf_counter() >= self.deadline

    def _within_limits(self, domain: Domain | None) -> Domain | None:
        """`domain` without what violates a row whatever else is chosen; None if nothing is left."""
        settled = False
        while domain is not None and not settled and not self._late():
            before = domain.size
            for row in self.rows:
                if domain is None:
                    return None
                dual = Dual(self.problem, [row], domain, values=False)
                # with a multiplier of 1 and no values, the bound is limit - least usage: at least 0 within limits
                domain = dual.certify(np.ones(1), dual.no_shares()).narrow(domain, 0)
            settled = domain is None or domain.size == before
        return domain

    def _rows_disagree(self, domain: Domain) -> bool:
        """Whether multipliers are found that prove that the limits cannot all be met."""
        rows = [row for _, row in self._breakable(domain)]
        if not rows:
            return False
        dual = Dual(self.problem, rows, domain, values=False)
        start = np.array([1.0 / max(c.magnitude(), 1.0) for c in dual.costs])
        # the target ends the search at a bound that is clearly negative; the multipliers would grow without end
        search = DualSearch(dual, start, -2, self.deadline)
        search.run()
        return dual.certify(search.best.multipliers, search.best_shares).bound < 0

    def _nearest(self, domain: Domain, choice: Sequence[int]) -> tuple[int, ...]:
        """The positions of the remaining options nearest to `choice`."""
        return tuple(int(np.argmin(np.abs(o - i))) for o, i in zip(domain.options, choice, strict=True))

    def _offer(self, domain: Domain, candidates: Sequence[tuple[int, ...]], exchange: bool) -> None:
        """Improve `candidates`, given as positions, and keep the best feasible choice.

        Only the first is improved if there are many changes of two groups to try.
        """
        improver = Improver(self.problem, self.rows, domain, self.deadline)
        if exchange and improver.joint_choices > JOINT_CHOICES:
            candidates = candidates[:1]
        seen = set()
        for positions in candidates:
            improved = improver.improve(positions, exchange)
            if improved is None or improved in seen:
                continue
            seen.add(improved)
            choice = domain.choice(improved)
            evaluation = self.problem.evaluate(choice)
            if evaluation.feasible and (self.value is None or evaluation.value > self.value):
                self.incumbent, self.value = choice, evaluation.value


def _largest_use(row: Restriction, domain: Domain) -> int:
    """The sum of the largest remaining costs of a row."""
    tables = [*domain.of_groups(row.costs), *domain.of_pairs(row.pair_costs)]
    return sum(int(t.max()) for t in tables if t is not None)
