"""Local search from any choice to a good feasible one: repair of violated rows, then changes of one or two groups.

Feasibility and value are decided in exact int64. Floats only rank repairs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.rows import Restriction

EXCHANGE_LIMIT = 2**20
"""Two groups are not changed together if they have more joint choices than this."""


class _Tables:
    """One function of the choice on a domain: the value, or the usage of a row."""

    def __init__(self, domain: Domain, groups: Sequence[Table], pairs: Sequence[Table]) -> None:
        self.groups = domain.of_groups(groups)
        joint = domain.of_pairs(pairs)
        self.pairs = {k: t for k, t in enumerate(joint) if t is not None}
        self.ends = domain.ends
        self.at_group: list[list[int]] = [[] for _ in self.groups]
        for k in self.pairs:
            for g in domain.ends[k]:
                self.at_group[g].append(k)
        self.sizes = [o.size for o in domain.options]

    def total(self, positions: Sequence[int]) -> int:
        """The function at one choice."""
        total = sum(int(t[i]) for t, i in zip(self.groups, positions, strict=True) if t is not None)
        return total + sum(
            int(t[positions[self.ends[k][0]], positions[self.ends[k][1]]]) for k, t in self.pairs.items()
        )

    def by_option(self, group: int, positions: Sequence[int], without: int | None = None) -> IntArray:
        """The terms that depend on `group`, for each of its options, with all other groups as in `positions`.

        Pair `without` is left out. int64 (positions,).
        """
        own = self.groups[group]
        result = np.zeros(self.sizes[group], np.int64) if own is None else own.copy()
        for k in self.at_group[group]:
            if k != without:
                a, b = self.ends[k]
                result += self.pairs[k][:, positions[b]] if a == group else self.pairs[k][positions[a]]
        return result

    def by_two(self, a: int, b: int, pair: int | None, positions: Sequence[int]) -> tuple[IntArray, int]:
        """The terms that depend on `a` or `b`, for each joint choice of the two, and the entry at `positions`."""
        first, second = self.by_option(a, positions, pair), self.by_option(b, positions, pair)
        table = np.add.outer(first, second)
        if pair in self.pairs:
            table += self.pairs[pair] if self.ends[pair][0] == a else self.pairs[pair].T
        return table, int(table[positions[a], positions[b]])


class Improver:
    """Improves choices of one problem on one domain.

    Args:
        problem: the problem.
        rows: its rows.
        domain: the choices to search.
        deadline: `time.perf_counter()` at which to stop, or None.
    """

    def __init__(
        self, problem: KnapsackProblem, rows: Sequence[Restriction], domain: Domain, deadline: float | None
    ) -> None:
        self.domain = domain
        self.deadline = deadline
        self.value = _Tables(domain, [g.values for g in problem.groups], [p.values for p in problem.pairs])
        self.usage = [_Tables(domain, r.costs, r.pair_costs) for r in rows]
        self.limits = [r.limit for r in rows]
        spreads = [[int(np.ptp(t)) for t in (*u.groups, *u.pairs.values()) if t is not None] for u in self.usage]
        self.weights = [1.0 / max(1, sum(s)) for s in spreads]
        self.pair_of = {frozenset(e): k for k, e in enumerate(domain.ends)}

    def improve(self, positions: Sequence[int], exchange: bool = True) -> tuple[int, ...] | None:
        """A feasible choice, as positions, that no change of one group improves; None if repair fails.

        Args:
            positions: the start, as one position for each group.
            exchange: whether to change two groups at once as well.
        """
        x = list(positions)
        while not self._late() and (self._step(x) or (exchange and self._exchange(x))):
            pass
        return tuple(x) if self._feasible(x) else None

    @property
    def joint_choices(self) -> int:
        """The number of changes of two groups to try."""
        sizes = self.value.sizes
        return sum(sizes[a] * sizes[b] for a, b in self._couples(len(sizes)))

    def _late(self) -> bool:
        return self.deadline is not None and time.perf_counter() >= self.deadline

    def _feasible(self, x: Sequence[int]) -> bool:
        return all(u.total(x) <= limit for u, limit in zip(self.usage, self.limits, strict=True))

    def _step(self, x: list[int]) -> bool:
        """Change single groups. Returns whether any change helped.

        From a feasible choice, each group in turn takes its best option. Otherwise only the best repair is made.
        """
        use, excess = self._use(x)
        best: tuple[float, float, int, int] | None = None
        changed = False
        for group in range(len(x)):
            rated = self._rate(x, use, excess, (group,))
            if rated is None:
                continue
            if excess == 0.0:
                x[group] = rated[2]
                use, changed = self._use(x)[0], True
            elif best is None or rated[:2] > best[:2]:
                best = (rated[0], rated[1], group, rated[2])
        if best is not None:
            x[best[2]] = best[3]
        return changed or best is not None

    def _exchange(self, x: list[int]) -> bool:
        """Make the first change of two groups that helps, the best for these two. Returns whether there was one."""
        use, excess = self._use(x)
        for a, b in self._couples(len(x)):
            if self._late():
                return False
            rated = self._rate(x, use, excess, (a, b))
            if rated is not None:
                x[a], x[b] = divmod(rated[2], self.value.sizes[b])
                return True
        return False

    def _use(self, x: Sequence[int]) -> tuple[list[int], float]:
        """The usage of each row, and the excess."""
        use = [u.total(x) for u in self.usage]
        return use, float(self._excess([np.array([u]) for u in use])[0])

    def _couples(self, groups: int) -> Iterator[tuple[int, int]]:
        for a in range(groups):
            for b in range(a + 1, groups):
                if self.value.sizes[a] * self.value.sizes[b] <= EXCHANGE_LIMIT:
                    yield a, b

    def _excess(self, usage: Sequence[IntArray]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """The weighted sum of usage above the limits; exactly 0 if no limit is exceeded."""
        total = np.zeros(usage[0].shape if usage else (1,))
        for use, limit, weight in zip(usage, self.limits, self.weights, strict=True):
            total += np.where(use > limit, (use.astype(np.float64) - limit).clip(min=1.0), 0.0) * weight
        return total

    def _rate(
        self, x: Sequence[int], use: Sequence[int], excess: float, changed: tuple[int, ...]
    ) -> tuple[float, float, int] | None:
        """The best change of one or two groups as (rank, second rank, flat position), or None if none helps.

        From a feasible choice, this is the feasible one of the largest value. Otherwise it is the change that loses the
        least value per excess removed.
        """

        def table(of: _Tables) -> tuple[IntArray, int]:
            if len(changed) == 1:
                by_option = of.by_option(changed[0], x)
                return by_option, int(by_option[x[changed[0]]])
            return of.by_two(changed[0], changed[1], self.pair_of.get(frozenset(changed)), x)

        values, current = table(self.value)
        usage = []
        for of, total in zip(self.usage, use, strict=True):
            new, old = table(of)
            usage.append(new + (total - old))
        left = self._excess(usage) if usage else np.zeros(values.shape)
        if excess == 0.0:
            gain = np.where(left == 0.0, values, np.iinfo(np.int64).min)
            where = int(np.argmax(gain))
            won = int(gain.flat[where]) - current
            return (float(won), 0.0, where) if won > 0 and left.flat[where] == 0.0 else None
        removed = excess - left
        better = removed > excess * 1e-9
        if not better.any():
            return None
        lost = (current - values).astype(np.float64)
        rate = np.where(lost > 0, -lost / np.where(better, removed, 1.0), np.where(better, removed, 0.0))
        rate[~better] = -np.inf
        where = int(np.argmax(rate))
        return float(rate.flat[where]), float(removed.flat[where]), where
