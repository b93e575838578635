"""The part of the interface of frameworks that targets need: conversion of models, and evaluation of exported files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays, Data
from reds_core.framework.exported import ExportedFigures, FileInterface, Numbers, RunFile
from reds_core.framework.task import Task
from reds_core.plugin import Plugin

if TYPE_CHECKING:
    from reds_core.framework.probe import Segmenter


class TargetSupport(Plugin):
    """What targets need of the framework that they are made from. All methods are optional.

    A target writes, reads, runs and counts its files without the framework. Only the conversion of a model, the
    comparison of outputs with labels and the division of a model into segments need the framework.
    """

    def converted(self, model: Any, numbers: Numbers, calibration: Arrays | None) -> bytes:
        """Convert `model` to the content of a file for devices, with a batch size of 1.

        Only needed by frameworks from which targets are made. These write the content to files.

        Args:
            numbers: The types of weights and activations.
            calibration: Examples that determine the ranges of activations, for "int8" and "16x8"; else None.

        Raises:
            UnsupportedError: If the format cannot express the model, or the framework converts none, the default.
        """
        raise UnsupportedError(f"framework '{self.name}' exports no files for devices", "use another framework")

    def conversion_notes(self, model: Any, numbers: Numbers) -> tuple[str, ...]:
        """Return notes on what `converted` returns that users should read before training, one sentence each.

        For example, some layers may make the file large and slow to write. Empty by default.
        """
        return ()

    def check_file_data(self, interface: FileInterface, data: Data, what: str) -> Data:
        """Convert `data` to the form that an exported file takes, as `check_data` does it for models.

        Raises:
            InputError: If shapes do not fit the inputs of the file.
            UnsupportedError: If the framework does not evaluate exported files, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' does not evaluate exported files", "give a model file")

    def evaluated(self, interface: FileInterface, run: RunFile, data: Data, task: Task) -> ExportedFigures:
        """Compute the task's metric and loss from the outputs of an exported file on `data`.

        Args:
            interface: The inputs and the outputs of the file.
            run: Runs the file on a batch.
            data: Examples and labels, which `check_file_data` returned.
            task: How outputs are compared with labels.

        Raises:
            InputError: If labels do not fit the outputs of the file, or the task names an unknown loss or metric.
            UnsupportedError: If the framework does not evaluate exported files, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' does not evaluate exported files", "give a model file")

    def segmenter(self) -> Segmenter:
        """Return what cuts models into the segments whose latencies are measured.

        Raises:
            UnsupportedError: If the framework cannot cut models, which is the default.
        """
        raise UnsupportedError(f"framework '{self.name}' cannot measure latencies", "set budgets for other resources")
