"""The LiteRT files of Keras models, as the targets of the first-party package for LiteRT write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reds_litert import conversion, device_files
from reds_litert.device_files import interpreter_of as interpreter_of
from reds_litert.device_files import run_one_by_one as run_one_by_one
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.framework import Arrays, Numbers
from reds_core.system import write_bytes


def converted(model: Any, calibration: Arrays | None, numbers: Numbers = "int8") -> bytes:
    """The content of a file: float32 without examples, otherwise calibrated on them."""
    return conversion.converted(
        TensorFlowFramework(), model, "float32" if calibration is None else numbers, calibration
    )


def export(model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
    """Write a float32 file, or an int8 file that is calibrated on examples."""
    numbers: Numbers = "int8" if quantise else "float32"
    write_bytes(path, conversion.converted(TensorFlowFramework(), model, numbers, calibration))


def litert_file(path: Path) -> device_files.LiteRtFile:
    return device_files.LiteRtFile(TensorFlowFramework(), path)
