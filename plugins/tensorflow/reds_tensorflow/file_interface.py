"""The order of the inputs and outputs of .tflite files, which is that of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def in_order(content: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return .tflite content whose inputs and outputs are in a given order, which programs on devices rely on.

    The converter writes them in an order of its own.

    Args:
        content: the content of the file.
        inputs, outputs: their names in the signature of the file, in the wanted order. Single ones need no name.
    """
    changed = bytearray(content)
    graph = schema.Model.GetRootAs(changed, 0).Subgraphs(0)
    found_inputs, found_outputs = _names_by_tensor(changed)
    for found, wanted, order in (
        (found_inputs, inputs, graph.InputsAsNumpy()),
        (found_outputs, outputs, graph.OutputsAsNumpy()),
    ):
        if len(wanted) > 1:
            tensors = {name: tensor for tensor, name in found.items()}
            order[:] = np.array([tensors[name] for name in wanted], order.dtype)  # in place, in the file
    return bytes(changed)


def _names_by_tensor(content: bytes | bytearray) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names of the inputs and of the outputs in the signature of a file, by index of their tensors."""
    model = schema.Model.GetRootAs(content, 0)
    if model.SignatureDefsLength() == 0:
        return {}, {}
    signature = model.SignatureDefs(0)
    inputs = [signature.Inputs(i) for i in range(signature.InputsLength())]
    outputs = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    return _named(inputs), _named(outputs)


def _named(entries: Sequence[Any]) -> dict[int, str]:
    return {entry.TensorIndex(): entry.Name().decode() for entry in entries}
