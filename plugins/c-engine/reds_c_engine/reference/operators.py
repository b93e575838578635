"""The operators of the reference, by their names in LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from reds_c_engine.reference import activation, arithmetic, convolution, pooling, shape, wide
from reds_c_engine.reference.call import Call

Operator = Callable[[Call], npt.NDArray[Any]]

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "CONV_2D": convolution.convolution,
        "DEPTHWISE_CONV_2D": convolution.depthwise_convolution,
        "TRANSPOSE_CONV": convolution.transposed_convolution,
        "FULLY_CONNECTED": convolution.fully_connected,
        "AVERAGE_POOL_2D": pooling.average_pool,
        "MAX_POOL_2D": pooling.max_pool,
        "MEAN": pooling.mean,
        "REDUCE_MAX": pooling.maximum,
        "ADD": arithmetic.add,
        "SUB": arithmetic.subtract,
        "MUL": arithmetic.multiply,
        "QUANTIZE": arithmetic.quantize,
        "CONCATENATION": shape.concatenation,
        "PAD": shape.pad,
        "PADV2": shape.pad,
        "RESHAPE": shape.reshape,
        "SQUEEZE": shape.reshape,
        "EXPAND_DIMS": shape.reshape,
        "RELU": activation.relu,
        "RELU6": activation.relu6,
        "LEAKY_RELU": activation.leaky_relu,
        "HARD_SWISH": activation.hard_swish,
        "LOGISTIC": activation.logistic,
        "TANH": activation.tanh,
        "SOFTMAX": activation.softmax,
    }
)

_ALIKE = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "MEAN",
    "ADD",
    "SUB",
    "MUL",
    "QUANTIZE",
    "CONCATENATION",
    "PAD",
    "PADV2",
    "RESHAPE",
    "SQUEEZE",
    "EXPAND_DIMS",
    "RELU",
    "RELU6",
    "LEAKY_RELU",
)
WIDE_OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        **{kind: OPERATORS[kind] for kind in _ALIKE},
        "SOFTMAX": wide.softmax,
    }
)
"""The operators for activations of 16 bits."""
