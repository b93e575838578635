"""Exact max-sum over the group graph: the maximum of a weighted sum of value and costs, and its max-marginals.

The axes of all tables of a bucket are in processing order, with the group of the bucket last. A leading axis holds
several weight vectors, which are processed in the same sweep.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack.compiled.library import StopCheck, compiled_library
from reds_core.knapsack.compiled.program import Program
from reds_core.knapsack.inference.elimination import Elimination, Scope, eliminate
from reds_core.knapsack.inference.factors import FORBIDDEN, POSSIBLE, Factors, unchecked
from reds_core.knapsack.inference.messages import LazyParts, Marginals, Messages

_BLOCK = 1 << 15
"""The number of table entries that are built and reduced at a time, so that they stay in the processor's cache."""

_PIECE = 1 << 13
"""Multiplications in one matrix product. Above this, libraries use several threads, which is slower here."""


_Upward = Mapping[int, FloatArray] | Sequence[FloatArray]
"""Upward messages by group. During a sweep, only those of the groups that are already eliminated."""


@dataclass(frozen=True, eq=False)
class _Term:
    """A factor or mask in its bucket: rows flattened for a matrix product, and the shape among the bucket's axes."""

    table: FloatArray
    shape: tuple[int, ...]
    weighted: bool


def mix(weights: FloatArray, table: FloatArray) -> FloatArray:
    """`weights` @ `table`, in pieces that are small enough for the linear algebra library to use one thread.

    Args:
        weights: float64 (k, rows).
        table: float64 (rows, entries).

    Returns:
        float64 (k, entries).
    """
    step = max(_PIECE // weights.size, 256)
    if table.shape[1] <= step:
        return weights @ table
    result = np.empty((len(weights), table.shape[1]))
    for start in range(0, table.shape[1], step):
        np.matmul(weights, table[:, start : start + step], out=result[:, start : start + step])
    return result


class MaxSum:
    """Max-sum sweeps over `factors` along an elimination order.

    Args:
        factors: terms and masks.
        order: an elimination order whose buckets hold every factor and mask; computed if None.
        check_time: called before each block of a table; may raise an exception to stop.
    """

    def __init__(
        self, factors: Factors, order: Elimination | None = None, check_time: Callable[[], None] = unchecked
    ) -> None:
        self._check_time = check_time
        if order is None:
            scopes = [*(f.scope for f in factors.pairs), *(m.scope for m in factors.masks)]
            order = eliminate(factors.sizes, scopes)
        self.factors = factors
        self.processing = order.processing
        self.separators = order.separators
        self.sizes = factors.sizes
        self._order = order
        compiled = compiled_library()
        self.program = None if compiled is None else self._compiled(compiled)
        self._stop = None if compiled is None else StopCheck(check_time)

    @cached_property
    def _rank(self) -> dict[int, int]:
        return {g: i for i, g in enumerate(self.processing)}

    @cached_property
    def children(self) -> list[list[int]]:
        """For each group, the groups whose messages enter its bucket."""
        children: list[list[int]] = [[] for _ in self.sizes]
        for g in self.processing:
            if self.separators[g]:
                children[self.separators[g][-1]].append(g)
        return children

    def _tables(self) -> Iterator[tuple[Scope, FloatArray, bool]]:
        """The scope, the table and whether it is weighted, of each factor and mask."""
        for factor in (*self.factors.unary, *self.factors.pairs):
            yield factor.scope, factor.stack, True
        for mask in self.factors.masks:
            yield mask.scope, np.where(mask.allowed, 0.0, FORBIDDEN)[None], False

    @cached_property
    def _terms(self) -> list[list[_Term]]:
        """The factors and masks by the group of their bucket."""
        terms: list[list[_Term]] = [[] for _ in self.sizes]
        for scope, stack, weighted in self._tables():
            ordered, stack = self._ordered(scope, stack)
            shape = self._aligned(ordered, ordered[-1])
            terms[ordered[-1]].append(_Term(stack.reshape(len(stack), -1), shape, weighted))
        return terms

    def _ordered(self, scope: Scope, stack: FloatArray) -> tuple[Scope, FloatArray]:
        """`scope` in processing order, and `stack` (rows, *options of scope) with its axes in that order."""
        if len(scope) == 1 or (len(scope) == 2 and self._rank[scope[0]] < self._rank[scope[1]]):
            return scope, stack
        places = [self._rank[g] for g in scope]
        axes = sorted(range(len(scope)), key=places.__getitem__)
        if axes == list(range(len(scope))):
            return scope, stack
        return tuple(scope[i] for i in axes), np.ascontiguousarray(stack.transpose(0, *(i + 1 for i in axes)))

    def _compiled(self, compiled: ctypes.PyDLL) -> Program:
        factors = self.factors
        scopes = (*(f.scope for f in (*factors.unary, *factors.pairs)), *(m.scope for m in factors.masks))
        code = self._order.code(scopes, len(factors.masks))
        if id(code) not in factors.programs:
            sizes = np.array([self.sizes[g] for g in self.processing], dtype=np.int64)
            tables = [np.ascontiguousarray(self._ordered(scope, stack)[1]) for scope, stack, _ in self._tables()]
            entries = sum(math.prod(self.sizes[a] for a in separator) for separator in self.separators)
            # the program holds the code, so that no other code can have its identity
            factors.programs[id(code)] = Program(compiled, code, sizes, tables, entries)
        return factors.programs[id(code)]

    def _upward(self, flat: FloatArray, k: int) -> Sequence[FloatArray]:
        """The messages by group as views of what compiled code wrote."""

        def cut(g: int) -> FloatArray:
            start, stop = self._message_starts[self._rank[g] : self._rank[g] + 2] * k
            return flat[start:stop].reshape(k, *(self.sizes[a] for a in self.separators[g]))

        return LazyParts(len(self.sizes), cut)

    @cached_property
    def _message_starts(self) -> IntArray:
        sizes = [math.prod(self.sizes[a] for a in self.separators[g]) for g in self.processing]
        return np.cumsum([0, *sizes], dtype=np.int64)

    def _aligned(self, scope: Scope, g: int) -> tuple[int, ...]:
        """The shape of a table over `scope`, which is in processing order, among the axes of the bucket of `g`."""
        inside = set(scope)
        return tuple(self.sizes[a] if a in inside else 1 for a in (*self.separators[g], g))

    def _parts(self, g: int, weights: FloatArray, upward: _Upward) -> list[FloatArray]:
        """The summands of the table of the bucket of `g`, smallest first, each with the axes of the bucket."""
        parts = [self._mixed(term, weights) for term in self._terms[g]]
        return sorted([*parts, *self._from_children(g, weights, upward)], key=lambda p: p.size)

    def _mixed(self, term: _Term, weights: FloatArray, block: slice | None = None) -> FloatArray:
        """A term under each of `weights`.

        With `block`, only these positions of its first axis, which must have more than one.
        """
        table, shape = term.table, term.shape
        if block is not None:
            row = table.shape[1] // shape[0]
            table = table[:, block.start * row : block.stop * row]
            shape = (block.stop - block.start, *shape[1:])
        table = mix(weights, table) if term.weighted else table
        return table.reshape(len(table), *shape)

    def _from_children(self, g: int, weights: FloatArray, upward: _Upward) -> list[FloatArray]:
        """The messages that enter the bucket of `g`, each with the axes of the bucket."""
        found = []
        for child in self.children[g]:
            found.append(upward[child].reshape(len(weights), *self._aligned(self.separators[child], g)))
        return found

    @staticmethod
    def _sum(parts: Sequence[FloatArray], shape: tuple[int, ...]) -> FloatArray:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total if total.shape == shape else np.broadcast_to(total, shape)

    def _blocks(self, g: int, weights: FloatArray, upward: _Upward) -> Iterator[tuple[slice, FloatArray]]:
        """The table of the bucket of `g` in blocks along the first axis of the separator, or in one if it is small."""
        self._check_time()
        shape = (len(weights), *(self.sizes[a] for a in self.separators[g]), self.sizes[g])
        rows = shape[1]
        per_row = math.prod(shape) // rows
        if len(shape) == 2 or rows * per_row <= _BLOCK:
            yield slice(0, rows), self._sum(self._parts(g, weights, upward), shape)
            return
        step = max(_BLOCK // per_row, 1)
        messages = self._from_children(g, weights, upward)
        # parts of size 1 along the first axis are the same in every block; a block itself may have size 1
        same = [self._mixed(t, weights) for t in self._terms[g] if t.shape[0] == 1]
        same += [m for m in messages if m.shape[1] == 1]
        along = [t for t in self._terms[g] if t.shape[0] > 1]
        for start in range(0, rows, step):
            self._check_time()
            block = slice(start, min(start + step, rows))
            parts = [self._mixed(t, weights, block) for t in along]
            parts += [m[:, block] for m in messages if m.shape[1] > 1]
            parts = sorted([*same, *parts], key=lambda p: p.size)
            yield block, self._sum(parts, (shape[0], block.stop - start, *shape[2:]))

    def rows(self, g: int, messages: Messages, columns: Mapping[int, IntArray], states: int) -> FloatArray:
        """The rows of the bucket of `g` at some assignments of its separator, float64 (k, states, options of g).

        Args:
            g: index of the group.
            messages: the result of a sweep.
            columns: for each group of the separator, its positions, int64 (states,).
            states: number of assignments.
        """
        separator = self.separators[g]
        total = np.zeros((len(messages.weights), states, self.sizes[g]))
        for part in self._parts(g, messages.weights, messages.upward):
            zero = np.zeros(states, np.int64)
            places = (columns[a] if n > 1 else zero for a, n in zip(separator, part.shape[1:-1], strict=True))
            at: tuple[slice | IntArray, ...] = (slice(None), *places)
            total += part[at] if separator else part[:, None]
        return total

    def sweep(self, weights: FloatArray) -> Messages:
        """Eliminate all groups under each of `weights`, float64 (k, rows)."""
        if self.program is not None and self._stop is not None:
            weights = np.ascontiguousarray(weights)
            flat, largest = self.program.sweep(weights, self._stop)
            return Messages(weights, self._upward(flat, len(weights)), largest, flat)
        upward: dict[int, FloatArray] = {}
        best = np.zeros(len(weights))
        for g in reversed(self.processing):
            separator = self.separators[g]
            whole = np.empty((len(weights), *(self.sizes[a] for a in separator)))
            for block, table in self._blocks(g, weights, upward):
                np.maximum.reduce(table, axis=-1, out=whole[:, block] if separator else whole)
            upward[g] = whole
            if not separator:
                best = best + whole
        return Messages(weights, tuple(upward[g] for g in range(len(self.sizes))), best)

    def decode(self, messages: Messages, k: int = 0) -> list[int]:
        """A choice of the largest sum under the k-th weights, as positions; the lowest position wins ties."""
        choice = [0] * len(self.sizes)
        if self.program is not None and messages.flat is not None:
            found = self.program.decode(messages.weights, messages.flat, k)
            for g, at_best in zip(self.processing, found, strict=True):
                choice[g] = at_best
            return choice
        weights = messages.weights[k : k + 1]
        for g in self.processing:
            at = tuple(choice[a] for a in self.separators[g])
            row = np.zeros(self.sizes[g])
            for term in self._terms[g]:
                picked = tuple(i if n > 1 else 0 for i, n in zip(at, term.shape[:-1], strict=True))
                entry: tuple[slice | int, ...] = (slice(None), *picked)
                table = term.table.reshape(len(term.table), *term.shape)[entry]
                row = row + (weights @ table)[0] if term.weighted else row + table[0]
            for child in self.children[g]:
                position = dict(zip(self.separators[g], at, strict=True))
                key = tuple(slice(None) if a == g else position[a] for a in self.separators[child])
                row = row + messages.upward[child][(k, *key)]
            choice[g] = int(row.argmax())
        return choice

    def marginals(self, messages: Messages, pairs: bool = False) -> Marginals:
        """Max-marginals of every group, and of every pair if `pairs`, under the weights of `messages`."""
        if self.program is not None and self._stop is not None and messages.flat is not None and not pairs:
            flat = self.program.marginals(messages.weights, messages.flat, messages.best, self._stop)
            return Marginals(self._cut_groups(flat), (), flat)
        downward: list[FloatArray | None] = [None] * len(self.sizes)
        groups: list[FloatArray | None] = [None] * len(self.sizes)
        by_scope: dict[Scope, FloatArray] = {}
        wanted: dict[int, list[Scope]] = {}
        for factor in self.factors.pairs if pairs else ():
            ordered = tuple(sorted(factor.scope, key=self._rank.__getitem__))
            wanted.setdefault(ordered[-1], []).append(ordered)
        for g in self.processing:
            scope = (*self.separators[g], g)
            from_above = downward[g]
            if from_above is None:
                from_above = messages.best - messages.upward[g]
            targets = [(g,), *wanted.get(g, ()), *(self.separators[c] for c in self.children[g])]
            found = [np.full((len(messages.weights), *(self.sizes[a] for a in t)), -np.inf) for t in targets]
            for block, table in self._blocks(g, messages.weights, messages.upward):
                belief = table + (from_above[:, block, ..., None] if len(scope) > 1 else from_above[:, None])
                for target, result in zip(targets, found, strict=True):
                    onto = self._onto(belief, scope, target)
                    part = result[:, block] if target[0] == scope[0] else result
                    np.maximum(part, onto, out=part)
            groups[g] = found[0]
            by_scope.update(zip(wanted.get(g, ()), found[1:], strict=False))
            for child, onto in zip(self.children[g], found[len(found) - len(self.children[g]) :], strict=True):
                downward[child] = onto - messages.upward[child]
        pair_tables = []
        for factor in self.factors.pairs if pairs else ():
            a, b = factor.scope
            table = by_scope[(a, b)] if self._rank[a] < self._rank[b] else by_scope[(b, a)].transpose(0, 2, 1)
            pair_tables.append(table)
        return Marginals(tuple(m for m in groups if m is not None), tuple(pair_tables))

    def within(self, messages: Messages, spare: FloatArray) -> list[BoolArray] | None:
        """The options whose max-marginals are at least -`spare` under every weight vector.

        Args:
            messages: the result of a sweep.
            spare: float64 (k,).

        Returns:
            For each group, bool (options,); None if a group has none left.
        """
        marginals = self.marginals(messages)
        if marginals.flat is None:
            kept = [_is_within(marginal, spare) for marginal in marginals.groups]
            return kept if all(stays.any() for stays in kept) else None
        together = _is_within(marginals.flat, spare)
        starts = self._option_starts
        if not np.logical_or.reduceat(together, starts[:-1]).all():
            return None
        return [together[starts[at] : starts[at + 1]] for at in (self._rank[g] for g in range(len(self.sizes)))]

    @cached_property
    def _option_starts(self) -> IntArray:
        return np.cumsum([0, *(self.sizes[g] for g in self.processing)], dtype=np.int64)

    def _cut_groups(self, flat: FloatArray) -> Sequence[FloatArray]:
        """The columns of each group of an array (k, options of all groups in processing order), as views."""

        def cut(g: int) -> FloatArray:
            start, stop = self._option_starts[self._rank[g] : self._rank[g] + 2]
            return flat[:, start:stop]

        return LazyParts(len(self.sizes), cut)

    @staticmethod
    def _onto(belief: FloatArray, scope: Scope, wanted: Scope) -> FloatArray:
        """The maximum of `belief` over the axes of `scope` that are not in `wanted`."""
        drop = tuple(i for i, a in enumerate(scope, 1) if a not in wanted)
        return belief.max(axis=drop) if drop else belief


def _is_within(marginal: FloatArray, spare: FloatArray) -> BoolArray:
    within: BoolArray = ((marginal + spare[:, None]).min(axis=0) >= 0) & (marginal.min(axis=0) > POSSIBLE)
    return within


def original(factors: Factors, positions: Sequence[int]) -> tuple[int, ...]:
    """The option indices of a choice that is given as positions among the kept options."""
    return tuple(int(kept[i]) for kept, i in zip(factors.kept, positions, strict=True))


def positions(kept: Sequence[IntArray], choice: Sequence[int]) -> IntArray | None:
    """The positions of a choice among the kept options, int64 (groups,); None if one of its options is not kept."""
    found = [int(np.searchsorted(options, i)) for options, i in zip(kept, choice, strict=True)]
    if any(p == len(k) or k[p] != i for k, p, i in zip(kept, found, choice, strict=True)):
        return None
    return np.array(found, dtype=np.int64)
