"""Export of a finished family to files. Accuracies are measured on the files themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost.latency_table import LatencySettings
from reds_core.cost.resources import RESOURCES
from reds_core.errors import UnsupportedError, argument
from reds_core.framework.data import Arrays, Data
from reds_core.framework.file_kinds import FLOAT32_BYTES, FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource, FullExport, Target
from reds_core.framework.task import Task
from reds_core.knapsack.levels import UNTOUCHED, Dimension, LevelSettings
from reds_core.network.description import Network
from reds_core.plan import Accuracy
from reds_core.report.facts import Metric, metric_of
from reds_core.report.units import byte_size
from reds_core.runs.file_names import full_device_file, full_file, member_files
from reds_core.runs.targets import RunTargets

CALIBRATION_EXAMPLES = 200
INT8_LOSS_POINTS = 2.0
"""The loss of accuracy from the float32 file to the int8 file, in points, above which there is a warning."""
INT8_CHANGE = 0.05
"""The relative difference in another metric between the int8 and float32 files above which there is a warning."""


@dataclass(frozen=True)
class FullFiles:
    """The files of the full network.

    Attributes:
        accuracy: The accuracy of its model file on test data; None without test data.
        exported: The accuracy of each file for a device, by kind.
        files: The names of these files by kind.
        shared: What members can share of them, by kind.
    """

    accuracy: float | None = None
    exported: Mapping[str, float | None] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, FullExport] = field(default_factory=dict)


@dataclass(frozen=True)
class Exporter:
    """Writes models to the folder of a run.

    Attributes:
        targets: The framework of the models, and the targets that write, read and count their files.
        folder: The folder of the run.
        task: How outputs are compared with labels.
        calibration: Training data from which examples to calibrate files are taken; None omits files that need them.
        test: Test data for the final figures, or None.
        warn: Called with warnings about files that the format of the device cannot express, and about int8 files that
            are worse than float32.
        latency: How files are timed; None does not time them.
    """

    targets: RunTargets
    folder: Path
    task: Task
    calibration: Arrays | None
    test: Data | None
    warn: Callable[[str], None]
    latency: LatencySettings | None = None

    @property
    def framework(self) -> Framework:
        """The framework of the models."""
        return self.targets.framework

    def measured_latency_ns(self, files: Mapping[str, str | None]) -> float | None:
        """The latency on this machine of the exported file that the latency settings apply to, in ns.

        None if there are no latency settings or no such file.
        """
        if self.latency is None:
            return None
        for target in self.targets.targets:
            if target.file.element_size_bytes == self.latency.element_size_bytes:
                name, probe = files.get(self.targets.kind(target).name), target.probe(self.framework, self.latency)
                if name is not None and probe is not None:
                    return probe.exported((self.folder / name).read_bytes()).ns
        return None

    def accuracy(self, model: Any) -> float | None:
        """The accuracy of a model on test data; None without test data."""
        return None if self.test is None else self.framework.accuracy(model, self.test, self.task)

    def save_full(self, model: Any) -> FullFiles:
        """Write the files of the full network: the model, and the int8 files with the weights that members share."""
        path = self.folder / full_file(self.framework.file)
        self.framework.save_model(model, path)
        accuracy = None if self.test is None else self.accuracy(self.framework.load_model(path))
        shared = {} if self.calibration is None else self._export_full(model)
        exported = {
            kind.name: None if self.test is None else self._exported_accuracy(target, shared[kind.name].path)
            for target, kind in self._int8_targets
            if kind.name in shared
        }
        return FullFiles(accuracy, exported, {kind: each.path.name for kind, each in shared.items()}, shared)

    def shared_files(self, model: Any, files: Mapping[str, str]) -> Mapping[str, FullExport]:
        """Return what members can share of the files of the full network that an earlier run wrote.

        Args:
            model: The model of the full network.
            files: The names of its files for devices by kind. Those that are missing in the folder are left out.
        """
        kinds = [kind.name for _, kind in self._int8_targets if kind.name in files]
        paths = {kind: self.folder / Path(files[kind]).name for kind in kinds}
        found = {kind: path for kind, path in paths.items() if path.is_file()}
        if not found:
            return {}
        source = ExportSource(self.framework, model, self.framework.inspect(model))
        return {kind: FullExport(source, path) for kind, path in found.items()}

    @property
    def _int8_targets(self) -> list[tuple[Target, FileKind]]:
        kinds = ((target, self.targets.kind(target)) for target in self.targets.targets)
        return [(target, kind) for target, kind in kinds if kind.is_int8]

    def _export_full(self, model: Any) -> dict[str, FullExport]:
        """Write the int8 files of the full network, apart from those that cannot express it."""
        shared: dict[str, FullExport] = {}
        if not self._int8_targets:
            return shared
        source = ExportSource(self.framework, model, self.framework.inspect(model), calibration=self._examples)
        for target, kind in self._int8_targets:
            path = self.folder / full_device_file(kind)
            try:
                target.export(source, path)
            except UnsupportedError:  # the warnings about the members say why
                path.unlink(missing_ok=True)
                continue
            shared[kind.name] = FullExport(source, path)
        return shared

    @property
    def _examples(self) -> Arrays | None:
        """The examples on which files are calibrated."""
        return None if self.calibration is None else calibration_examples(self.calibration)

    def save_member(
        self,
        model: Any,
        name: str,
        before: float | None,
        settings: LevelSettings = UNTOUCHED,
        usage: Mapping[str, int] | None = None,
        changed: LevelSettings = UNTOUCHED,
        shared: Mapping[str, FullExport] | None = None,
        capacities: Mapping[str, int] | None = None,
    ) -> tuple[Mapping[str, str | None], Accuracy]:
        """Write the files of one subnetwork.

        Files that the format of a device cannot express are left out with a warning, so that a trained network is not
        lost. If the framework's default targets are asked, those that follow such a file are not tried.

        Args:
            model: The model of the subnetwork.
            name: The name of the subnetwork.
            before: Its accuracy without fine-tuning.
            settings: The levels of its layers besides widths.
            usage: What the subnetwork uses by its plan, in base units of each resource.
            changed: Those of the levels that do not leave a layer as it is.
            shared: The files of the full network whose integer weights the subnetwork shares, by kind. None gives it
                weights of its own.
            capacities: What its budget allows, in base units of each resource.

        Returns:
            The names of the files by kind, None for kinds that were not written, and their accuracies.
        """
        kinds = self.targets.kinds
        paths = {kind: self.folder / file for kind, file in zip(kinds.all, member_files(kinds, name), strict=True)}
        self.framework.save_model(model, paths[kinds.model])
        written = self._export(model, settings, paths, shared or {})
        for kind in kinds.exported:
            if kind not in written:
                paths[kind].unlink(missing_ok=True)
        for kind, (target, network) in written.items():
            refused = self.targets.refused(target, network, changed)
            if not refused and usage is not None:
                for warning in usage_warnings(paths[kind].name, target.usage(paths[kind]), usage, capacities or {}):
                    self.warn(warning)
            # files in float32 have none of them, as everybody expects
            if 0 < len(refused) < len(list(changed.chosen())):
                self.warn(_refused_text(paths[kind].name, refused))
        accuracy = self._accuracies(before, paths, written)
        self._warn_of_int8(paths, written, accuracy)
        return {k.name: path.name if k in (kinds.model, *written) else None for k, path in paths.items()}, accuracy

    def _export(
        self, model: Any, settings: LevelSettings, paths: Mapping[FileKind, Path], shared: Mapping[str, FullExport]
    ) -> dict[FileKind, tuple[Target, Network]]:
        """Write the files for devices. Returns the target of each kind written, and the description of the model."""
        examples = self._examples
        written: dict[FileKind, tuple[Target, Network]] = {}
        if not self.targets.targets:
            return written
        network = self.framework.inspect(model)
        exact = ExportSource(self.framework, model, network, settings)
        for target in self.targets.targets:
            kind = self.targets.kind(target)
            if kind.is_calibrated and examples is None:
                continue
            calibration = examples if kind.is_calibrated else None
            warn = partial(self._warn_of, paths[kind])
            source = replace(exact, calibration=calibration, full=shared.get(kind.name), warn=warn)
            try:
                target.export(source, paths[kind])
            except UnsupportedError as error:
                model_file = paths[self.targets.kinds.model].name
                self.warn(f"'{paths[kind].name}' is left out, '{model_file}' is written: {error.what}")
                if self.targets.is_default:
                    break
                continue
            written[kind] = (target, network)
        return written

    def _warn_of(self, path: Path, text: str) -> None:
        self.warn(f"'{path.name}' {text}")

    def _accuracies(
        self, before: float | None, paths: Mapping[FileKind, Path], written: Mapping[FileKind, tuple[Target, Network]]
    ) -> Accuracy:
        exported = dict[str, float | None]()
        for target in self.targets.targets:
            kind = self.targets.kind(target)
            is_measured = self.test is not None and kind in written
            exported[kind.name] = self._exported_accuracy(target, paths[kind]) if is_measured else None
        model_file = paths[self.targets.kinds.model]
        after = None if self.test is None else self.accuracy(self.framework.load_model(model_file))
        return Accuracy(before, after, exported)

    def _exported_accuracy(self, target: Target, path: Path) -> float:
        assert self.test is not None
        return target.load(self.framework, path).evaluate(self.test, self.task).metric

    def _warn_of_int8(self, paths: Mapping[FileKind, Path], written: Iterable[FileKind], accuracy: Accuracy) -> None:
        """Warn of int8 files that are worse than the float32 file, or than the model's own file without one."""
        exact = self.targets.kinds.exported_with(FLOAT32_BYTES)
        figure = accuracy.after
        if exact is None or exact not in written:
            exact = self.targets.kinds.model
        else:
            figure = accuracy.exported[exact.name]
        for kind in written:
            if kind.is_int8:
                figures = figure, accuracy.exported[kind.name]
                metric = metric_of({"metric": self.task.described().metric})
                for warning in int8_warnings(paths[exact], paths[kind], *figures, metric):
                    self.warn(warning)


