"""Label setting: the best choice worth at least a threshold, or a proof that there is none.

Groups are taken in processing order. A label is a partial choice. Labels of one state, which have the same options in
the groups that still matter, compete by exact value and usage, as in resource-constrained shortest paths (Irnich and
Desaulniers, in "Column Generation", 2005). The slack of a label under a weight vector is how far its best completion
lies above the threshold. Choosing an option costs its loss in its bucket, so slacks never rise, and a label is dropped
as soon as one of them is below 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.compiled import LabelLimits, LabelProblem, Program, run_labels
from reds_core.knapsack.inference import POSSIBLE, MaxSum, Messages
from reds_dp.dominance import undominated
from reds_dp.search import OutOfMemory, SearchLimits
from reds_dp.terms import ExactTerms, bucket_rows, distinct

_LEVELS = 128
_CHUNK = 1 << 18
_STRATA = 16


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a run.

    Attributes:
        positions: the best choice found that reaches the threshold, as positions among the kept options, or None.
        complete: whether all choices that reach the threshold were considered.
    """

    positions: tuple[int, ...] | None
    complete: bool


@dataclass(frozen=True, eq=False)
class _Labels:
    """The labels of one step.

    Attributes:
        state, value: int64 (labels,).
        usage: int64 (resources, labels).
        slacks: float64 (labels, k).
    """

    state: IntArray
    value: IntArray
    usage: IntArray
    slacks: FloatArray

    @property
    def nbytes(self) -> int:
        return self.state.nbytes + self.value.nbytes + self.usage.nbytes + self.slacks.nbytes


class LabelSearch:
    """Runs over one set of kept options.

    Args:
        sweeps: the buckets and their float tables.
        terms: the exact tables.
        room: capacity - base of each sum resource.

    Attributes:
        kept: number of labels kept so far, over all steps and runs.
    """

    def __init__(self, sweeps: MaxSum, terms: ExactTerms, room: tuple[int, ...]) -> None:
        self._sweeps = sweeps
        self._terms = terms
        self._room = np.array(room, dtype=np.int64)
        self._closing = self._closing_steps()
        self.kept = 0

    def _closing_steps(self) -> list[list[int]]:
        """For each processing step, the groups that no later step refers to."""
        last = {g: i for i, g in enumerate(self._sweeps.processing)}
        for step, g in enumerate(self._sweeps.processing):
            for a in self._sweeps.separators[g]:
                last[a] = max(last[a], step)
        for scope in self._terms.open_scopes:
            step = max(self._sweeps.processing.index(a) for a in scope)
            for a in scope:
                last[a] = max(last[a], step)
        closing: list[list[int]] = [[] for _ in last]
        for g, step in last.items():
            closing[step].append(g)
        return closing

    def run(self, messages: Messages, slacks: FloatArray, limits: SearchLimits, beam: int | None = None) -> Found:
        """Search all choices whose slacks stay at least 0 under every weight vector of `messages`.

        Args:
            messages: the result of a sweep. Its first weights determine the order of the work.
            slacks: how far the best choice lies above the threshold, with a margin for rounding errors, float64 (k,).
            limits: limits on time, and on the number and the memory of labels.
            beam: the largest number of labels to keep at each step, or None. With a beam, the search is heuristic.

        Raises:
            OutOfTime: if the deadline has passed.
            OutOfMemory: if a step keeps too many labels, or all steps together take too much memory.
        """
        if slacks.min() < 0 or messages.best.min() < POSSIBLE:
            return Found(None, True)
        if self._sweeps.program is not None and messages.flat is not None:
            return self._compiled(self._sweeps.program, messages, messages.flat, slacks, limits, beam)
        sizes = self._sweeps.sizes
        trail: list[tuple[IntArray, IntArray]] = []
        columns: dict[int, IntArray] = {}
        states, complete, held = 1, True, 0
        labels = _Labels(
            np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros((len(self._room), 1), np.int64), slacks[None, :]
        )
        for step, g in enumerate(self._sweeps.processing):
            separator = self._sweeps.separators[g]
            row_of, row_columns = distinct([columns[a] for a in separator], [sizes[a] for a in separator], states)
            at_rows = dict(zip(separator, row_columns, strict=True))
            rows = int(row_of.max()) + 1
            losses = bucket_rows(self._sweeps, g, messages, at_rows, rows)
            added = self._terms.added(g, at_rows, rows).reshape(self._terms.rows, -1)
            kept_groups = [a for a in columns if a not in self._closing[step]]
            stays = g not in self._closing[step]
            base_of, base_columns = distinct([columns[a] for a in kept_groups], [sizes[a] for a in kept_groups], states)
            allowed = self._terms.allowed(g, columns)
            extended = []
            for parent, option in _pairs_within(labels, row_of, losses, limits):
                if allowed is not None:
                    fits = allowed[labels.state[parent], option]
                    parent, option = parent[fits], option[fits]
                at = row_of[labels.state[parent]] * sizes[g] + option
                new_slacks = labels.slacks[parent] - losses.reshape(-1, losses.shape[2])[at]
                fits = new_slacks.min(axis=1) >= 0
                parent, option, at, new_slacks = parent[fits], option[fits], at[fits], new_slacks[fits]
                state = base_of[labels.state[parent]]
                state = state * sizes[g] + option if stays else state
                value = labels.value[parent] + added[0, at]
                usage = labels.usage[:, parent] + added[1:, at]
                extended.append(_thinned(_Labels(state, value, usage, new_slacks), parent, option, limits))
            fresh, parent, option = _joined(extended, limits) if len(extended) > 1 else extended[0]
            if beam is not None and len(parent) > beam:
                fresh, parent, option = _taken(fresh, parent, option, _spread(fresh, messages.weights, beam))
                complete = False
            if len(parent) > limits.labels:
                raise OutOfMemory
            if len(parent) == 0:
                return Found(None, complete)
            self.kept += len(parent)
            present, state = np.unique(fresh.state, return_inverse=True)
            labels = _Labels(state, fresh.value, fresh.usage, fresh.slacks)
            states = len(present)
            source = present // sizes[g] if stays else present
            columns = {a: c[source] for a, c in zip(kept_groups, base_columns, strict=True)}
            if stays:
                columns[g] = present % sizes[g]
            trail.append((parent, option))
            held += parent.nbytes + option.nbytes
            # extending the labels takes about the same memory again
            limits.check_memory(held + 2 * labels.nbytes)
        within = np.flatnonzero((labels.usage <= self._room[:, None]).all(axis=0))
        if len(within) == 0:
            return Found(None, complete)
        return Found(self._choice(trail, int(within[labels.value[within].argmax()])), complete)

    def _compiled(
        self,
        program: Program,
        messages: Messages,
        flat: FloatArray,
        slacks: FloatArray,
        limits: SearchLimits,
        beam: int | None,
    ) -> Found:
        """The same as `run` by compiled code."""
        peaks, held = self._terms.peak_steps()
        last = np.empty(program.count, np.int64)
        rank = {g: i for i, g in enumerate(self._sweeps.processing)}
        for step, groups in enumerate(self._closing):
            last[[rank[g] for g in groups]] = step
        problem = LabelProblem(self._terms.tables(), last, peaks, self._room)
        limits.check_time()
        within = LabelLimits(limits.labels, limits.memory, beam)
        run = run_labels(program, problem, messages.weights, flat, slacks, within, limits.check_time)
        del held  # its addresses are in `peaks`
        self.kept += run.kept
        if run.raised is not None:
            raise run.raised
        if run.limited:
            raise OutOfMemory
        if run.choice is None:
            return Found(None, run.complete)
        choice = [0] * program.count
        for g, position in zip(self._sweeps.processing, run.choice, strict=True):
            choice[g] = position
        return Found(tuple(choice), run.complete)

    def _choice(self, trail: list[tuple[IntArray, IntArray]], at: int) -> tuple[int, ...]:
        choice = [0] * len(self._sweeps.sizes)
        for g, (parent, option) in zip(reversed(self._sweeps.processing), reversed(trail), strict=True):
            choice[g] = int(option[at])
            at = int(parent[at])
        return tuple(choice)


