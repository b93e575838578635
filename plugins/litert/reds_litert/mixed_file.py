"""Files of integers of 8 bits in which some operators keep more exact numbers.

Two conversions of a model have the same operators apart from those that only convert numbers. Each operator of the int8
file can therefore be replaced by that of another conversion, which computes in float32 or with activations of 16 bits.
Operators that convert numbers are put where both kinds meet, and constants that nothing reads are left out.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from reds_core.errors import UnsupportedError
from reds_litert.graph import FileGraph, FileOperator, graph_of
from reds_litert.kernel_packing import give_kernel_packings, kernel_packings_in
from reds_litert.schema import code_index, drop_unused_content, give_content, kind_of, packed, unpacked

_KINDS, _TYPES = schema.BuiltinOperator, schema.TensorType
CONVERTING = ("QUANTIZE", "DEQUANTIZE")
"""Operators that only convert numbers, which one conversion of a model may have and another not."""
COPYING = (
    *("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "PACK", "UNPACK"),
    *(
        "MAX_POOL_2D",
        "PAD",
        "MIRROR_PAD",
        "GATHER",
        "RESIZE_NEAREST_NEIGHBOR",
        "SPACE_TO_BATCH_ND",
        "BATCH_TO_SPACE_ND",
    ),
    *("SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "REVERSE_V2", "TILE", "BROADCAST_TO"),
)
"""Operators that copy numbers without rounding them. They keep other numbers only between operators that do so."""
NOT_REPLACED = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "CUSTOM", "WHILE", "IF", "CALL_ONCE", "VAR_HANDLE")
"""Operators with states or graphs of their own, which are never replaced."""
_TOKENS = (_TYPES.INT32, _TYPES.INT64, _TYPES.BOOL)
"""Types of tensors that are the same in all conversions."""


@dataclass(frozen=True, eq=False)
class MixedFile:
    """The int8 file of a model, and another conversion of it from which operators can be taken.

    Attributes:
        base: The content of the int8 file.
        exact: The content of the other file.

    Raises:
        UnsupportedError: If the operators of both files do not correspond.
    """

    base: bytes
    exact: bytes

    def __post_init__(self) -> None:
        if not self.pairs:
            raise UnsupportedError(
                "the operators of the int8 file and of the file with more exact numbers do not correspond, so no layer "
                "can keep other numbers",
                "leave out the fallback",
            )

    @cached_property
    def base_graph(self) -> FileGraph:
        """The graph of the int8 file."""
        return _single_graph(self.base)

    @cached_property
    def exact_graph(self) -> FileGraph:
        """The graph of the other file."""
        return _single_graph(self.exact)

    @cached_property
    def pairs(self) -> Mapping[int, int]:
        """The operators of the other file by those of the int8 file, by index; empty if they do not correspond."""
        base, exact = (_computing(graph) for graph in (self.base_graph, self.exact_graph))
        if len(base) != len(exact):
            return {}
        for (_, one), (_, other) in zip(base, exact, strict=True):
            shapes = [
                [graph.tensors[index].shape for index in operator.outputs]
                for graph, operator in ((self.base_graph, one), (self.exact_graph, other))
            ]
            if one.kind != other.kind or shapes[0] != shapes[1]:
                return {}
        return {one: other for (one, _), (other, _) in zip(base, exact, strict=True)}

    @cached_property
    def replaceable(self) -> tuple[int, ...]:
        """The indices of the operators of the int8 file that can keep other numbers by themselves."""
        return tuple(at for at in self.pairs if self.base_graph.operators[at].kind not in (*NOT_REPLACED, *COPYING))

    def with_exact(self, operators: Collection[int], *, has_exact_inputs: bool = False) -> bytes:
        """Return the int8 file in which some operators are those of the other file.

        Args:
            operators: The indices of operators, all of them in `replaceable`.
            has_exact_inputs: Whether the inputs of the file have the numbers of those of the other file as well.
        """
        return _Mixing(self, self._with_copies(operators)).content(has_exact_inputs)

    def _with_copies(self, operators: Collection[int]) -> frozenset[int]:
        """Add the operators that only copy numbers from some of the operators to others of them."""
        graph = self.base_graph
        makers = {index: at for at, operator in enumerate(graph.operators) for index in operator.outputs}
        from_exact: set[int] = set(operators)
        for at, operator in enumerate(graph.operators):
            sources = {makers.get(index, -1) for index in _computed(graph, operator)}
            is_passed_on = operator.kind in CONVERTING or (at in self.pairs and operator.kind in COPYING)
            if is_passed_on and sources and sources <= from_exact:
                from_exact.add(at)
        to_exact: set[int] = set(operators)
        for at in reversed(range(len(graph.operators))):
            if at in to_exact:
                to_exact |= {makers[i] for i in graph.operators[at].inputs if makers.get(i) in from_exact}
        both = from_exact & to_exact
        return frozenset(at for at in both if at in self.pairs)


def _single_graph(content: bytes) -> FileGraph:
    model = unpacked(content)
    if len(model.subgraphs) != 1:
        raise UnsupportedError(
            f"a file with {len(model.subgraphs)} graphs, as with loops, keeps all its layers in one kind of numbers",
            "unroll the loops, or leave out the fallback",
        )
    return graph_of(model, model.subgraphs[0])


def _computed(graph: FileGraph, operator: FileOperator) -> list[int]:
    return [index for index in operator.inputs if index >= 0 and graph.tensors[index].data is None]


def _computing(graph: FileGraph) -> list[tuple[int, FileOperator]]:
    """The operators that do more than to convert numbers or to set a state, with their indices."""
    return [
        (at, operator)
        for at, operator in enumerate(graph.operators)
        if operator.kind not in CONVERTING and _computed(graph, operator)
    ]


class _Mixing:
    """The construction of one mixed file.

    Args:
        files: Both files.
        kept: The indices of the operators of the int8 file that are replaced by those of the other.
    """

    def __init__(self, files: MixedFile, kept: frozenset[int]) -> None:
        self._files, self._kept = files, kept
        self._model, self._source = unpacked(files.base), unpacked(files.exact)
        self._graph, self._exact = self._model.subgraphs[0], self._source.subgraphs[0]
        self._operators: list[Any] = []
        self._imported: dict[int, int] = {}
        """The index of a tensor in the new file, by that of the tensor of the other file that it is a copy of."""
        self._at_hand: dict[int, int] = {}
        """The same for tensors that have been computed."""
        base_of = {exact: base for base, exact in files.pairs.items()}
        self._makers: dict[int, tuple[int, int]] = {}
        """The operator of the other file that computes a tensor of it, and the place among its outputs."""
        self._base_tensor: dict[int, int] = {}
        """The tensor of the int8 file that corresponds to one of the other file."""
        for at, operator in enumerate(files.exact_graph.operators):
            for place, index in enumerate(operator.outputs):
                self._makers[index] = at, place
                if at in base_of:
                    self._base_tensor[index] = files.base_graph.operators[base_of[at]].outputs[place]
        self._base_tensor |= dict(zip(files.exact_graph.inputs, files.base_graph.inputs, strict=True))

    def content(self, has_exact_inputs: bool) -> bytes:
        """The content of the file."""
        if has_exact_inputs:
            self._exchange_inputs()
        for at, operator in enumerate(self._graph.operators):
            if at in self._kept:
                self._keep(self._files.pairs[at])
            else:
                self._operators.append(operator)
        self._graph.operators = list(_needed(self._operators, self._graph))
        _drop_unused_tensors(self._model, self._graph)
        drop_unused_content(self._model)
        return packed(self._model)

    def _exchange_inputs(self) -> None:
        """Let the inputs have the numbers of the other file, from which those of the int8 file are converted."""
        given = [int(index) for index in self._graph.inputs]
        for place, index in enumerate(self._files.exact_graph.inputs):
            there = given[place]
            if _alike(self._graph.tensors[there], self._exact.tensors[index]):
                continue
            here = self._at_hand[index] = self._copied(index)
            given[place] = here
            for signature in self._model.signatureDefs or []:
                for entry in signature.inputs:
                    entry.tensorIndex = here if entry.tensorIndex == there else entry.tensorIndex
            self._convert(here, there)
        self._graph.inputs = given

    def _keep(self, at: int) -> None:
        """Add an operator of the other file, and the conversions of its outputs to those of the int8 file."""
        operator = self._exact.operators[at]
        inputs = [int(index) for index in operator.inputs]
        new = copy.copy(operator)
        new.inputs = [index if index < 0 else self._tensor(index) for index in inputs]
        new.outputs = [self._output(int(index)) for index in operator.outputs]
        code = self._source.operatorCodes[operator.opcodeIndex]
        new.opcodeIndex = code_index(self._model, kind_of(self._source, operator), int(code.version))
        self._operators.append(new)
        for index in operator.outputs:
            here, there = self._at_hand[int(index)], self._base_tensor[int(index)]
            if here != there:
                self._convert(here, there)

    def _output(self, index: int) -> int:
        """The tensor that an operator of the other file writes."""
        base = self._graph.tensors[self._base_tensor[index]]
        is_same = _alike(base, self._exact.tensors[index])
        self._at_hand[index] = self._base_tensor[index] if is_same else self._copied(index)
        return self._at_hand[index]

    def _tensor(self, index: int) -> int:
        """The tensor that an operator of the other file reads, which is computed first if it is not yet."""
        if self._files.exact_graph.tensors[index].data is not None:
            return self._copied(index)
        if index in self._at_hand:
            return self._at_hand[index]
        if index in self._base_tensor:  # an input of the network, or what an operator of the int8 file writes
            there = self._base_tensor[index]
            is_same = _alike(self._graph.tensors[there], self._exact.tensors[index])
            here = there if is_same else self._copied(index)
            if not is_same:
                self._convert(there, here)
        else:  # the other file converts numbers as well
            source = self._tensor(int(self._exact.operators[self._makers[index][0]].inputs[0]))
            here = self._copied(index)
            self._convert(source, here)
        self._at_hand[index] = here
        return here

    def _copied(self, index: int) -> int:
        """A copy of a tensor of the other file."""
        if index not in self._imported:
            tensor = copy.copy(self._exact.tensors[index])
            data = self._source.buffers[tensor.buffer].data
            tensor.buffer = 0
            if data is not None and len(data):
                give_content(self._model, tensor, np.asarray(data, np.uint8))
            self._graph.tensors.append(tensor)
            self._imported[index] = len(self._graph.tensors) - 1
        return self._imported[index]

    def _convert(self, source: int, target: int) -> None:
        """Add an operator that converts numbers."""
        is_real = self._graph.tensors[target].type == _TYPES.FLOAT32
        operator = schema.OperatorT()
        operator.opcodeIndex = code_index(self._model, _KINDS.DEQUANTIZE if is_real else _KINDS.QUANTIZE)
        operator.inputs, operator.outputs = [source], [target]
        self._operators.append(operator)


def _alike(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same numbers for the same values."""
    if one.type != other.type:
        return False
    if one.type in _TOKENS or one.type == _TYPES.FLOAT32:
        return True
    details = [
        [
            np.asarray([] if values is None else values).tolist()
            for values in (t.quantization.scale, t.quantization.zeroPoint)
        ]
        for t in (one, other)
    ]
    return details[0] == details[1]


