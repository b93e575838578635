"""What has to be known of a .tflite file before it is uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ModelFile:
    """A file that can be read.

    Attributes:
        path: Its path.
        is_int8: Whether its inputs are int8, so that Edge Impulse counts it as quantised.
        operators: The number of operators of each kind.
        macs: The number of multiply-accumulates; None if that is not known.
    """

    path: Path
    is_int8: bool
    operators: Mapping[str, int]
    macs: int | None

    @property
    def numbers(self) -> str:
        """The name that Edge Impulse gives to the kind of its numbers, "int8" or "float32"."""
        return "int8" if self.is_int8 else "float32"

    @staticmethod
    def at(path: Path) -> ModelFile:
        """Return the file at a path.

        Raises:
            InputError: If it is missing or damaged, so that damaged files are never uploaded.
            UnsupportedError: If it has several graphs.
        """
        import numpy as np
        from reds_litert.footprint import content_of, footprint_of
        from reds_litert.graph import read_graph

        content = content_of(path)
        footprint = footprint_of(path, content)
        graph = read_graph(content)
        inputs = [graph.tensors[index].dtype for index in graph.inputs]
        return ModelFile(path, any(dtype == np.int8 for dtype in inputs), footprint.operators, footprint.macs)
