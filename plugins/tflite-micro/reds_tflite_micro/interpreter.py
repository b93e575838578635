"""Files that are run with the arithmetic of tflite-micro, in a process of its own, which its assertions end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.device_files import LiteRtFile, Values, real_outputs
from reds_litert.footprint import content_of, footprint_of

from reds_core.errors import UnsupportedError
from reds_core.framework import Framework
from reds_core.system import run_isolated
from reds_tflite_micro.allocations import WORKER, allocations, refused
from reds_tflite_micro.lookup_tables import without_lookup_tables


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
        self._path, self._content = path, content_of(path)
        allocations(path, self._content)  # which refuses what tflite-micro cannot run

    def runnable(self, content: bytes) -> bytes:
        try:
            return without_lookup_tables(content)
        except Exception as error:  # reading damaged content may raise anything
            raise ValueError("the content is damaged") from error

    def run(self, x: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[np.float32], ...]:
        """Return real-valued outputs (N, ...), computed one example at a time as on the device.

        Raises:
            UnsupportedError: If tflite-micro cannot run the file on the examples.
        """
        count = len(self._interpreter.get_output_details())
        return real_outputs(self._interpreter, lambda given: run(self._path, self._content, given, count), x)


def run(path: Path, content: bytes, x: Values, outputs: int = 1) -> Values:
    """Run the content of a file on examples.

    Args:
        path: The path of the file, for messages.
        content: The content of a .tflite file.
        x: The examples, an array (N, ...) for each input, with values of its type.
        outputs: How many of its outputs are returned.

    Returns:
        An array (N, ...) for each output, with values of its type.

    Raises:
        UnsupportedError: If tflite-micro cannot run the file on the examples.
    """
    request: dict[str, npt.ArrayLike] = {f"input/{index}": values for index, values in enumerate(x)}
    request |= {"content": np.frombuffer(content, np.uint8), "outputs": outputs}
    try:
        reply = run_isolated(WORKER, request, None)
    except RuntimeError as error:
        raise UnsupportedError(
            f"tflite-micro crashed while it ran '{path}', as it does where a softmax over many classes finds all of "
            "them about as probable",
            "run the file in LiteRT, or export the network without the softmax",
        ) from error
    if reply is None or "output/0" not in reply:
        raise refused(path, "" if reply is None else str(reply["text"]), footprint_of(path, content).custom_operators)
    return tuple(reply[f"output/{index}"] for index in range(outputs))
