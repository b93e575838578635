"""The calls of compiled label setting and dominance."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.compiled.library import LIMIT, StopCheck, address, finish
from reds_core.knapsack.compiled.program import Program

_LARGEST = 2**62
_MOST_LABELS = 2**31 - 1
"""Compiled code numbers the labels of a step in 32 bits."""


class _Outcome(ctypes.Structure):
    """Mirrors `outcome` in labels.c."""

    _fields_ = [(name, ctypes.c_int64) for name in ("most_labels", "most_bytes", "beam", "kept", "complete", "found")]


@dataclass(frozen=True, eq=False)
class LabelProblem:
    """What label setting needs besides the max-sum program.

    Attributes:
        exact: for each term of the program, its table in integers, int64 (rows, options of its groups in processing
            order), contiguous; None for a mask.
        last: for each group in processing order, the last step that refers to it, int64 (groups,).
        peaks: the steps of peak resources that are checked label by label, as `permit` in labels.c reads them, int64.
        room: room in each sum resource, int64 (resources,).
    """

    exact: tuple[IntArray | None, ...]
    last: IntArray
    peaks: IntArray
    room: IntArray


@dataclass(frozen=True)
class LabelLimits:
    """Limits of a run.

    Attributes:
        labels: the largest number of labels at one step; at most 2^31 - 1 are possible.
        memory_bytes: the most memory for labels and the tables of a step; may be infinite.
        beam: the largest number of labels to keep at one step, or None for all.
    """

    labels: int
    memory_bytes: float
    beam: int | None


@dataclass(frozen=True)
class LabelRun:
    """The outcome of a run.

    Attributes:
        kept: number of labels kept over all steps.
        choice: the best choice, as positions in processing order, or None.
        complete: whether no label was dropped for the beam.
        limited: whether the run ended at a limit on the number or the memory of labels.
        raised: what the time check raised, which ended the run, or None.
    """

    kept: int
    choice: list[int] | None
    complete: bool
    limited: bool
    raised: BaseException | None


def run_labels(
    program: Program,
    problem: LabelProblem,
    weights: FloatArray,
    messages: FloatArray,
    slacks: FloatArray,
    limits: LabelLimits,
    check_time: Callable[[], None],
) -> LabelRun:
    """Search all choices whose slacks stay at least 0.

    Args:
        program: the max-sum program.
        problem: the exact terms and limits of resources.
        weights: float64 (k, rows).
        messages: the messages of a sweep under `weights`.
        slacks: slacks of the empty choice, float64 (k,), at least 0.
        limits: when to stop.
        check_time: called regularly; an exception that it raises ends the run.

    Raises:
        MemoryError: if memory runs out.
    """
    stop, raised = StopCheck(check_time), None
    k, rows = weights.shape
    exact = np.array([0 if table is None else address(table) for table in problem.exact], dtype=np.int64)
    slacks = np.ascontiguousarray(slacks)
    choice = np.zeros(program.count, dtype=np.int64)
    outcome = _Outcome(
        min(limits.labels, _MOST_LABELS),
        int(min(limits.memory_bytes, _LARGEST)),
        0 if limits.beam is None else limits.beam,
        0,
        1,
        0,
    )
    status = 0
    try:
        status = program.library.reds_labels(
            *program.arguments,
            *(k, rows, address(weights), address(messages), address(exact), address(problem.last)),
            *(address(problem.peaks), address(slacks), address(problem.room), ctypes.addressof(outcome)),
            *(address(choice), ctypes.addressof(stop)),
        )
    except BaseException as error:  # the caller still wants the number of labels
        raised = error
    finish(status)
    found = choice.tolist() if outcome.found else None
    return LabelRun(outcome.kept, found, bool(outcome.complete), status == LIMIT, raised)


def undominated_labels(library: ctypes.PyDLL, states: IntArray, values: IntArray, usage: IntArray) -> IntArray:
    """The indices of the labels to keep, sorted by state.

    Args:
        library: the compiled library.
        states: state of each label, int64 (labels,), at least 0.
        values: value of each label, int64 (labels,).
        usage: usage of each label, int64 (resources, labels).

    Raises:
        MemoryError: if memory runs out.
    """
    states, values, usage = (np.ascontiguousarray(a, dtype=np.int64) for a in (states, values, usage))
    kept = np.empty(len(states), dtype=np.int64)
    found = library.reds_undominated(
        len(states), len(usage), address(states), address(values), address(usage), address(kept)
    )
    if found < 0:
        raise MemoryError
    return kept[:found]
