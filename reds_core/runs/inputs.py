"""Reads and checks the inputs of a run: the model, its description and the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reds_core.cost.resources import CostModel
from reds_core.cost.tables import CostTable, notes_of
from reds_core.errors import InputError, argument
from reds_core.formulation.skipping import with_skipping
from reds_core.formulation.space import DecisionSpace
from reds_core.formulation.statement import Statement
from reds_core.framework.data import SAMPLE_EXAMPLES, Arrays, Data, Stream, columns, sampled
from reds_core.framework.file_kinds import FileKinds
from reds_core.framework.framework import Framework
from reds_core.framework.training import Training
from reds_core.network.description import Network
from reds_core.plan import Hashes
from reds_core.runs.calibration import Calibration, calibration_of
from reds_core.runs.checkpoint import remove_epochs
from reds_core.runs.class_weights import ClassWeights
from reds_core.runs.dataset import Dataset, Reading
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.exit_parts import refuse_exits, with_exit_parts
from reds_core.runs.folder import RunFolder, RunRecord
from reds_core.runs.given_data import read_given
from reds_core.runs.image_stream import ImageStream
from reds_core.runs.inspection import refuse_unprunable
from reds_core.runs.labelling import labelled, require_labels
from reds_core.runs.offered_levels import check_choices
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.runs.request import RunRequest
from reds_core.runs.settings import RunSettings
from reds_core.runs.skipping import check_skippable
from reds_core.runs.splitting import split_validation
from reds_core.watcher import Watcher

_BASELINE = "baseline"
"""The name under which the epochs of the baseline of a run without a model are saved."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run, read and checked.

    Attributes:
        framework: Read the model.
        model: The input model.
        statement: Its description, how its resources are counted, and which widths are options.
        train: The training data without the part that is held back; None without data.
        validation: The part that is held back, or the validation data that is given; None if there is neither.
        test: The test data, used only for the final accuracies; None if there is none.
        latencies: The latency table; None if there is none.
        hashes: Hashes of the model, the data, the latency table and the calibration data.
        passes: The number of epochs for which the baseline was trained on the data; 0 if the model is given.
        calibration: The examples on which files are calibrated.
    """

    framework: Framework
    model: Any
    statement: Statement
    train: Data | None
    validation: Data | None
    test: Data | None
    latencies: CostTable | None
    hashes: Hashes
    passes: int = 0
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def network(self) -> Network:
        """The description of the input model."""
        return self.statement.network

    @property
    def costs(self) -> CostModel:
        """How the resources of the network are counted."""
        return self.statement.costs

    @property
    def examples(self) -> Arrays | None:
        """Training examples in memory, for scores: all, or the sample that a stream keeps."""
        return None if self.train is None else examples_in_memory(self.train)


def examples_in_memory(data: Data) -> Arrays:
    """All examples that are in memory: the arrays themselves, or the sample that a stream keeps."""
    return sampled(data, SAMPLE_EXAMPLES, 0) if isinstance(data, Stream) else data


def split_parts(
    framework: Framework,
    model: Any,
    dataset: Dataset,
    settings: RunSettings,
    *,
    teacher: Any | None = None,
    in_place: bool = False,
) -> tuple[Data, Data | None, Data | None]:
    """The training, validation and test data of a model: checked, weighted by class, and with a part held back.

    Args:
        framework: The framework of the model.
        model: The model that takes the examples.
        dataset: The data.
        settings: The settings of the run: what is compared, trained, weighted and held back.
        teacher: The input model of the run, if `model` is another one.
        in_place: Whether the training arrays may be overwritten, so that what remains of them is no copy.

    Raises:
        InputError: If the data does not fit the model or the settings.
    """

    def checked(data: Data, what: str) -> Data:
        given = labelled(framework, model if teacher is None else teacher, data, settings.task, what)
        return framework.check_data(model, given, settings.task, what)

    train, validation, test = checked(dataset.train, "training data"), None, None
    if dataset.validation is not None:
        validation = checked(dataset.validation, "validation data")
        _check_alike(train, validation)
    if dataset.test is not None:
        test = checked(dataset.test, "test data")
    if settings.finetune.epochs:
        framework.check_finetuning(model, train, settings.finetune)
    if settings.class_weight is not None:
        weights = ClassWeights(settings.class_weight, train)
        train, validation = weights.applied(train), None if validation is None else weights.applied(validation)
    if validation is None and isinstance(train, Arrays) and settings.holdout and len(train) > 1:
        train, validation = split_validation(train, settings.holdout, settings.seed, in_place=in_place)
    return train, validation, test


def _check_alike(train: Data, validation: Data) -> None:
    """Refuse validation data whose labels have another form than those of the training data, such as one-hot rows.

    Raises:
        InputError: If the labels have different numbers of dimensions.
    """
    ranks = [tuple(labels.ndim for labels in columns(sampled(data, 1, 0).y)) for data in (train, validation)]
    if ranks[0] != ranks[1]:
        raise InputError(
            "the labels of the validation data do not have the same form as those of the training data",
            "give both as class numbers, or both as one-hot rows",
        )


def _nothing(_: Network, __: tuple[Framework, Any]) -> DecisionSpace | None:
    """Offer nothing besides widths."""
    return None


@dataclass(frozen=True)
class InputReader:
    """Reads the inputs of a run.

    Attributes:
        request: What the run was asked for.
        framework: Reads the model.
        kinds: The kinds of files that an earlier run in the folder may have written.
        folder: The folder of the run, to which the baseline is written.
        known: What the run to resume was started with; None for a new run.
        watcher: Notified of what is being read and trained.
        accept: Refuses budgets and rules that the network cannot meet. It is called as soon as the network is known,
            which is before the data is read if the model is given.
        space: Returns what transforms offer for a network, given the framework and the model as well; None for nothing,
            as by default.
    """

    request: RunRequest
    framework: Framework
    kinds: FileKinds
    folder: RunFolder
    known: RunRecord | None
    watcher: Watcher
    accept: Callable[[Statement], None]
    space: Callable[[Network, tuple[Framework, Any]], DecisionSpace | None] = _nothing

    def read(self) -> Inputs:
        """Read and check everything. Without a model, the baseline is trained first.

        Raises:
            InputError: if the model, the data or the latency table cannot be read, or do not fit each other.
            UnsupportedError: if the network is refused because of `--strict`.
            RedsError: if `accept` refuses what is asked for.
        """
        settings, framework = self.request.settings, self.framework
        self.watcher.stage("reading")
        latencies = settings.read_latencies()  # first, so that a missing table is noticed before training
        latency_hash = None if latencies is None else latencies.digest
        for note in notes_of(latencies):
            self.watcher.warn(note)
        model, model_hash = self._given_model()
        statement = None if model is None else self._stated(model, latencies)
        dataset = self._dataset(model)
        if not settings.stream and dataset is not None and isinstance(dataset.train, ImageStream):
            self.watcher.warn(
                f"the images of '{dataset.name}' would take more than a quarter of the available memory, so they are "
                "read from disk in each pass"
            )
        if model is None and dataset is not None:
            require_labels(dataset.train, "training data")
            model, model_hash = self._baseline(dataset, latency_hash)
        statement = statement or self._stated(model, latencies)
        if model_hash is None:
            model_hash = weights_hash(framework, model, statement.network)
        train, validation, test = (None, None, None) if dataset is None else self._split(model, dataset)
        calibration = self._calibration(model, train)
        data_hash = None if dataset is None else dataset.digest
        hashes = Hashes(model_hash, data_hash, latency_hash, calibration.digest)
        passes = settings.baseline.epochs if self.request.model is None else 0
        return Inputs(framework, model, statement, train, validation, test, latencies, hashes, passes, calibration)

    def _calibration(self, model: Any, train: Data | None) -> Calibration:
        settings = self.request.settings
        reading = Reading(self.framework, model, settings.finetune.batch_size, settings.seed, settings.stream)
        return calibration_of(settings.calibration, self.request.calibration, train, reading)

    def _given_model(self) -> tuple[Any, str | None]:
        """The model of the request, and the hash of its file; None if it has no file."""
        model = self.request.model
        if isinstance(model, Path):
            return self.framework.load_model(model), file_hash(model)
        return model, None

    def _stated(self, model: Any, latencies: CostTable | None) -> Statement:
        """The common part of the knapsack problems of the model, once it is accepted."""
        settings, network = self.request.settings, self.framework.inspect(model)
        if settings.strict:
            refuse_unprunable(network)
        statement = self._statement_of(network, model, latencies)
        check_choices(statement.space)
        check_skippable(self.framework, statement.network, statement.rules)
        if latencies is not None:
            refuse_exits(network)

        def stated(network: Network, part: Any, _: str | None) -> Statement:
            return self._statement_of(network, part, latencies)

        statement = with_exit_parts(statement, self.framework, model, stated)
        self.accept(statement)
        return statement

    def _statement_of(self, network: Network, model: Any, latencies: CostTable | None) -> Statement:
        settings, space = self.request.settings, self.space(network, (self.framework, model))
        network, rules = with_skipping(network, settings.rules(latencies))
        return Statement(network, settings.costs(network, latencies), rules, space)

    def _dataset(self, model: Any) -> Dataset | None:
        request = self.request
        if request.data is None:
            return None
        dataset = read_given(request.data, request.validation, self.framework, model, request.settings)
        if request.data_digest is not None and dataset.digest != request.data_digest:
            raise InputError(
                "the data is not what the run of the recipe was given",
                f"give the same arrays, whose digest starts with {request.data_digest[:12]}, or remove data_sha256 "
                "from the recipe to use other data",
            )
        return dataset

    def _split(self, model: Any, dataset: Dataset) -> tuple[Data, Data | None, Data | None]:
        is_own = isinstance(self.request.data, str)  # read here, so nobody else uses the arrays
        train, validation, test = split_parts(self.framework, model, dataset, self.request.settings, in_place=is_own)
        self._warn_of_missing(train, validation, test)
        return train, validation, test

    def _warn_of_missing(self, train: Data, validation: Data | None, test: Data | None) -> None:
        """Tell the user what cannot be done without test data or without held-back data.

        Raises:
            InputError: If early stopping is asked for, and nothing is held back of a stream.
        """
        finetune = self.request.settings.finetune
        if test is None:
            self.watcher.warn("no test data is given, so no accuracies are measured")
        if validation is None and isinstance(train, Stream) and finetune.epochs:
            if finetune.patience is not None:
                raise InputError(
                    "early stopping needs held-back data", f"give validation_data, or no {argument('patience')}"
                )
            self.watcher.warn(
                "nothing can be held back from training data that is a stream, and no validation_data is given, so the "
                "networks of the last epoch are kept, not those of the best"
            )

    def _baseline(self, dataset: Dataset, latency_hash: str | None) -> tuple[Any, str]:
        """The baseline trained on the data, which is trained once per run, and the hash of its file."""
        path, known, framework = self.folder.baseline(self.framework.file), self.known, self.framework
        if known is None:
            hashes = Hashes(None, dataset.digest, latency_hash)
            self.folder.begin(RunRecord(self.request.options, hashes), self.kinds)
        elif known.hashes.model is not None and not path.exists():
            raise InputError(
                f"the run's model '{path}' no longer exists", f"start over with {argument('mode', 'overwrite')}"
            )
        train = dataset.train
        if self.request.settings.class_weight is not None:  # also if it is not trained, as the classes may be counted
            train = ClassWeights(self.request.settings.class_weight, train).applied(train)
        if known is None or not path.exists():
            self._train_baseline(train, dataset.name, path)
        return framework.load_model(path), file_hash(path)

    def _train_baseline(self, train: Data, name: str, path: Path) -> None:
        self.watcher.stage(f"training on {name}")
        settings, folder = self.request.settings, self.folder.path
        with resumable_trainings(folder, _BASELINE, "the training of the network", self.watcher) as slots:
            with slots.next(settings.baseline.epochs) as store:
                how = (settings.baseline, settings.seed, self.watcher.epoch)
                model = self.framework.build_baseline(Training(train, *how, keeper=store))
            self.framework.save_model(model, path)
            remove_epochs(folder)
