"""Files that the framework itself runs on this machine, as exported models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from reds_core.framework.data import Arrays, Data, each_batch
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task

_BATCH_SIZE = 256


@dataclass(frozen=True)
class LoadedModel(ExportedModel):
    """A file that was read into a model of its framework, which runs it.

    Targets without an interpreter of their own return it from `Target.load`.

    Attributes:
        framework: The framework of the model.
        model: The model, with the weights that the file holds.
    """

    framework: Framework
    model: Any

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return self.framework.input_shape(self.model)

    def check_data(self, data: Data, what: str) -> Data:
        if not isinstance(data, Arrays):
            return data  # the batches of a stream are checked as they are read
        return replace(data, x=self.framework.check_inputs(self.model, data.x, what))  # labels need a task

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        data = self.framework.check_data(self.model, data, task, "data")
        examples = sum(len(batch) for batch in each_batch(data, _BATCH_SIZE))
        metric, loss = self.framework.accuracy(self.model, data, task), self.framework.loss(self.model, data, task)
        return ExportedFigures(metric, loss, examples)
