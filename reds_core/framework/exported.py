"""The interface through which core runs exported files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from reds_core.framework.data import Data
from reds_core.framework.task import Task


@dataclass(frozen=True)
class ExportedFigures:
    """What an exported file reaches on data.

    Attributes:
        metric: the task's metric: by default the accuracy between 0 and 1.
        loss: the task's mean loss.
        examples: the number of examples.
    """

    metric: float
    loss: float
    examples: int


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
