"""Operators of a full network beside those of a member that lacks some of its residual blocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from reds_litert.graph import FileGraph, FileOperator
from reds_litert.schema import WEIGHTS

SUM = "ADD"
CHANGING_NUMBERS_ONLY = ("QUANTIZE", "DEQUANTIZE")
"""Operators that some conversions of a model have and others do not."""
_SAME_NAME = 8
"""How much more two operators are worth as a pair if their tensors have the same names, which come from layers."""


def contained_operators(
    full: FileGraph, member: FileGraph, of_full: Sequence[int], of_member: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Return pairs of operators, in order, in which each operator of a member has one of the full network.

    Of all such pairs, those with the most names of tensors in common are returned. Names come from layers, so blocks
    that are alike are told apart by them. There are none if an operator of the member has no counterpart, or if an
    operator of the full network without one does more than compute an operand of a sum.

    Args:
        full: The graph of the full network.
        member: The graph of the member.
        of_full: The indices of the operators of the full network that can have a counterpart, in order.
        of_member: The indices of those of the member.
    """
    impossible = -1
    best = np.full((len(of_full) + 1, len(of_member) + 1), impossible, np.int64)
    best[:, 0] = 0  # of the first operators of both: the worth of the best pairs
    for i, at_full in enumerate(of_full, 1):
        for j, at in enumerate(of_member, 1):
            worth = _worth(full, full.operators[at_full], member, member.operators[at])
            if worth and best[i - 1, j - 1] != impossible:
                best[i, j] = best[i - 1, j - 1] + worth
            best[i, j] = max(best[i, j], best[i - 1, j])
    i, j = len(of_full), len(of_member)
    if best[i, j] == impossible:
        return ()
    pairs: list[tuple[int, int]] = []
    while j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
            continue
        pairs.append((of_full[i - 1], of_member[j - 1]))
        i, j = i - 1, j - 1
    pairs.reverse()
    return tuple(pairs) if _lacks_only_blocks(full, member, of_full, dict(pairs)) else ()


def skipped_sums(full: FileGraph, paired: Collection[int]) -> dict[int, int]:
    """Return, for each sum that a member lacks with one of its operands, its output and the other operand.

    Args:
        full: The graph of the full network.
        paired: The indices of its operators that have a counterpart in the member.
    """
    maker = {output: at for at, operator in enumerate(full.operators) for output in operator.outputs}
    found: dict[int, int] = {}
    for at, operator in enumerate(full.operators):
        if operator.kind != SUM or at in paired:
            continue
        left = [each for each in operator.inputs if each in found or maker.get(each) is None or maker[each] in paired]
        if len(left) == 1:
            found[operator.outputs[0]] = left[0]
    return found


def _lacks_only_blocks(full: FileGraph, member: FileGraph, of_full: Collection[int], pairs: Mapping[int, int]) -> bool:
    """Whether all that a member lacks of `of_full` are operands of sums, which it lacks or has with a constant."""
    made: set[int] = set()
    for at, operator in enumerate(full.operators):
        is_passing = operator.kind in CHANGING_NUMBERS_ONLY and made.intersection(operator.inputs)
        if at not in pairs and (at in of_full or is_passing):
            made.update(operator.outputs)
    sums = skipped_sums(full, pairs)
    for at, operator in enumerate(full.operators):
        is_reading = made.difference(sums).intersection(operator.inputs)
        if at in pairs and is_reading:
            counterpart = member.operators[pairs[at]]
            if operator.kind != SUM or not adds_constant(member, counterpart):
                return False
    return not made.difference(sums).intersection(full.outputs)


def adds_constant(graph: FileGraph, operator: FileOperator) -> bool:
    """Whether an operand of a sum is a constant."""
    return any(each >= 0 and graph.tensors[each].data is not None for each in operator.inputs)


def _worth(full: FileGraph, one: FileOperator, member: FileGraph, other: FileOperator) -> int:
    """How well two operators fit together: 0 if they do not."""
    if one.kind != other.kind:
        return 0
    tensors = list(zip(one.outputs, other.outputs, strict=False))
    ranks = [(len(full.tensors[a].shape), len(member.tensors[b].shape)) for a, b in tensors]
    if any(a != b for a, b in ranks):
        return 0
    names = [(_layer(full, a), _layer(member, b)) for a, b in tensors]
    if len(one.inputs) > WEIGHTS and len(other.inputs) > WEIGHTS:
        a, b = full.tensors[one.inputs[WEIGHTS]], member.tensors[other.inputs[WEIGHTS]]
        if a.data is not None and b.data is not None:
            if len(a.shape) != len(b.shape) or a.shape[1:-1] != b.shape[1:-1]:
                return 0
            names.append((a.name, b.name))
    return 1 + _SAME_NAME * sum(a == b for a, b in names)


def _layer(graph: FileGraph, tensor: int) -> str:
    return graph.tensors[tensor].name.partition(";")[0]
