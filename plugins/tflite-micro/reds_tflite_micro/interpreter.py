"""Files that are run with the arithmetic of tflite-micro."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.device_files import LiteRtFile, interpreter_of, run_one_by_one
from reds_litert.footprint import content_of

from reds_core.framework import Framework
from reds_core.system import silenced_output
from reds_tflite_micro.allocations import allocations
from reds_tflite_micro.lookup_tables import without_lookup_tables

ARENA_BYTES = 1 << 24
"""The size of the arena that is tried first. The system provides only what is used of it."""
SPARE_BYTES = 1 << 16
"""By how much a larger arena exceeds what is allocated, for memory that is only taken for a while."""


class MicroFile(LiteRtFile):
    """A .tflite file with a batch size of 1, which tflite-micro runs.

    Args:
        framework: Compares the outputs of the file with labels.
        path: The path of the file.

    Raises:
        InputError: If the file cannot be read.
        UnsupportedError: If tflite-micro cannot run it.
    """

    def __init__(self, framework: Framework, path: Path) -> None:
        super().__init__(framework, path)  # also checks that the content is complete, which tflite-micro does not
        self._micro = MicroInterpreter(path, content_of(path))

    def runnable(self, content: bytes) -> bytes:
        try:
            return without_lookup_tables(content)
        except Exception as error:  # reading damaged content may raise anything
            raise ValueError("the content is damaged") from error

    def run(self, x: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[np.float32], ...]:
        """Return real-valued outputs (N, ...), computed one example at a time as on the device."""
        return run_one_by_one(self._micro, x)


class MicroInterpreter:
    """tflite-micro with the methods by which LiteRT's interpreter is used. Inputs and outputs are told by position.

    Args:
        path: The path of the file, for messages.
        content: Its content.

    Raises:
        UnsupportedError: If tflite-micro cannot run the file.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        known = interpreter_of(without_lookup_tables(content))
        self._inputs = [{**each, "index": index} for index, each in enumerate(known.get_input_details())]
        self._outputs = [{**each, "index": index} for index, each in enumerate(known.get_output_details())]
        self._interpreter = _interpreter(path, content)

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return the inputs as LiteRT describes them."""
        return self._inputs

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the outputs as LiteRT describes them."""
        return self._outputs

    def set_tensor(self, index: int, values: npt.NDArray[Any]) -> None:
        """Set an input."""
        self._interpreter.set_input(values, index)

    def invoke(self) -> None:
        """Run the file once."""
        self._interpreter.invoke()

    def get_tensor(self, index: int) -> npt.NDArray[Any]:
        """Return an output."""
        return np.asarray(self._interpreter.get_output(index))


def _interpreter(path: Path, content: bytes) -> Any:
    from tflite_micro import runtime

    with silenced_output():
        try:
            return runtime.Interpreter.from_bytes(content, arena_size=ARENA_BYTES)
        except RuntimeError:
            size = allocations(path, content).total_bytes + SPARE_BYTES  # which raises an error with the reason
            return runtime.Interpreter.from_bytes(content, arena_size=size)


def run(content: bytes, x: tuple[npt.NDArray[Any], ...], path: Path | None = None) -> tuple[npt.NDArray[Any], ...]:
    """Run the content of a file on examples.

    Args:
        content: The content of a .tflite file.
        x: The examples, an array (N, ...) of real numbers for each input.
        path: The path of the file, for messages.

    Returns:
        An array (N, ...) of real numbers for each output.

    Raises:
        UnsupportedError: If tflite-micro cannot run the file.
    """
    return run_one_by_one(MicroInterpreter(path or Path("file.tflite"), content), x)
