"""The names of the inputs and outputs of .tflite files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema


def names_by_tensor(content: bytes | bytearray) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names of the inputs and of the outputs in the signature of a file, by index of their tensors."""
    model = schema.Model.GetRootAs(content, 0)
    if model.SignatureDefsLength() == 0:
        return {}, {}
    signature = model.SignatureDefs(0)
    inputs = [signature.Inputs(i) for i in range(signature.InputsLength())]
    outputs = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    return _named(inputs), _named(outputs)


def input_names_of(content: bytes) -> list[str]:
    """Return the names of the inputs of a file in their order."""
    names, _ = names_by_tensor(content)
    tensors = schema.Model.GetRootAs(content, 0).Subgraphs(0).InputsAsNumpy()
    return [names.get(int(tensor), f"input_{i}") for i, tensor in enumerate(tensors)]


def output_names_of(content: bytes) -> list[str]:
    """Return the names of the outputs of a file in their order."""
    _, names = names_by_tensor(content)
    tensors = schema.Model.GetRootAs(content, 0).Subgraphs(0).OutputsAsNumpy()
    return [names.get(int(tensor), f"output_{i}") for i, tensor in enumerate(tensors)]


def _named(entries: Sequence[Any]) -> dict[int, str]:
    return {entry.TensorIndex(): entry.Name().decode() for entry in entries}
