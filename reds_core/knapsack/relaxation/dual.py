"""Lagrangian dual of a problem on a domain: rows priced into the tables, the tables maximised over a spanning forest.

With multipliers m >= 0, one a row, V(x) <= sum_r m_r limit_r + max_x [ V(x) - sum_r m_r cost_r(x) ] for every choice x
within the limits. The maximum is exact where the pairs form a forest (max-sum by messages); each further pair, a
"chord", is maximised on its own after exchanging messages with its two groups ("shares"; this is the local-polytope
dual of Werner, 2007). `Dual.certify` computes all that is claimed in exact whole numbers.
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
"""For each chord what it owes its first and its second group: float64 (positions,) each."""

EXACT_BITS = 45
"""Scaled tables stay below 2^45 in magnitude, so that every sum of them is exact in float64."""

CUT_BITS = 18
"""Bits of a cut's limit."""


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
        bound: the dual function's value.
        gradient: of the bound by each multiplier: limit - usage of the maximiser, (rows,).
        positions: the maximiser over the forest, one position a group.
    """

    multipliers: FloatArray
    bound: float
    gradient: FloatArray
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proven bound and what each option and cell would cost of it, in whole multiples of 1 / scale.

    For every choice x within the limits: scale * V(x) <= bound - sum of the reduced costs of what x chooses.

    Attributes:
        bound: exact integer.
        scale: a power of two.
        options, cells: reduced costs, at least 0, float64 holding whole numbers; inf where a cell is gone; None where
            a pair adds nothing.
        option_losses, cell_losses: at least the reduced cost of whatever must be chosen along with an option or cell;
            `bound` minus it limits scale * V(x) of every choice x that holds it.
    """

    bound: int
    scale: Fraction
    options: tuple[FloatArray, ...]
    cells: tuple[FloatArray | None, ...]
    option_losses: tuple[FloatArray, ...]
    cell_losses: tuple[FloatArray | None, ...]

    @property
    def value_bound(self) -> int:
        """A limit on V(x) of every choice within the limits and the domain."""
        return int(self.bound // self.scale)

    def room(self, target: int) -> int:
        """How much reduced cost a choice of a value of at least `target` may have; negative if there is none such."""
        return int((self.bound - self.scale * target) // 1)

    def narrow(self, domain: Domain, target: int) -> Domain | None:
        """`domain` without options and cells that no choice of a value of at least `target` holds."""
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
        """sum of floor(reduced cost) of what is chosen <= floor(room), for choices of a value of at least `target`.

        Both are floored in a unit that leaves the limit `CUT_BITS` bits: fine, yet harmless to a solver in floats.
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
        domain: where the choice is sought.
        values: leave the values out to price the rows alone: a negative bound then proves that no choice fits.
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
        """float64 copies on the domain; pairs that are `used` get a table with -inf where a cell is gone."""
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
        """Shares of 0."""
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
        """`terms` after every chord hands its shares to its groups."""
        groups, pairs = list(terms.groups), dict(terms.pairs)
        for k, (to_first, to_second) in zip(self.chords, shares, strict=True):
            a, b = self.domain.ends[k]
            groups[a] = groups[a] + to_first
            groups[b] = groups[b] + to_second
            pairs[k] = pairs[k] - to_first[:, None] - to_second
        return Terms(groups, pairs)

    def evaluate(self, multipliers: FloatArray, shares: Shares) -> DualPoint:
        """The dual function at one point: one max-sum sweep."""
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
        """One round of coordinate ascent on the shares: each end of each chord meets its group halfway (MPLP)."""
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
        """The bound and reduced costs at one point, exact whatever error the point itself carries.

        Every table entry is rounded up once, to a whole multiple of 1 / scale, by more than its floating-point error;
        all further sums are of whole numbers below 2^53, hence exact in float64.
        """
        multipliers = np.maximum(np.nan_to_num(multipliers, nan=0.0, posinf=0.0), 0.0)
        shares = tuple(
            (np.nan_to_num(a, posinf=0.0, neginf=0.0), np.nan_to_num(b, posinf=0.0, neginf=0.0)) for a, b in shares
        )
        magnitude = self.values.magnitude() + sum(
            float(m) * c.magnitude() for m, c in zip(multipliers, self.costs, strict=True)
        )
        magnitude += sum(float(np.abs(s).max(initial=0.0)) for pair in shares for s in pair)
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