def _pairs_within(
    labels: _Labels, row_of: IntArray, losses: FloatArray, limits: SearchLimits
) -> Iterator[tuple[IntArray, IntArray]]:
    """Chunks of (label, option) that the first slack allows, and a few more, because losses are compared in levels."""
    first = losses[:, :, 0]
    rows = len(first)
    slack = labels.slacks[:, 0]
    row = row_of[labels.state]
    scale = _LEVELS / (float(slack.max()) * (1 + 1e-9) + 1e-300)
    level = np.minimum(first * scale, _LEVELS).astype(np.int64)
    histogram = np.bincount(
        (level + np.arange(rows)[:, None] * (_LEVELS + 1)).ravel(), minlength=rows * (_LEVELS + 1)
    ).reshape(rows, _LEVELS + 1)
    within = histogram.cumsum(axis=1)
    counts = within[row, (slack * scale).astype(np.int64)]
    order = np.argsort(level, axis=1, kind="stable")
    ends = np.cumsum(counts)
    start = 0
    while start < len(slack):
        limits.check_time()
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + _CHUNK, side="right")), start + 1)
        part = counts[start:stop]
        parent = np.repeat(np.arange(start, stop), part)
        place = np.arange(len(parent)) - np.repeat(ends[start:stop] - part - before, part)
        yield parent, order[row[parent], place]
        start = stop


def _spread(labels: _Labels, weights: FloatArray, beam: int) -> IntArray:
    """About `beam` labels of large slack, spread over the range of usage: each of `_STRATA` strata keeps equally many.

    If value is nearly proportional to usage, slacks alone say little about which partial choices can be completed.
    """
    priced = -weights[0, 1:] @ labels.usage
    strata = np.empty(len(priced), np.int64)
    strata[np.argsort(priced, kind="stable")] = np.arange(len(priced)) * _STRATA // len(priced)
    valued = labels.slacks[:, weights[:, 0] > 0].min(axis=1)
    order = np.lexsort((-valued, strata))
    sorted_strata = strata[order]
    place = np.arange(len(order)) - np.searchsorted(sorted_strata, sorted_strata)
    return np.sort(order[place < max(beam // _STRATA, 1)])


def _taken(labels: _Labels, parent: IntArray, option: IntArray, keep: IntArray) -> tuple[_Labels, IntArray, IntArray]:
    cut = _Labels(labels.state[keep], labels.value[keep], labels.usage[:, keep], labels.slacks[keep])
    return cut, parent[keep], option[keep]


def _thinned(
    labels: _Labels, parent: IntArray, option: IntArray, limits: SearchLimits
) -> tuple[_Labels, IntArray, IntArray]:
    """Drop dominated labels."""
    return _taken(labels, parent, option, undominated(labels.state, labels.value, labels.usage, limits.check_time))


def _joined(
    parts: list[tuple[_Labels, IntArray, IntArray]], limits: SearchLimits
) -> tuple[_Labels, IntArray, IntArray]:
    """Join all chunks and drop dominated labels."""
    labels = _Labels(
        np.concatenate([p[0].state for p in parts]),
        np.concatenate([p[0].value for p in parts]),
        np.concatenate([p[0].usage for p in parts], axis=1),
        np.concatenate([p[0].slacks for p in parts]),
    )
    return _thinned(labels, np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts]), limits)
