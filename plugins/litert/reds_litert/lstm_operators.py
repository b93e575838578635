"""Corrections of .tflite files that contain UNIDIRECTIONAL_SEQUENCE_LSTM, which the converter does not make.

- The operator keeps its states between runs of the file, unlike a Keras layer. Operators that set the states to zero
  are added in front of it.
- The converter clips cells to 10, unlike Keras. The clipping is removed.
- In an int8 file the output, the state with the last output, and the intermediate tensor of both may have different
  scales, although the kernel copies integers between them. They get the scale of the output.
- In an int8 file LiteRT's kernel supports only scales from 2^-15 to 2^-9 for the cell state; for others it leaves its
  output uninitialised. The scale is limited to this range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from reds_litert.schema import Content, code_index, packed

OUTPUT_STATE, CELL_STATE = 18, 19
"""Indices of the states among the inputs of the operator."""
HIDDEN = 4
"""Index of the output before projection among the intermediate tensors of the operator."""
CELL_HEADROOM = 4
"""Factor by which cells may exceed their calibrated range; 16 bits have room for it."""
LEAST_CELL_SCALE, GREATEST_CELL_SCALE = 2.0**-15, 2.0**-9
"""Scales for ranges of 1 and of 64."""


def lstms_fixed(content: bytes) -> bytes:
    """Return .tflite content whose LSTM operators start every run with zero states and compute the same as Keras."""
    kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    lstms = {i for i, code in enumerate(model.operatorCodes) if code.builtinCode == kind}
    if not lstms:
        return content
    for graph in model.subgraphs:
        operators = []
        for operator in graph.operators:
            if operator.opcodeIndex in lstms:
                _fix(operator, graph.tensors)
                operators += [_zeroing(model, graph, operator.inputs[i]) for i in (OUTPUT_STATE, CELL_STATE)]
            operators.append(operator)
        graph.operators = operators
    return packed(model)


def _fix(operator: Any, tensors: list[Any]) -> None:
    operator.builtinOptions.cellClip = 0.0
    output, cell = tensors[operator.outputs[0]], tensors[operator.inputs[CELL_STATE]]
    if output.type != schema.TensorType.INT8:
        return
    for index in (operator.inputs[OUTPUT_STATE], operator.intermediates[HIDDEN]):
        tensors[index].quantization = output.quantization
    scale = CELL_HEADROOM * float(cell.quantization.scale[0])
    cell.quantization.scale = [min(max(scale, LEAST_CELL_SCALE), GREATEST_CELL_SCALE)]


def _zeroing(model: Any, graph: Any, state: int) -> Any:
    """Return an operator that sets a state to zero, of a kind that interpreters do not fold into a constant."""
    target, zeros = graph.tensors[state], schema.TensorT()
    zeros.name, zeros.type, zeros.shape, zeros.hasRank = b"zeros", schema.TensorType.FLOAT32, list(target.shape), True
    zeros.buffer = len(model.buffers)
    model.buffers.append(Content(np.zeros(int(np.prod(target.shape)), np.float32).view(np.uint8)))
    graph.tensors.append(zeros)
    operator = schema.OperatorT()
    is_float = target.type == schema.TensorType.FLOAT32
    operator.opcodeIndex = code_index(
        model, schema.BuiltinOperator.RELU if is_float else schema.BuiltinOperator.QUANTIZE
    )
    operator.inputs, operator.outputs = [len(graph.tensors) - 1], [state]
    return operator
