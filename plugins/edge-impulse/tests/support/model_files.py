"""Small .tflite files with one dense layer, made without a converter."""

from __future__ import annotations

import numpy as np
from int8_graphs import GraphBuilder, integers, options


def dense(inputs: int, outputs: int, is_int8: bool, seed: int = 0) -> bytes:
    """Return a file whose weights are random."""
    random = np.random.default_rng(seed)
    graph = GraphBuilder()
    bits = 8 if is_int8 else 32
    kernel = integers(random, (outputs, inputs)) if is_int8 else random.normal(size=(outputs, inputs))
    source = graph.tensor((1, inputs), bits=bits)
    weights = graph.tensor(
        (outputs, inputs), data=kernel if is_int8 else kernel.astype(np.float32), bits=bits, scale=0.01
    )
    bias = np.zeros(outputs, np.int32 if is_int8 else np.float32)
    offset = graph.tensor((outputs,), data=bias, bits=bits, scale=0.0005)
    result = graph.tensor((1, outputs), bits=bits)
    graph.operator("FULLY_CONNECTED", [source, weights, offset], result, options("FullyConnectedOptions"))
    return graph.content(source, result)
