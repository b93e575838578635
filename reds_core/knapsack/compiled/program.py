"""Max-sum programs as compiled code reads them, and the calls of the compiled sweeps.

`program.h` explains the arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.compiled.library import StopCheck, address, finish

Scope = tuple[int, ...]


def encode(processing: Sequence[int], separators: Sequence[Scope], scopes: Sequence[Scope], masks: int) -> IntArray:
    """The code of a program, which depends on neither the numbers of options nor the tables.

    Args:
        processing: all groups in processing order.
        separators: for each group, the other groups in its bucket, in processing order.
        scopes: the groups of each term; the last `masks` of the terms are masks.
        masks: number of masks.
    """
    rank = {g: i for i, g in enumerate(processing)}
    terms: list[list[tuple[int, Scope]]] = [[] for _ in processing]
    children: list[list[int]] = [[] for _ in processing]
    for index, scope in enumerate(scopes):
        ordered = tuple(sorted(rank[g] for g in scope))
        terms[ordered[-1]].append((index, ordered))
    for g, separator in enumerate(separators):
        if separator:
            children[rank[separator[-1]]].append(rank[g])
    code: list[int] = []
    for i, g in enumerate(processing):
        axes = [rank[a] for a in separators[g]]
        place = {a: n for n, a in enumerate([*axes, i])}
        code += [len(axes), *axes, len(terms[i])]
        for index, ordered in terms[i]:
            weighted = index < len(scopes) - masks
            code += [index, int(weighted), len(ordered), *(place[a] for a in ordered)]
        code += [len(children[i]), *children[i]]
    return np.array(code, dtype=np.int64)


class Program:
    """A max-sum program over tables of given sizes, for compiled code.

    Args:
        library: the compiled library.
        code: see `encode`.
        sizes: number of options of each group in processing order, int64 (groups,).
        tables: for each term, float64 (rows, options of each of its groups in processing order), contiguous; one row
            for a mask.
        messages: number of entries of all messages of one weight vector.

    Attributes:
        library: see above.
        count: number of groups.
        code: see above.
        arguments: the first arguments of every compiled function that takes a program.
    """

    def __init__(
        self,
        library: ctypes.PyDLL,
        code: IntArray,
        sizes: IntArray,
        tables: Sequence[FloatArray],
        messages: int,
    ) -> None:
        self.library = library
        self.count = len(sizes)
        self.code = code
        self._tables = tables  # keeps the addresses valid
        self._arrays = (code, sizes, np.array([address(t) for t in tables], dtype=np.int64))
        self.arguments = (len(sizes), *map(address, self._arrays))
        self._messages = messages
        self._options = int(sizes.sum())

    def sweep(self, weights: FloatArray, stop: StopCheck) -> tuple[FloatArray, FloatArray]:
        """The messages of all buckets, one after the other, and the largest sums, float64 (k,)."""
        k, rows = weights.shape
        messages = np.empty(k * self._messages)
        best = np.empty(k)
        status = self.library.reds_sweep(
            *self.arguments, k, rows, address(weights), address(messages), address(best), ctypes.addressof(stop)
        )
        finish(status)
        return messages, best

    def marginals(self, weights: FloatArray, messages: FloatArray, best: FloatArray, stop: StopCheck) -> FloatArray:
        """The max-marginals of all groups in processing order, float64 (k, options of all groups)."""
        k, rows = weights.shape
        downward = np.empty(len(messages))
        marginals = np.empty((k, self._options))
        status = self.library.reds_marginals(
            *self.arguments,
            *(k, rows, address(weights), address(messages), address(best), address(downward), address(marginals)),
            ctypes.addressof(stop),
        )
        finish(status)
        return marginals

    def decode(self, weights: FloatArray, messages: FloatArray, at: int) -> list[int]:
        """A choice of the largest sum under the weights at `at`, as positions in processing order."""
        k, rows = weights.shape
        choice = np.empty(self.count, dtype=np.int64)
        status = self.library.reds_decode(
            *self.arguments, k, at, rows, address(weights), address(messages), address(choice)
        )
        finish(status)
        found: list[int] = choice.tolist()
        return found
