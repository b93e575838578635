"""The interface through which core runs exported files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Data
from reds_core.framework.task import Task

Numbers = Literal["float32", "int8", "16x8", "float16", "dynamic"]
"""The types of weights and activations of a file for devices: float32; int8 for both; int8 weights and int16
activations; float16 weights; int8 weights with float32 activations that are quantised while the file runs."""

RunFile = Callable[[tuple[npt.NDArray[Any], ...]], tuple[npt.NDArray[np.float32], ...]]
"""Runs a file on one array (N, ...) for each input, and returns an array (N, ...) of real numbers for each output."""


@dataclass(frozen=True)
class FileInput:
    """An input of an exported file.

    Attributes:
        name: the name of the input.
        shape: the shape of one example, without the batch dimension.
    """

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FileOutput:
    """An output of an exported file.

    Attributes:
        name: the name of the output.
        shape: the shape for one example, without the batch dimension.
        activation: the last activation before it, such as "softmax" or "sigmoid"; "other" for any other or none.
    """

    name: str
    shape: tuple[int, ...]
    activation: str


@dataclass(frozen=True)
class FileInterface:
    """The inputs and the outputs of an exported file, in their order."""

    inputs: tuple[FileInput, ...]
    outputs: tuple[FileOutput, ...]


@dataclass(frozen=True)
class ExportedFigures:
    """What an exported file reaches on data.

    Attributes:
        metric: the task's metric: by default the accuracy between 0 and 1.
        loss: the task's mean loss.
        examples: the number of examples.
        answers: the class with the highest output for each example, int64 (N,), in their order; None if the file has
            several outputs, or none that rates classes.
    """

    metric: float
    loss: float
    examples: int
    answers: npt.NDArray[np.int64] | None = field(default=None, compare=False, repr=False)


class ExportedModel(ABC):
    """A file for a device, ready to be run by the device's interpreter on this machine."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of one example, without the batch dimension; of the first input if there are several."""

    @abstractmethod
    def check_data(self, data: Data, what: str) -> Data:
        """Convert `data` to the form that the file takes, as `Framework.check_data` does it for models.

        Args:
            data: examples and labels.
            what: name of the data in messages.

        Raises:
            InputError: if shapes do not fit the inputs of the file.
        """

    @abstractmethod
    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        """Run the file on `data`, which `check_data` returned.

        Raises:
            InputError: if labels do not fit the outputs of the file, or the task names an unknown loss or metric.
        """

    def outputs(self, x: Any) -> tuple[npt.NDArray[np.float32], ...]:
        """Run the file on examples, and return an array (N, ...) of real numbers for each output.

        Args:
            x: examples (N, *input shape), of data that `check_data` returned; a tuple for several inputs.

        Raises:
            UnsupportedError: if the runtime does not tell outputs, the default.
        """
        raise UnsupportedError("the runtime of the file does not tell its outputs", "give another file")

    @property
    def output_steps(self) -> tuple[float | None, ...]:
        """The distance between neighbouring values of each output, in order; None for real numbers.

        Raises:
            UnsupportedError: if the runtime does not tell it, the default.
        """
        raise UnsupportedError("the runtime of the file does not tell the steps of its outputs", "give another file")
