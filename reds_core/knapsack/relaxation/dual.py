"""Lagrangian dual of a problem on a domain: rows priced into tables, which are maximised over a spanning forest.

With one multiplier m_r >= 0 for each row, V(x) <= sum_r m_r limit_r + max_x [ V(x) - sum_r m_r cost_r(x) ] for every
choice x within the limits. The maximum is exact if the pairs form a forest (max-sum by messages). Each further pair is
a
chord: it is maximised on its own after an exchange of messages with its two groups, its shares. This is the
local-polytope dual of Werner (2007). `Dual.certify` computes bounds in exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from reds_core.arrays import FloatArray, IntArray, Table
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.forest import Forest
from reds_core.knapsack.relaxation.linear import Cut
from reds_core.knapsack.relaxation.rows import Restriction

Shares = tuple[tuple[FloatArray, FloatArray], ...]
"""For each chord, the messages to its first and its second group, float64 (positions,) each."""

EXACT_BITS = 45
"""Scaled tables stay below 2^45 in magnitude, so that every sum of them is exact in float64."""

CUT_BITS = 18
"""The number of bits of the limit of a cut."""


@dataclass(frozen=True, eq=False)
class Terms:
    """A function of the choice that is a sum over groups and pairs, on a domain; -inf marks cells that were dropped.

    Attributes:
        groups: for each group, float64 (positions,).
        pairs: float64 (positions of first, positions of second), by index of the pair, in rising order; pairs that add
            nothing are missing.
    """

    groups: list[FloatArray]
    pairs: dict[int, FloatArray]

    def magnitude(self) -> float:
        """An upper bound on the absolute value of any sum of one entry of each table."""
        tables = [t for t in (*self.groups, *self.pairs.values()) if t.size]
        return float(sum(np.abs(t[np.isfinite(t)]).max(initial=0.0) for t in tables))

    def at(self, positions: Sequence[int], ends: Sequence[tuple[int, int]]) -> float:
        """The function at one choice."""
        total = sum(float(t[i]) for t, i in zip(self.groups, positions, strict=True))
        for k, table in self.pairs.items():
            a, b = ends[k]
            total += float(table[positions[a], positions[b]])
        return total


@dataclass(frozen=True, eq=False)
class DualPoint:
    """One evaluation of the dual function, in floats.

    Attributes:
        multipliers: the point of evaluation, float64 (rows,).
        bound: the value of the dual function.
        gradient: the gradient of the bound, which is the limit minus the usage of the maximiser, float64 (rows,).
        positions: the maximiser over the forest, as one position for each group.
    """

    multipliers: FloatArray
    bound: float
    gradient: FloatArray
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proven bound and the reduced costs of options and cells, in integer multiples of 1 / scale.

    Every choice x within the limits satisfies scale * V(x) <= bound - the sum of the reduced costs of what x chooses.

    Attributes:
        bound: the bound, an exact integer.
        scale: a power of two.
        options, cells: reduced costs, at least 0, as whole numbers in float64. They are inf for dropped cells, and None
            for pairs that add nothing.
        option_losses, cell_losses: for each option or cell, a lower bound on the reduced cost of all choices that
            contain it, so that scale * V(x) <= bound - loss for every such choice x.
    """

    bound: int
    scale: Fraction
    options: tuple[FloatArray, ...]
    cells: tuple[FloatArray | None, ...]
    option_losses: tuple[FloatArray, ...]
    cell_losses: tuple[FloatArray | None, ...]

    @property
    def value_bound(self) -> int:
        """An upper bound on V(x) of every choice within the limits and the domain."""
        return int(self.bound // self.scale)

    def room(self, target: int) -> int:
        """The largest reduced cost of a choice worth at least `target`; negative if there is no such choice."""
        return int((self.bound - self.scale * target) // 1)

    def narrow(self, domain: Domain, target: int) -> Domain | None:
        """`domain` without options and cells that no choice worth at least `target` has; None if nothing is left."""
        room = self.room(target)
        if room < 0:
            return None
        keep = [losses <= room for losses in self.option_losses]
        cells = [
            mask if losses is None else losses <= room
            for mask, losses in zip(domain.cells, self.cell_losses, strict=True)
        ]
        return domain.narrowed(keep, cells)

    def cut(self, target: int) -> Cut:
        """The cut sum of floor(reduced cost) <= floor(room), which all choices worth at least `target` satisfy.

        Both sides are rounded down to a unit that leaves `CUT_BITS` bits for the limit. That is fine enough to cut off
        choices, and small enough for solvers that compute in floats.
        """
        room = self.room(target)
        unit = 2.0 ** max(room.bit_length() - CUT_BITS, 0)

        def floored(table: FloatArray) -> IntArray:
            return np.floor(np.where(np.isfinite(table), table, 0.0) / unit).astype(np.int64)

        cells = tuple(None if t is None else floored(t) for t in self.cells)
        return Cut(int(room // unit), tuple(floored(t) for t in self.options), cells)


class Dual:
    """The dual function of `problem` on `domain`.

    Args:
        problem: the problem.
        rows: its rows.
        domain: the choices to maximise over.
        values: whether values count. Without them, a negative bound proves that no choice satisfies all rows.
    """

    def __init__(
        self, problem: KnapsackProblem, rows: Sequence[Restriction], domain: Domain, values: bool = True
    ) -> None:
        self.domain = domain
        self.limits = [row.limit for row in rows]
        used = [
            p.values is not None or not m.all() or any(r.pair_costs[k] is not None for r in rows)
            for k, (p, m) in enumerate(zip(problem.pairs, domain.cells, strict=True))
        ]
        own = [g.values if values else np.zeros_like(g.values) for g in problem.groups]
        joint = [p.values if values else None for p in problem.pairs]
        self.values = self._terms(own, joint, [u or None for u in used])
        self.costs = [self._terms(r.costs, r.pair_costs, [None] * len(used)) for r in rows]
        self.forest = Forest.spanning(
            [o.size for o in domain.options], [e if u else None for e, u in zip(domain.ends, used, strict=True)]
        )
        self.chords = self.forest.chords

    def _terms(self, groups: Sequence[Table], pairs: Sequence[Table], used: Sequence[bool | None]) -> Terms:
        """float64 copies of tables on the domain. Pairs that are `used` get a table, with -inf for dropped cells."""
        own = [
            np.zeros(o.size) if t is None else t.astype(np.float64)
            for t, o in zip(self.domain.of_groups(groups), self.domain.options, strict=True)
        ]
        joint: dict[int, FloatArray] = {}
        for k, (table, mask, use) in enumerate(zip(self.domain.of_pairs(pairs), self.domain.cells, used, strict=True)):
            if use:
                joint[k] = np.where(mask, 0.0 if table is None else table.astype(np.float64), -np.inf)
            elif table is not None:
                joint[k] = table.astype(np.float64)
        return Terms(own, joint)

    def no_shares(self) -> Shares:
        """Shares that are all 0."""
        sizes = [[self.domain.options[g].size for g in self.domain.ends[k]] for k in self.chords]
        return tuple((np.zeros(a), np.zeros(b)) for a, b in sizes)

    def priced(self, multipliers: FloatArray) -> Terms:
        """V - sum_r multipliers_r cost_r."""
        groups = [t.copy() for t in self.values.groups]
        pairs = {k: t.copy() for k, t in self.values.pairs.items()}
        for multiplier, costs in zip(multipliers, self.costs, strict=True):
            if multiplier:
                for own, cost in zip(groups, costs.groups, strict=True):
                    own -= multiplier * cost
                for k, pair_cost in costs.pairs.items():
                    if k in pairs:
                        pairs[k] -= multiplier * pair_cost
        return Terms(groups, pairs)

    def _shared(self, terms: Terms, shares: Shares) -> Terms:
        """`terms` after every chord has passed its shares to its groups."""
        groups, pairs = list(terms.groups), dict(terms.pairs)
        for k, (to_first, to_second) in zip(self.chords, shares, strict=True):
            a, b = self.domain.ends[k]
            groups[a] = groups[a] + to_first
            groups[b] = groups[b] + to_second
            pairs[k] = pairs[k] - to_first[:, None] - to_second
        return Terms(groups, pairs)

    def evaluate(self, multipliers: FloatArray, shares: Shares) -> DualPoint:
        """Evaluate the dual function at one point, by one max-sum sweep."""
        terms = self._shared(self.priced(multipliers), shares)
        top, positions = self.forest.maximise(terms.groups, terms.pairs)
        usage = np.array([c.at(positions, self.domain.ends) for c in self.costs])
        for k in self.chords:
            table = terms.pairs[k]
            best = np.unravel_index(int(np.argmax(table)), table.shape)
            top += float(table[best])
            a, b = self.domain.ends[k]
            for r, costs in enumerate(self.costs):
                pair_cost = costs.pairs.get(k)
                if pair_cost is not None:
                    usage[r] += pair_cost[best] - pair_cost[positions[a], positions[b]]
        limits = np.array([float(limit) for limit in self.limits])
        return DualPoint(multipliers, top + float(multipliers @ limits), limits - usage, positions)

    def balance(self, multipliers: FloatArray, shares: Shares) -> Shares:
        """One round of coordinate descent on the shares: average each end of each chord with its group (MPLP)."""
        terms = self.priced(multipliers)
        updated = [list(pair) for pair in shares]
        for c, k in enumerate(self.chords):
            for end in (0, 1):
                shared = self._shared(terms, tuple((a, b) for a, b in updated))
                beliefs = self.forest.marginals(shared.groups, shared.pairs).groups[self.domain.ends[k][end]]
                table = shared.pairs[k]
                updated[c][end] = updated[c][end] - 0.5 * (beliefs - table.max(axis=1 - end))
                updated[c][end] -= updated[c][end].max()
        return tuple((a, b) for a, b in updated)

    def certify(self, multipliers: FloatArray, shares: Shares) -> Certificate:
        """The bound and the reduced costs at one point. They are valid however inaccurate the point is.

        Every table entry is rounded up once to an integer multiple of 1 / scale, by more than its rounding error. All
        further sums are of whole numbers below 2^53, and hence exact in float64.
        """
        multipliers = np.maximum(np.nan_to_num(multipliers, nan=0.0, posinf=0.0), 0.0)
        shares = tuple(
            (np.nan_to_num(a, posinf=0.0, neginf=0.0), np.nan_to_num(b, posinf=0.0, neginf=0.0)) for a, b in shares
        )
        magnitude = self.values.magnitude() + sum(
            float(m) * c.magnitude() for m, c in zip(multipliers, self.costs, strict=True)
        )
        magnitude += sum(float(np.abs(s).max(initial=0.0)) for pair in shares for s in pair)
        if not np.isfinite(magnitude):
            # a search grows its multipliers without end where limits contradict each other
            return self.certify(np.zeros_like(multipliers), self.no_shares())
        exponent = EXACT_BITS - int(np.frexp(max(magnitude, 1.0))[1]) - (len(self.costs) + 3).bit_length()
        terms = self.priced(multipliers)
        groups = [np.ceil(np.ldexp(t, exponent)) + 1.0 for t in terms.groups]
        pairs = {k: np.ceil(np.ldexp(t, exponent)) + 1.0 for k, t in terms.pairs.items()}
        whole = tuple((np.rint(np.ldexp(a, exponent)), np.rint(np.ldexp(b, exponent))) for a, b in shares)
        shared = self._shared(Terms(groups, pairs), whole)
        scale = Fraction(2) ** exponent
        priced_limits = sum(
            (Fraction(float(m)) * limit for m, limit in zip(multipliers, self.limits, strict=True)), Fraction(0)
        )
        return self._reduced(shared, scale, -int(-(scale * priced_limits) // 1))

    def _reduced(self, terms: Terms, scale: Fraction, constant: int) -> Certificate:
        marginals = self.forest.marginals(terms.groups, terms.pairs)
        bound = constant + int(sum(marginals.roots))
        cells, cell_losses = dict(marginals.reduced), dict(marginals.pair_losses)
        option_losses = [top - m for top, m in zip(marginals.tops, marginals.groups, strict=True)]
        chord_losses = [np.zeros(o.size) for o in self.domain.options]
        for k in self.chords:
            table = terms.pairs[k]
            a, b = self.domain.ends[k]
            top = float(table.max())
            bound += int(top)
            cells[k] = top - table
            cell_losses[k] = cells[k] + np.maximum.outer(option_losses[a], option_losses[b])
            chord_losses[a] += top - table.max(axis=1)
            chord_losses[b] += top - table.max(axis=0)
        for k, losses in cell_losses.items():
            if k not in self.chords:
                a, b = self.domain.ends[k]
                cell_losses[k] = losses + chord_losses[a][:, None] + chord_losses[b]
        return Certificate(
            bound,
            scale,
            tuple(marginals.root_reduced),
            tuple(cells.get(k) for k in range(len(self.domain.ends))),
            tuple(own + extra for own, extra in zip(option_losses, chord_losses, strict=True)),
            tuple(cell_losses.get(k) for k in range(len(self.domain.ends))),
        )
