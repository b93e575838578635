"""Functions of each element, sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from reds_c_engine.fixed_point import quantized_multiplier
from reds_c_engine.kernel_records import Arithmetic, LookupTable
from reds_c_engine.lowering.operator import Operator
from reds_c_engine.records import Step
from reds_c_engine.tables import FUNCTIONS, INPUTS, SUM_SHIFT, arithmetic_results, table_bytes


def function(one: Operator) -> list[Step]:
    """Return the step of a function of each element."""
    source = one.source()
    settings = LookupTable(math.prod(source.shape), table_bytes(FUNCTIONS[one.kind](source, one.target, one.options)))
    return [one.step("reds_lookup", settings, one.operator.inputs[0])]


def arithmetic(kernel: str) -> Callable[[Operator], list[Step]]:
    """Return what lowers sums, differences or products, given their kernel."""

    def lower(one: Operator) -> list[Step]:
        first, second = one.operator.inputs
        tensors = one.graph.tensors
        count = math.prod(one.target.shape)
        for constant, other in ((first, second), (second, first)):
            data = tensors[constant].data
            if data is not None and data.size == 1 and math.prod(tensors[other].shape) == count:
                known = (tensors[first].data, tensors[second].data)
                a, b = (INPUTS if each is None else each.reshape(-1).astype(np.int64) for each in known)
                results = arithmetic_results(kernel, _settings(one, first, second, count, None), a, b)
                return [one.step("reds_lookup", LookupTable(count, table_bytes(results)), other)]
        is_second = tensors[first].data is None and math.prod(tensors[first].shape) == count
        if not is_second:
            if one.kind == "SUB":
                raise one.refused("its first input is a constant or is repeated")
            first, second = second, first
        return [_two_inputs(one, kernel, first, second)]

    return lower


def _two_inputs(one: Operator, kernel: str, first: int, second: int) -> Step:
    a, b, target = one.graph.tensors[first], one.graph.tensors[second], one.target
    shape, data = b.shape, b.data
    if data is not None and not repeats(shape, target.shape):
        shape, data = target.shape, np.broadcast_to(data, target.shape)
    count, period = math.prod(target.shape), math.prod(shape)
    if a.data is not None or math.prod(a.shape) != count or not repeats(shape, target.shape):
        raise one.refused(
            f"it repeats tensors of the shapes {a.shape} and {b.shape} in ways other than channel by channel"
        )
    settings = _settings(one, first, second, period, None if data is None else data.astype(np.int8).tobytes())
    return one.step(kernel, settings, *((first, second) if data is None else (first,)))


def _settings(one: Operator, first: int, second: int, period: int, constant: bytes | None) -> Arithmetic:
    """Return the settings of a sum, difference or product of two tensors, given by their indices."""
    a, b, target = one.graph.tensors[first], one.graph.tensors[second], one.target
    if one.kind == "MUL":
        factors = 0.0, 0.0, a.scale * b.scale / target.scale
    else:
        twice = 2 * max(a.scale, b.scale)
        factors = a.scale / twice, b.scale / twice, twice / ((1 << SUM_SHIFT) * target.scale)
    by = [quantized_multiplier(factor) for factor in factors]
    least, greatest = one.limits()
    return Arithmetic(
        count=math.prod(target.shape),
        period=period,
        constant=constant,
        first_zero=a.zero_point,
        second_zero=b.zero_point,
        output_zero=target.zero_point,
        first_multiplier=by[0].multiplier,
        second_multiplier=by[1].multiplier,
        output_multiplier=by[2].multiplier,
        first_shift=by[0].shift,
        second_shift=by[1].shift,
        output_shift=by[2].shift,
        left_shift=0 if one.kind == "MUL" else SUM_SHIFT,
        least=least,
        greatest=greatest,
    )


def repeats(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether a tensor is as large as another, or has one value for each of the last positions of it."""
    trimmed = list(shape)
    while trimmed and trimmed[0] == 1:
        trimmed.pop(0)
    return trimmed == list(whole[len(whole) - len(trimmed) :])
