"""Export of a finished family to files. Accuracies are measured on the files themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.class_counts import ClassCounts, ModelFigures
from reds_core.framework.data import Arrays, Data
from reds_core.framework.file_kinds import FLOAT32_BYTES, FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource, FullExport, Target
from reds_core.framework.task import Task
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network
from reds_core.plan import Accuracy, DeviceRecord, FullAccuracy, FullRecord, SubnetworkRecord
from reds_core.report.facts import metric_of
from reds_core.runs.device_figures import DeviceMeasurement
from reds_core.runs.export_warnings import int8_warnings, refused_warning, usage_warnings
from reds_core.runs.file_names import full_device_file, full_file, member_files
from reds_core.runs.int8_gate import Int8Gate, gated
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.recounting import Recount
from reds_core.runs.targets import RunTargets
from reds_core.search_records import GateRecord


@dataclass(frozen=True)
class FullFiles:
    """The files of the full network.

    Attributes:
        accuracy: The accuracy of its model file on test data; None without test data.
        exported: The accuracy of each file for a device, by kind.
        files: The names of these files by kind.
        shared: What members can share of them, by kind.
        devices: What devices that join runs make of them, by the name of the device.
        classes: How many test examples of each class its model file recognises; None if that is not counted.
    """

    accuracy: float | None = None
    exported: Mapping[str, float | None] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, FullExport] = field(default_factory=dict)
    devices: Mapping[str, DeviceRecord] = field(default_factory=dict)
    classes: ClassCounts | None = None

    def record(self, usage: Mapping[str, int], before: float | None) -> FullRecord:
        """Return the record of the full network in the plan.

        Args:
            usage: What it uses of each resource, in base units.
            before: The accuracy of the input model on test data; None without test data.
        """
        return FullRecord(usage, FullAccuracy(before, self.accuracy, self.exported), self.files, self.devices)


@dataclass(frozen=True)
class MemberFiles:
    """The files of a subnetwork, and what was measured on them.

    Attributes:
        files: Their names by kind; None for kinds that were not written.
        accuracy: The accuracy of each on test data.
        devices: What devices that join runs make of them, by the name of the device.
        latency_measured_ns: The latency of the exported file on this machine, in ns; None if it was not measured.
        gates: What its int8 files lose if that is limited, by kind.
        classes: How many test examples of each class its model file recognises; None if that is not counted.
    """

    files: Mapping[str, str | None]
    accuracy: Accuracy
    devices: Mapping[str, DeviceRecord]
    latency_measured_ns: float | None
    gates: Mapping[str, GateRecord] = field(default_factory=dict)
    classes: ClassCounts | None = None

    def added_to(self, record: SubnetworkRecord) -> SubnetworkRecord:
        """Return the record of the subnetwork with its files and their figures."""
        return replace(
            record,
            accuracy=self.accuracy,
            files=self.files,
            devices=self.devices,
            latency_measured_ns=self.latency_measured_ns,
            gates=self.gates,
        )


@dataclass(frozen=True)
class Exporter:
    """Writes models to the folder of a run.

    Attributes:
        targets: The framework of the models, and the targets that write, read and count their files.
        folder: The folder of the run.
        task: How outputs are compared with labels.
        measurement: Measures files on the devices that join runs.
        calibration: The examples on which files are calibrated; None omits files that need them.
        test: Test data for the final figures, or None.
        warn: Called with warnings about files that the format of the device cannot express, and about int8 files that
            are worse than float32.
        latency: How files are timed; None does not time them.
        gate: Limits what int8 files of members lose; None does not limit it.
        recount: Counts files on the device of the run's table; None without such a table.
    """

    targets: RunTargets
    folder: Path
    task: Task
    measurement: DeviceMeasurement
    calibration: Arrays | None
    test: Data | None
    warn: Callable[[str], None]
    latency: LatencySettings | None = None
    gate: Int8Gate | None = None
    recount: Recount | None = None

    @property
    def framework(self) -> Framework:
        """The framework of the models."""
        return self.targets.framework

    def _measured_latency_ns(self, files: Mapping[str, str | None]) -> float | None:
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

    def _recounted(
        self,
        files: Mapping[str, str | None] | Mapping[str, str],
        usage: Mapping[str, int],
        capacities: Mapping[str, int],
    ) -> Mapping[str, DeviceRecord]:
        """What the device of the run's table counts for the files of one network, by its name."""
        return {} if self.recount is None else self.recount.records(files, usage, capacities)

    def accuracy(self, model: Any) -> float | None:
        """The accuracy of a model on test data; None without test data."""
        return None if self.test is None else self.framework.accuracy(model, self.test, self.task)

    def figures(self, model: Any) -> ModelFigures | None:
        """The accuracy of a model on test data, with counts of each class; None without test data."""
        return None if self.test is None else self.framework.figures(model, self.test, self.task)

    def save_full(self, model: Any, usage: Mapping[str, int]) -> FullFiles:
        """Write the files of the full network: the model, and those with the integer weights that members share.

        Args:
            model: The model of the full network.
            usage: What it uses of each resource, in base units.
        """
        path = self.folder / full_file(self.framework.file)
        self.framework.save_model(model, path)
        figures = self._figures_of_file(path)
        accuracy = None if figures is None else figures.metric
        shared = {} if self.calibration is None else self._export_full(model)
        exported: Mapping[str, float | None] = {
            kind.name: None if self.test is None else self._exported_accuracy(target, shared[kind.name].path)
            for target, kind in self._calibrated_targets
            if kind.name in shared
        }
        files = {kind: each.path.name for kind, each in shared.items()}
        for _, kind in self._calibrated_targets:
            if kind.is_int8 and kind.name in shared:
                self._warn_of_loss(path, accuracy, shared[kind.name].path, exported[kind.name])
        exported, devices = self.measurement.measured(files, exported)
        devices = {**devices, **self._recounted(files, usage, {})}
        return FullFiles(accuracy, exported, files, shared, devices, None if figures is None else figures.classes)

    def _figures_of_file(self, path: Path) -> ModelFigures | None:
        """The figures of a model file; None without test data."""
        return None if self.test is None else self.figures(self.framework.load_model(path))

    def shared_files(self, model: Any, files: Mapping[str, str]) -> Mapping[str, FullExport]:
        """Return what members can share of the files of the full network that an earlier run wrote.

        Args:
            model: The model of the full network.
            files: The names of its files for devices by kind. Those that are missing in the folder are left out.
        """
        kinds = [kind.name for _, kind in self._calibrated_targets if kind.name in files]
        paths = {kind: self.folder / Path(files[kind]).name for kind in kinds}
        found = {kind: path for kind, path in paths.items() if path.is_file()}
        if not found:
            return {}
        source = ExportSource(self.framework, model, self.framework.inspect(model))
        return {kind: FullExport(source, path) for kind, path in found.items()}

    @property
    def _calibrated_targets(self) -> list[tuple[Target, FileKind]]:
        kinds = ((target, self.targets.kind(target)) for target in self.targets.targets)
        return [(target, kind) for target, kind in kinds if kind.is_calibrated]

    def _export_full(self, model: Any) -> dict[str, FullExport]:
        """Write the calibrated files of the full network, apart from those that cannot express it."""
        shared: dict[str, FullExport] = {}
        if not self._calibrated_targets:
            return shared
        source = ExportSource(self.framework, model, self.framework.inspect(model), calibration=self.calibration)
        for target, kind in self._calibrated_targets:
            path = self.folder / full_device_file(kind)
            try:
                target.export(source, path)
            except UnsupportedError:  # the warnings about the members say why
                path.unlink(missing_ok=True)
                continue
            shared[kind.name] = FullExport(source, path)
        return shared

    def save_member(
        self, model: Any, member: PlannedMember, before: float | None, shared: Mapping[str, FullExport]
    ) -> MemberFiles:
        """Write the files of one subnetwork and measure them.

        Files that the format of a device cannot express are left out with a warning, so that a trained network is not
        lost. If the framework's default targets are used, those that follow such a file are not tried.

        Args:
            model: The model of the subnetwork.
            member: What was decided of it.
            before: Its accuracy without fine-tuning.
            shared: The files of the full network whose integer weights the subnetwork shares, by kind. Without any it
                has weights of its own.
        """
        if shared and member.replaces_layers:
            shared = {}
            self.warn(
                f"the integer weights of subnetwork '{member.name}' are its own, since it has other layers in place of "
                "some of those of the full network"
            )
        kinds = self.targets.kinds
        names = member_files(kinds, member.name)
        paths = {kind: self.folder / file for kind, file in zip(kinds.all, names, strict=True)}
        self.framework.save_model(model, paths[kinds.model])
        gates: dict[str, GateRecord] = {}
        written = self._export(model, member.settings_of_files, paths, shared, gates)
        for kind in kinds.exported:
            if kind not in written:
                paths[kind].unlink(missing_ok=True)
        for kind, (target, network) in written.items():
            self._warn_of_plan(paths[kind], target, network, member)
        figures = self._figures_of_file(paths[kinds.model])
        after = None if figures is None else figures.metric
        accuracy = Accuracy(before, after, self._exported_accuracies(paths, written))
        self._warn_of_int8(paths, written, accuracy)
        files = {k.name: path.name if k in (kinds.model, *written) else None for k, path in paths.items()}
        exported, devices = self.measurement.measured(files, accuracy.exported)
        devices = {**devices, **self._recounted(files, member.usage, member.capacities)}
        accuracy = replace(accuracy, exported=exported)
        classes = None if figures is None else figures.classes
        return MemberFiles(files, accuracy, devices, self._measured_latency_ns(files), gates, classes)

    def _warn_of_plan(self, path: Path, target: Target, network: Network, member: PlannedMember) -> None:
        """Warn of a file that uses more than the plan states."""
        changed = member.levels.settings_of_files(member.changed)
        refused = self.targets.refused(target, network, changed)
        if not refused:
            for warning in usage_warnings(path.name, target.usage(path), member.usage, member.capacities):
                self.warn(warning)
        # files of other numbers, such as float32, have no levels at all, as is expected
        elif target.file.is_int8 or len(refused) < len(list(changed.chosen())):
            self.warn(refused_warning(path.name, refused))

    def _export(
        self,
        model: Any,
        settings: LevelSettings,
        paths: Mapping[FileKind, Path],
        shared: Mapping[str, FullExport],
        gates: dict[str, GateRecord],
    ) -> dict[FileKind, tuple[Target, Network]]:
        """Write the files for devices. Returns the target of each kind written, and the description of the model.

        Args:
            model: The model of a member.
            settings: The levels of its layers.
            paths: The path of each file.
            shared: The files of the full network that its files can share.
            gates: Receives what int8 files lose, by kind.
        """
        examples = self.calibration
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
            found = gated(self.gate, target, source, paths[kind])
            gates |= {} if found is None else {kind.name: found}
        return written

    def _warn_of(self, path: Path, text: str) -> None:
        self.warn(f"'{path.name}' {text}")

    def _exported_accuracies(
        self, paths: Mapping[FileKind, Path], written: Mapping[FileKind, tuple[Target, Network]]
    ) -> dict[str, float | None]:
        exported = dict[str, float | None]()
        for target in self.targets.targets:
            kind = self.targets.kind(target)
            is_measured = self.test is not None and kind in written
            exported[kind.name] = self._exported_accuracy(target, paths[kind]) if is_measured else None
        return exported

    def _exported_accuracy(self, target: Target, path: Path) -> float | None:
        """Return the accuracy of a file; None, with a warning, if it cannot be run: the network is trained by then."""
        assert self.test is not None
        try:
            file = target.load(self.framework, path)
        except (InputError, UnsupportedError) as error:
            self.warn(f"'{path.name}' is written, but its accuracy is not measured: {error.what}")
            return None
        return file.evaluate(self.test, self.task).metric

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
                self._warn_of_loss(paths[exact], figure, paths[kind], accuracy.exported[kind.name])

    def _warn_of_loss(self, float32: Path, exact: float | None, int8: Path, found: float | None) -> None:
        """Warn of an int8 file that is worse than a float32 file, given the metric of each on test data."""
        metric = metric_of({"metric": self.task.described().metric})
        for warning in int8_warnings(float32, int8, exact, found, metric):
            self.warn(warning)