def _needed(operators: list[Any], graph: Any) -> Iterator[Any]:
    """Yield the operators whose outputs are read, or that set a state, in their order."""
    read = {int(index) for index in graph.outputs}
    found: list[Any] = []
    for operator in reversed(operators):
        outputs = [int(index) for index in operator.outputs]
        if read.intersection(outputs) or any(graph.tensors[index].isVariable for index in outputs):
            read |= {int(index) for index in operator.inputs if index >= 0}
            found.append(operator)
    yield from reversed(found)


def _drop_unused_tensors(model: Any, graph: Any) -> None:
    """Remove the tensors that nothing refers to, and number the others anew."""
    used = {int(index) for index in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        more = () if operator.intermediates is None else operator.intermediates
        used |= {int(index) for index in (*operator.inputs, *operator.outputs, *more) if index >= 0}
    order = sorted(used)
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    recorded = kernel_packings_in(model).items()
    packings = {(0, place[tensor]): packing for (_, tensor), packing in recorded if tensor in place}
    graph.tensors = [graph.tensors[old] for old in order]

    def moved(indices: Any) -> Any:
        return None if indices is None else [place[int(index)] for index in indices]

    graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
    for operator in {id(each): each for each in graph.operators}.values():
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
        operator.intermediates = moved(operator.intermediates)
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = place[int(entry.tensorIndex)]
    if packings:
        give_kernel_packings(model, packings)
