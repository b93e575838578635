"""Measures a model file, or a file for a device, on test data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.cost import counting, resources
from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.framework.data import Data
from reds_core.framework.device import Device
from reds_core.framework.exported import ExportedModel
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.loaded_model import LoadedModel
from reds_core.framework.target import Target
from reds_core.framework.task import Task, TaskKind
from reds_core.network.description import Network
from reds_core.plan import PLAN_FILE, load_plan
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.report import units
from reds_core.report.facts import metric_of
from reds_core.runs.data_warnings import evaluation_warnings
from reds_core.runs.dataset import Dataset, Reading, read_data
from reds_core.runs.finished_family import settings_of
from reds_core.runs.forms import DataObject, Imports
from reds_core.runs.given_data import Splits, given_data
from reds_core.runs.input_model import input_model, is_labelled_run
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.labelling import labelled
from reds_core.runs.options import converted
from reds_core.runs.participants import FRAMEWORKS, TARGETS, check_options
from reds_core.system.files import given_path
from reds_core.system.records import INLINE, LEFT_OUT
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher

_BATCH_SIZE = 32
"""Size of the batches of streams."""


@dataclass(frozen=True)
class ModelEvaluation:
    """What a model reaches on test data, and what it costs.

    Attributes:
        model: The path of the file, or the name of the model object.
        format: The displayed name of the file format.
        size_bytes: The size of the file; None for a model object.
        examples: The number of test examples.
        metric: The name of the metric.
        value: Its value: for accuracy, from 0 to 1.
        loss: The mean loss.
        usage: The use of each resource in base units. For a file for a device, it is that of its plan; empty if the
            file does not lie in the folder of a run.
        on: The name of the target that ran the file; None for the one that wrote it, or a model.
    """

    model: str
    format: str
    size_bytes: int | None
    examples: int
    metric: str
    value: float
    loss: float
    usage: Mapping[str, int] = field(metadata={INLINE: True})
    on: str | None = field(default=None, metadata={LEFT_OUT: True})

    def __str__(self) -> str:
        rows = [(self.metric, metric_of({"metric": self.metric}).text(self.value)), ("loss", f"{self.loss:.4g}")]
        if self.on is not None:
            rows.append(("run by", self.on))
        rows.append(("examples", f"{self.examples:,}"))
        if self.size_bytes is not None:
            rows.append(("file size", f"{units.byte_size(self.size_bytes)} ({self.format})"))
        rows += [(units.resource_noun(name), units.amount(name, used)) for name, used in self.usage.items()]
        indent = max(len(name) for name, _ in rows)
        return "\n".join(units.on_terminal(f"{name:<{indent}}  {text}") for name, text in rows)


def evaluate(
    model: Any,
    data: str | PathLike[str] | Dataset | DataObject,
    *,
    on: str | None = None,
    task: TaskKind | str | None = None,
    teacher: Any | None = None,
    loss: Any | None = None,
    metric: Any | None = None,
    element_size: int = counting.DEFAULT_ELEMENT_SIZE_BYTES,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    seed: int = 0,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> ModelEvaluation:
    """Measure a model on test data, and count what it costs.

    This is what `reds evaluate` does. Files for devices, also int8 ones, are run by the interpreter of the device, one
    example at a time, without the model that they were exported from.

    Args:
        model: The path of a model file or of a file for a device, or a model object of an installed framework.
        data: The data as `prune` takes it, of which the test data is used; from Python also test data alone, such as
            `(x_test, y_test)`.
        on: The name of a target that runs the file in place of the one that wrote it, since runtimes round in different
            ways.
        task: What outputs are compared with, as `prune` takes it. None means that of the run in whose folder the file
            lies, or else the labels of the data.
        teacher: The model with whose outputs those of an embedding are compared: the path of a model file, or a model
            object. None means the input model of the run in whose folder the file lies.
        loss: The loss. None means that of the task, which for labels is the crossentropy that fits them and the last
            activation.
        metric: The metric. None means that of the task, which for labels is accuracy.
        element_size: How many bytes a weight or an activation takes on the device: 1 (int8) or 4 (float32).
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        seed: The seed of the split into training and test data, if a folder of images has no such split.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: warnings.

    Returns:
        A `ModelEvaluation` with the attributes `value`, `loss`, `examples`, `size_bytes` and `usage`.

    Raises:
        InputError: If the file or the data cannot be read, or they do not fit each other.
        UnsupportedError: If the framework cannot load or run the file.
        UnavailableError: If a library is not installed.

    Example:
        >>> found = reds_core.evaluate("slim/subnet-50-int8.tflite", "data.npz")
        >>> found.value, found.loss, found.size_bytes
    """
    counting.check_element_size(element_size)
    registry = given_registry(registry)
    options = with_input_shape(options, input_shape, model, registry)
    devices = () if on is None else ((Device, on),)
    check_options(registry, options, (FRAMEWORKS, TARGETS, *devices))
    run = _run_of(model)
    aim = _task_of(task, loss, metric, run)
    if teacher is not None and aim.kind is not TaskKind.EMBEDDING:
        what = f"{argument('teacher')} is given, but outputs are not compared with those of a teacher"
        raise InputError(what, f"leave it out, or give {argument('task', 'embedding')}")
    source = given_data(data, aim.is_labelled)
    if source is None:
        raise InputError("no data is given", "give test data, such as the path of an .npz file")
    with following(verbose, watcher) as followed:
        if not isinstance(model, str | PathLike):
            if on is not None:
                what = f"{argument('on')} is given, but a model object is not a file for a device"
                raise InputError(what, "give the path of a file, or leave it out")
            framework = registry.framework_of(model, options, import_names(imports))
            subject = _Subject(framework, model, str(getattr(model, "name", "model")), None, framework.file)
            subject = subject.taught(teacher, aim, run)
            return subject.evaluated(source, aim, element_size, seed, followed)
        path, framework = given_path(model, "model"), registry.default_framework(options, import_names(imports))
        name = target_of(path, framework, registry)
        if on is not None:
            device, kind = registry.create(Device, on, options), framework.file
            if name is not None:
                kind = registry.targets_of(framework)[name].file
            subject = _Subject(framework, device.load(framework, path), str(path), path, kind, on)
        elif name is None:
            subject = _Subject(framework, framework.load_model(path), str(path), path, framework.file)
        else:
            target = registry.create(Target, name, options)
            subject = _Subject(framework, target.load(framework, path), str(path), path, target.file)
        subject = subject.taught(teacher, aim, run)
        return subject.evaluated(source, aim, element_size, seed, followed)


def _run_of(model: Any) -> Path | None:
    """The folder of the finished run in which a file lies; None if there is none."""
    folder = Path(model).parent if isinstance(model, str | PathLike) else None
    return folder if folder is not None and (folder / PLAN_FILE).exists() else None


def _task_of(kind: TaskKind | str | None, loss: Any | None, metric: Any | None, run: Path | None) -> Task:
    """The task that is asked for, or that of a run without labels if nothing is asked for."""
    if kind is not None:
        return Task(loss, metric, kind=converted("task", kind, TaskKind))
    if run is None or is_labelled_run(run):
        return Task(loss, metric)
    own = settings_of(load_plan(run), run).task
    return replace(own, loss=own.loss if loss is None else loss, metric=own.metric if metric is None else metric)


def target_of(path: Path, framework: Framework, registry: Registry) -> str | None:
    """The name of the target of a file, by the longest end of its name that fits; None for a model file."""
    fitting = [t for t in registry.targets_of(framework).values() if path.name.endswith(t.file.suffix)]
    found = max(fitting, key=lambda target: len(target.file.suffix), default=None)
    return None if found is None else found.name


@dataclass(frozen=True)
class _Subject:
    """What is measured.

    Attributes:
        framework: Reads and runs it.
        model: A model object, or an exported file.
        name: Its name.
        path: Its file; None for a model object.
        kind: The kind of the file.
        on: The name of the target that runs it if it is not the one that wrote it.
        teacher: The model with whose outputs those of an embedding are compared, or None.
    """

    framework: Framework
    model: Any
    name: str
    path: Path | None
    kind: FileKind
    on: str | None = None
    teacher: Any | None = None

    def taught(self, teacher: Any | None, task: Task, run: Path | None) -> _Subject:
        """The same with its teacher, if the task is an embedding.

        Args:
            teacher: The path of a model file, a model object, or None for the input model of the run.
            task: The task.
            run: The folder of the run in which the file lies, or None.

        Raises:
            InputError: If there is no teacher.
        """
        if task.kind is not TaskKind.EMBEDDING:
            return self
        if isinstance(teacher, str | PathLike):
            teacher = self.framework.load_model(given_path(teacher, "teacher"))
        elif teacher is None:
            if run is None:
                raise InputError(
                    "an embedding is compared with the outputs of a teacher, but there is no run that has one",
                    f"give {argument('teacher')}, such as the model before it was pruned",
                )
            fix = f"put it back, or say with {argument('teacher')} where it is now"
            teacher = input_model(run, load_plan(run), self.framework, fix)
        return replace(self, teacher=teacher)

    def evaluated(
        self, source: str | Dataset | Splits, task: Task, element_size_bytes: int, seed: int, watcher: Watcher
    ) -> ModelEvaluation:
        data = self._test_data(source, seed, task)
        data = labelled(self.framework, self.teacher, data, task, "test data")
        usage: Mapping[str, int]
        if isinstance(self.model, ExportedModel):
            figures = self.model.evaluate(self.model.check_data(data, "test data"), task)
            usage = self._planned_usage()
        else:
            data = self.framework.check_data(self.model, data, task, "test data")
            network = self._network(watcher)
            found = evaluation_warnings(self.framework, self.model, network, data, labelled=task.is_labelled)
            for warning in found:
                watcher.warn(warning)
            figures = LoadedModel(self.framework, self.model).evaluate(data, task)
            costs = resources.CostModel(element_size_bytes)
            usage = {} if network is None else resources.usage(network, network.channels, costs)
        return ModelEvaluation(
            model=self.name,
            format=self.kind.format,
            size_bytes=None if self.path is None else self.path.stat().st_size,
            examples=figures.examples,
            metric=str(task.described().metric or metric_of(None).name),
            value=figures.metric,
            loss=figures.loss,
            usage=usage,
            on=self.on,
        )

    def _test_data(self, source: str | Dataset | Splits, seed: int, task: Task) -> Data:
        """The test data, or all data if an object in Python has one part only."""
        is_file = isinstance(self.model, ExportedModel)
        model = None if is_file else self.model
        reading = Reading(self.framework, model, _BATCH_SIZE, seed, labelled=task.is_labelled)
        if isinstance(source, str):
            dataset = read_data(source, reading, self.model.input_shape if is_file else None)
            if dataset.test is None:
                raise InputError(f"data '{source}' has no test data", "give data with x_test and y_test")
            return dataset.test
        if isinstance(source, Splits):
            return reading.part(source.train if source.test is None else source.test, "test data")
        return source.train if source.test is None else source.test

    def _network(self, watcher: Watcher) -> Network | None:
        """The description of the model; None with a warning if there is none."""
        try:
            return self.framework.inspect(self.model)
        except UnsupportedError as error:
            watcher.warn(f"the costs of the model cannot be counted: {error}")
            return None

    def _planned_usage(self) -> Mapping[str, int]:
        """The usage that the plan beside the file states for the subnetwork that it belongs to; empty without one."""
        if self.path is None or not (self.path.parent / PLAN_FILE).exists():
            return {}
        for record in load_plan(self.path.parent).subnetworks:
            if self.path.name in record.files.values():
                return record.usage
        return {}
