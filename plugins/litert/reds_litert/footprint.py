"""What a .tflite file takes in flash, and the operators that it runs, counted from the file alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_litert.mac_count import macs_of
from reds_litert.schema import IDENTIFIER, OPERATOR_NAMES, kind_of, unpacked


@dataclass(frozen=True)
class Footprint:
    """What a file consists of.

    Attributes:
        file_bytes: The size of the file.
        weight_bytes: The part of it that holds constants: kernels, biases, shapes and the like. A constant that is
            stored once is counted once. The rest holds the graph, names, scales and zero points.
        operators: The number of operators of each kind, such as {"CONV_2D": 5}, by falling number.
        custom_operators: The kinds among them that the format does not define.
        macs: The multiply-accumulates of one inference; None if the graph does not say how many there are.
    """

    file_bytes: int
    weight_bytes: int
    operators: Mapping[str, int]
    custom_operators: tuple[str, ...]
    macs: int | None

    @property
    def metadata_bytes(self) -> int:
        """The part of the file that holds no constants."""
        return self.file_bytes - self.weight_bytes


def content_of(path: Path) -> bytes:
    """Return the content of a .tflite file.

    Raises:
        InputError: If it does not exist, or is not a .tflite file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"'{path}' does not exist", "check the path") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be read as a LiteRT model", "give a .tflite file") from error
    if content[4:8] != IDENTIFIER:
        raise InputError(f"'{path}' cannot be read as a LiteRT model", "give a .tflite file")
    return content


def footprint_of(path: Path, content: bytes) -> Footprint:
    """Return the footprint of the content of a file.

    Args:
        path: The path of the file, for messages.
        content: Its content.

    Raises:
        InputError: If the content is damaged.
    """
    try:
        model = unpacked(content)
        kinds = Counter(_name(model, operator) for graph in model.subgraphs for operator in graph.operators)
        used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
        custom = tuple(code.customCode.decode() for code in model.operatorCodes if code.customCode)
        macs = macs_of(model)
        weight_bytes = sum(_size(model.buffers[index]) for index in used)
    except Exception as error:  # reading damaged content may raise anything
        raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error
    return Footprint(len(content), weight_bytes, dict(kinds.most_common()), custom, macs)


def _name(model: Any, operator: Any) -> str:
    """Return the kind of an operator; a custom operator has the name that the file gives it."""
    code = model.operatorCodes[operator.opcodeIndex]
    custom: str | None = None if code.customCode is None else code.customCode.decode()
    return custom or OPERATOR_NAMES.get(kind_of(model, operator), str(kind_of(model, operator)))


def _size(buffer: Any) -> int:
    return 0 if buffer.data is None else len(buffer.data)
