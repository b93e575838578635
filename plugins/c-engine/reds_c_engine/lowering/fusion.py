"""Steps that are functions of each element of a single tensor, joined to one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from reds_c_engine.kernel_records import Arithmetic, LookupTable
from reds_c_engine.records import Step
from reds_c_engine.tables import IDENTITY, arithmetic_results, composed, table_bytes


def tables_fused(steps: Sequence[Step], outputs: Sequence[int]) -> list[Step]:
    """Join tables, and sums and products of what they are looked up from and give, such as x * sigmoid(x).

    Only tensors of which nothing else is computed are left out, so that the result is the same, and needs less memory.

    Args:
        steps: The steps in an order in which they can run.
        outputs: The indices of the tensors that are outputs of the network.
    """
    reads = Counter([*outputs, *(tensor for step in steps for tensor in step.inputs)])
    tables: dict[int, Step] = {}
    result: list[Step] = []
    for given in steps:
        step = given
        while (joined := _joined(step, tables, reads)) is not None:
            for gone in (step, *joined.without):
                reads.subtract(gone.inputs)
            reads.update(joined.step.inputs)
            step, left_out = joined.step, {gone.output for gone in joined.without}
            result = [each for each in result if each.output not in left_out]
        if isinstance(step.settings, LookupTable):
            tables[step.output] = step
        result.append(step)
    return result


@dataclass(frozen=True)
class _Joined:
    """A step that takes the place of others.

    Attributes:
        step: The step.
        without: The steps before it that are no longer needed.
    """

    step: Step
    without: tuple[Step, ...]


@dataclass(frozen=True)
class _Function:
    """A tensor as a function of each element of another.

    Attributes:
        source: The index of the other tensor.
        table: The results for all elements, as in `LookupTable`.
        without: The steps that compute the tensor, if nothing else reads it.
    """

    source: int
    table: bytes
    without: tuple[Step, ...] = ()


def _joined(step: Step, tables: Mapping[int, Step], reads: Mapping[int, int]) -> _Joined | None:
    """Return a table in place of a step and of tables that it reads; None if it is a function of several tensors."""
    settings = step.settings
    if isinstance(settings, LookupTable):
        for of in _functions(step.inputs[0], step, tables, reads)[1:]:
            return _as_table(step, of, composed(of.table, settings.table))
    elif isinstance(settings, Arithmetic) and len(step.inputs) == 2 and settings.period == settings.count:
        for first, second in product(*(_functions(tensor, step, tables, reads) for tensor in step.inputs)):
            if first.source == second.source:
                values = (np.frombuffer(of.table, np.int8).astype(np.int64) for of in (first, second))
                try:
                    results = arithmetic_results(step.kernel, settings, *values)
                except OverflowError:  # for inputs that may never occur
                    return None
                both = replace(first, without=first.without + second.without)
                return _as_table(step, both, table_bytes(results))
    return None


def _functions(tensor: int, step: Step, tables: Mapping[int, Step], reads: Mapping[int, int]) -> tuple[_Function, ...]:
    """Return a tensor as a function of itself, and of what it is looked up from if only `step` reads it."""
    itself, before = _Function(tensor, IDENTITY), tables.get(tensor)
    if before is None or reads[tensor] != step.inputs.count(tensor):
        return (itself,)
    assert isinstance(before.settings, LookupTable)
    return itself, _Function(before.inputs[0], before.settings.table, (before,))


def _as_table(step: Step, of: _Function, table: bytes) -> _Joined:
    assert isinstance(step.settings, LookupTable | Arithmetic)
    settings = LookupTable(step.settings.count, table)
    return _Joined(replace(step, kernel="reds_lookup", settings=settings, inputs=(of.source,)), of.without)