def usage_warnings(
    name: str, counted: Mapping[str, int], planned: Mapping[str, int], capacities: Mapping[str, int]
) -> list[str]:
    """Compare what a file uses, counted from the file alone, with what the plan states.

    A file uses more than was planned if its converter stores a layer in a form that descriptions of networks do not
    know, such as a recurrent layer step by step. The network is trained by then, so that this is not an error, even if
    the file exceeds the budget. A file may use a few bytes less, such as for a batch norm of a single channel.

    Args:
        name: The name of the file.
        counted: What the file uses of each resource that its target counts.
        planned: What the plan states. Resources that it does not state are not compared.
        capacities: What the budget allows of each resource that it limits.

    Returns:
        One sentence for each resource of which the file uses more.
    """
    warnings = []
    for resource, used in counted.items():
        if used <= planned.get(resource, used):
            continue
        excess = used - capacities.get(resource, used)
        above = f", which is {excess} above the budget," if excess > 0 else ""
        is_peak = resource in RESOURCES and RESOURCES[resource].steps is not None
        scratch = "needs scratch memory for a layer or " if is_peak else ""
        warnings.append(
            f"'{name}' uses {used} {resource}{above} where {planned[resource]} are planned, because it {scratch}stores "
            "a layer in another form than is counted"
        )
    return warnings


