"""A .tflite file of one int8 softmax, and the settings of the kernel that computes the same."""

from __future__ import annotations

import math

import numpy as np
from c_kernels import Case
from reds_litert.schema import packed, schema


def softmax_file(rows: int, classes: int, scale: float, beta: float) -> bytes:
    """The content of a file whose only operator is a softmax over the last axis of (rows, classes)."""
    tensors = []
    for name, factor, zero in (("in", scale, 7), ("out", 1 / 256, -128)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [rows, classes], schema.TensorType.INT8, 0
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [factor], [zero]
        tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.SoftmaxOptions,
        schema.SoftmaxOptionsT(),
    )
    operator.builtinOptions.beta = beta
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [1]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    code.version = 2
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    return packed(model)


def softmax_case(values: np.ndarray, scale: float, beta: float, expected: np.ndarray) -> Case:
    """The call of the kernel that the file above describes."""
    real = min(beta * float(np.float32(scale)) * 2.0**26, 2.0**31 - 1)
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier, exponent = 1 << 30, exponent + 1
    settings = {
        "rows": values.shape[0],
        "classes": values.shape[1],
        "multiplier": multiplier,
        "left_shift": exponent,
        "least_difference": max(-math.floor(31 * 2.0**26 / 2.0**exponent), -32768),
    }
    return Case("reds_softmax", "reds_softmax_settings", settings, values, None, expected)
