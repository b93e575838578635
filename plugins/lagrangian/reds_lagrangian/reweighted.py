"""An upper bound on the largest weighted sum over a group graph of any shape, in time linear in the size of its tables.

Sequential tree-reweighted message passing (Kolmogorov, IEEE Trans. PAMI 28, 2006) covers the graph by chains that run
forward in a fixed order of the groups. Messages move weight between the chains, and the sum of their maxima bounds the
maximum. The bound is exact after one sweep on a chain in order, and in the limit on forests. With cycles it converges
to approximately the bound of the local polytope. Messages stay valid when the weights change, so one set of messages
serves all multipliers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray
from reds_core.knapsack.inference import Factors, mix, unchecked

_BLOCK = 1 << 15


@dataclass(frozen=True, eq=False)
class _Edge:
    """The terms between two groups.

    Attributes:
        first, second: group indices, first < second.
        stack: float64 (rows, options of first, options of second), or None if there is only a mask.
        barred: the entries that peak resources forbid, bool (options of first, options of second), or None.
    """

    first: int
    second: int
    stack: FloatArray | None
    barred: BoolArray | None

    def blocks(self, weights: FloatArray, penalty: float) -> Iterator[tuple[slice, FloatArray]]:
        """The weighted table in blocks of rows, each (rows of the block, options of second)."""
        rows, columns = self.barred.shape if self.stack is None else self.stack.shape[1:]  # type: ignore[union-attr]
        step = max(_BLOCK // columns, 1)
        for start in range(0, rows, step):
            block = slice(start, min(start + step, rows))
            count = block.stop - start
            if self.stack is None:
                table = np.zeros((count, columns))
            else:
                flat = self.stack.reshape(len(self.stack), -1)[:, start * columns : block.stop * columns]
                table = mix(weights, flat).reshape(count, columns)
            if self.barred is not None:
                table -= penalty * self.barred[block]
            yield block, table


class Reweighted:
    """Messages over all edges.

    Args:
        factors: the terms. Each mask must be over two groups, and allow every option with some option of the other.
        check_time: called before each table is read; may raise an exception to stop.
    """

    def __init__(self, factors: Factors, check_time: Callable[[], None] = unchecked) -> None:
        self._check_time = check_time
        self._unary = [f.stack for f in factors.unary]
        self._magnitudes = factors.magnitudes
        barred = {m.scope: ~m.allowed for m in factors.masks}
        self._edges: list[_Edge] = []
        for factor in factors.pairs:
            a, b = factor.scope
            stack = factor.stack if a < b else np.ascontiguousarray(factor.stack.transpose(0, 2, 1))
            scope = (min(a, b), max(a, b))
            self._edges.append(_Edge(*scope, stack, barred.pop(scope, None)))
        self._edges += [_Edge(scope[0], scope[1], None, mask) for scope, mask in barred.items()]
        count = len(self._unary)
        self._before: list[list[int]] = [[] for _ in range(count)]
        self._after: list[list[int]] = [[] for _ in range(count)]
        for k, edge in enumerate(self._edges):
            self._after[edge.first].append(k)
            self._before[edge.second].append(k)
        sizes = factors.sizes
        self._to_first = [np.zeros(sizes[e.first]) for e in self._edges]
        self._to_second = [np.zeros(sizes[e.second]) for e in self._edges]

    def sweep(self, weights: FloatArray, forward: bool) -> tuple[float, list[int]]:
        """Update all messages of one direction under `weights`, float64 (rows,).

        Returns:
            An upper bound on the largest weighted sum, which includes a margin for rounding errors, and a choice that
            is decoded greedily along the order, as positions.
        """
        row = weights[None]
        # violating a mask must cost more than all terms together can gain
        penalty = 4.0 * float(np.abs(weights) @ self._magnitudes) + 1.0
        incoming, outgoing = (self._before, self._after) if forward else (self._after, self._before)
        bound, largest = 0.0, penalty
        choice = [0] * len(self._unary)
        chosen_rows: dict[int, FloatArray] = {}
        order = range(len(choice)) if forward else reversed(range(len(choice)))
        for g in order:
            own = (row @ self._unary[g])[0]
            total, guided = own.copy(), own.copy()
            for k in incoming[g]:
                total += self._to_second[k] if forward else self._to_first[k]
                guided += chosen_rows.pop(k)
            for k in outgoing[g]:
                from_later = self._to_first[k] if forward else self._to_second[k]
                total += from_later
                guided += from_later
            choice[g] = int(guided.argmax())
            chains = max(len(incoming[g]), len(outgoing[g]), 1)
            ending = max(len(incoming[g]) - len(outgoing[g]), 0) if chains > 1 or incoming[g] or outgoing[g] else 1
            bound += float(total.max()) * (ending / chains)
            largest = max(largest, float(np.abs(total).max()))
            for k in outgoing[g]:
                largest = max(largest, self._send(k, total / chains, row, penalty, forward))
                chosen_rows[k] = self._row(k, choice[g], row, penalty, forward)
        operations = 16.0 * (len(self._edges) + len(choice)) * (len(weights) + 8)
        return bound + operations * float(np.finfo(np.float64).eps) * largest, choice

    def _send(self, k: int, share: FloatArray, row: FloatArray, penalty: float, forward: bool) -> float:
        """Update one message. Returns its largest magnitude."""
        self._check_time()
        edge = self._edges[k]
        if forward:
            base = share - self._to_first[k]
            message = np.full(len(self._to_second[k]), -np.inf)
            for block, table in edge.blocks(row, penalty):
                table += base[block, None]
                np.maximum(message, table.max(axis=0), out=message)
            self._to_second[k] = message
        else:
            base = share - self._to_second[k]
            message = np.empty(len(self._to_first[k]))
            for block, table in edge.blocks(row, penalty):
                table += base
                table.max(axis=1, out=message[block])
            self._to_first[k] = message
        return float(np.abs(message).max())

    def _row(self, k: int, at: int, row: FloatArray, penalty: float, forward: bool) -> FloatArray:
        """The weighted terms of edge `k` with the option of one end fixed, float64 (options of the other end,)."""
        edge = self._edges[k]
        size = len(self._to_second[k] if forward else self._to_first[k])
        result: FloatArray = np.zeros(size)
        if edge.stack is not None:
            result = (row @ (edge.stack[:, at, :] if forward else edge.stack[:, :, at]))[0]
        if edge.barred is not None:
            result = result - penalty * (edge.barred[at] if forward else edge.barred[:, at])
        return result