def _refused_text(name: str, refused: Mapping[Dimension, str]) -> str:
    """A warning that a file does not have all levels of the plan, because only another target realises them."""
    reasons: dict[str, list[str]] = {}
    for dimension, reason in refused.items():
        reasons.setdefault(reason, []).append(dimension.site)
    texts = (
        f"{sites[0]}{f' and {len(sites) - 1} more' if len(sites) > 1 else ''}: {reason}"
        for reason, sites in reasons.items()
    )
    return (
        f"'{name}' does not have all levels of the plan, so it may use more than the plan states ({'; '.join(texts)})"
    )


def int8_warnings(float32: Path, int8: Path, exact: float | None, found: float | None, metric: Metric) -> list[str]:
    """Sentences that warn of an int8 file that is worse than the float32 file of the same subnetwork.

    There is a warning if the int8 file loses more than two points of accuracy, if another metric differs by more than a
    twentieth (in either direction, since it is not known whether more is better), or if the int8 file is larger.

    Args:
        float32: The float32 file.
        int8: The int8 file.
        exact: The metric of the float32 file on test data; None if it was not measured.
        found: The metric of the int8 file on test data; None if it was not measured.
        metric: What is measured.
    """
    warnings = []
    if exact is not None and found is not None and math.isfinite(exact):
        figures = f"{metric.name} {metric.text(found)} on test data where '{float32.name}' has {metric.text(exact)}"
        if metric.is_share and not 100 * (exact - found) <= INT8_LOSS_POINTS + 1e-9:
            warnings.append(f"'{int8.name}' loses {100 * (exact - found):.1f} points to int8: {figures}")
        elif not metric.is_share and not abs(found - exact) <= INT8_CHANGE * abs(exact):
            warnings.append(f"'{int8.name}' is far from float32: {figures}")
    sizes = [path.stat().st_size for path in (int8, float32)]
    if sizes[0] > sizes[1]:
        warnings.append(
            f"'{int8.name}' is larger than the float32 file '{float32.name}': {byte_size(sizes[0])} where that has "
            f"{byte_size(sizes[1])}; {argument('int8', False)} leaves int8 files out"
        )
    return warnings


def calibration_examples(data: Arrays) -> Arrays:
    """Return the training examples on which files are calibrated."""
    return _spread(data, CALIBRATION_EXAMPLES)


def _spread(data: Arrays, count: int) -> Arrays:
    """At most `count` evenly spaced examples, since data is often sorted by class."""
    return data.take(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))
