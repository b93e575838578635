"""What devices that join runs make of the files of a run: the accuracy as they compute it, and the memory they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reds_core.errors import RedsError
from reds_core.framework.data import Arrays, Data, Stream
from reds_core.framework.device import Device
from reds_core.framework.exported import ExportedFigures
from reds_core.framework.target import Target
from reds_core.framework.task import Task
from reds_core.plan import DeviceRecord
from reds_core.plugin import guarded
from reds_core.registry import Registry
from reds_core.runs.targets import RunTargets

MOST_MACS = 10**10
"""How many multiply-accumulates the test examples may take that run in the full network. The reference kernels of
interpreters for devices compute about a thousand million of them a second, so a file takes seconds."""
LEAST_EXAMPLES = 100


@dataclass(frozen=True)
class DeviceMeasurement:
    """Measures files on the devices that join runs.

    Attributes:
        devices: These devices, whose libraries are installed.
        targets: The targets that write the files.
        folder: The folder of the run.
        task: How outputs are compared with labels.
        test: The test examples on which files are run; None if there is no test data.
        warn: Called with a sentence on each file that a device cannot run.
    """

    devices: tuple[Device, ...]
    targets: RunTargets
    folder: Path
    task: Task
    test: Arrays | None
    warn: Callable[[str], None]
    _warned: set[str] = field(default_factory=set)

    def measured(
        self, files: Mapping[str, str | None] | Mapping[str, str], exported: Mapping[str, float | None]
    ) -> tuple[Mapping[str, float | None], Mapping[str, DeviceRecord]]:
        """Measure the files of one network.

        Args:
            files: The names of the files by kind, as in the plan.
            exported: The accuracies of these files by kind.

        Returns:
            The accuracies with those on devices, and what else was found, by the name of the device. Its hyphens are
            underscores in plans of version 1, like those of kinds of files.
        """
        figures, records = dict(exported), dict[str, DeviceRecord]()
        for device in self.devices:
            target = next((t for t in self.targets.targets if t.name in device.reads[:1]), None)
            name = None if target is None else files.get(self.targets.kind(target).name)
            if target is None or name is None:
                continue
            key = device.name.replace("-", "_") if self.targets.is_version_1 else device.name
            try:
                metric, records[key] = self._of_file(device, target, self.folder / name)
            except RedsError as error:  # the network is trained by then, so that the run goes on
                self._warn_once(device, name, error)
                continue
            if metric is not None:
                figures[key] = metric
        return figures, records

    def _warn_once(self, device: Device, name: str, error: RedsError) -> None:
        """Warn of a file that a device cannot run, unless another one could not be run for the same reason."""
        reason = f"{device.name}: {error.what}".replace(str(self.folder / name), "").replace(name, "")
        if reason not in self._warned:
            self._warned.add(reason)
            self.warn(f"'{name}' is not measured on {device.name}: {error.what}")

    def _of_file(self, device: Device, target: Target, path: Path) -> tuple[float | None, DeviceRecord]:
        framework = self.targets.framework
        with guarded(device):
            profile = device.profile(path, next(iter(device.known_configurations()), None))
            record = DeviceRecord(path.name, profile.arena, profile.arena_head)
            if self.test is None:
                return None, record
            figures = device.load(framework, path).evaluate(self.test, self.task)
        own = target.load(framework, path).evaluate(self.test, self.task)
        record = dataclasses.replace(record, examples=figures.examples, same_answers=_same_answers(figures, own))
        return figures.metric, record


def device_measurement(
    registry: Registry,
    targets: RunTargets,
    folder: Path,
    task: Task,
    test: Data | None,
    full_macs: int,
    warn: Callable[[str], None],
) -> DeviceMeasurement:
    """Return what measures the files of a run on the devices that join runs.

    Args:
        registry: The plugins that are installed.
        targets: The targets of the run.
        folder: The folder of the run.
        task: How outputs are compared with labels.
        test: Test data; None without.
        full_macs: The multiply-accumulates of the full network, by which the number of test examples is limited.
        warn: Called with a sentence on each file that a device cannot run.
    """
    names = [name for name, cls in registry.available(Device).items() if cls.joins_runs]
    devices = tuple(registry.create(Device, name) for name in names)
    examples = None if test is None or not devices else spread(test, most_examples(full_macs))
    return DeviceMeasurement(devices, targets, folder, task, examples, warn)


def most_examples(full_macs: int) -> int:
    """Return the largest number of test examples that are run on a device, for all networks of a run alike."""
    return max(LEAST_EXAMPLES, MOST_MACS // max(full_macs, 1))


def spread(data: Data, count: int) -> Arrays:
    """Return at most `count` examples: evenly spaced ones of arrays, which are often sorted; the sample of a stream."""
    if isinstance(data, Stream):
        return data.sample(count)
    return data.take(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))


def _same_answers(one: ExportedFigures, other: ExportedFigures) -> float | None:
    """Return the share of examples on which two runs answer the same; None if answers are not classes."""
    if one.answers is None or other.answers is None:
        return None
    return float(np.mean(one.answers == other.answers))
