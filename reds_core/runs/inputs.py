"""Reads and checks the inputs of a run: the model, its description and the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.cost.latency_table import LatencyTable
from reds_core.cost.resources import CostModel
from reds_core.errors import InputError
from reds_core.framework.data import Arrays
from reds_core.framework.framework import Framework, Training
from reds_core.network.description import Network
from reds_core.plan import Hashes
from reds_core.runs.checkpoint import remove_epochs
from reds_core.runs.dataset import Dataset, load_data, split_validation
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.folder import RunFolder, RunRecord
from reds_core.runs.inspection import refuse_unprunable
from reds_core.runs.provenance import file_hash, weights_hash
from reds_core.runs.request import RunRequest
from reds_core.watcher import Watcher

_BASELINE = "baseline"
"""The name under which the epochs of the baseline of a run without a model are saved."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run, read and checked.

    Attributes:
        framework: Read the model.
        model: The input model.
        network: Its description.
        train: The training data without the part that is held back; None without data.
        validation: The part that is held back; None without data or if nothing is held back.
        test: The test data, used only for the final accuracies; None without data.
        latencies: The latency table; None if there is none.
        costs: How the resources of the network are counted.
        hashes: Hashes of the model, the data and the latency table.
    """

    framework: Framework
    model: Any
    network: Network
    train: Arrays | None
    validation: Arrays | None
    test: Arrays | None
    latencies: LatencyTable | None
    costs: CostModel
    hashes: Hashes


@dataclass(frozen=True)
class InputReader:
    """Reads the inputs of a run.

    Attributes:
        request: What the run was asked for.
        framework: Reads the model.
        folder: The folder of the run, to which the baseline is written.
        known: What the run to resume was started with; None for a new run.
        watcher: Notified of what is being read and trained.
    """

    request: RunRequest
    framework: Framework
    folder: RunFolder
    known: RunRecord | None
    watcher: Watcher

    def read(self) -> Inputs:
        """Read and check everything. Without a model, the baseline is trained first.

        Raises:
            InputError: if the model, the data or the latency table cannot be read, or do not fit each other.
            UnsupportedError: if the network is refused because of `--strict`.
        """
        settings, framework = self.request.settings, self.framework
        self.watcher.stage("reading")
        latencies = settings.read_latencies()  # first, so that a missing table is noticed before training
        latency_hash = None if latencies is None else latencies.digest
        model, model_hash = self._given_model()
        dataset = self._dataset(model)
        if model is None and dataset is not None:
            model, model_hash = self._baseline(dataset, latency_hash)
        network = framework.inspect(model)
        if settings.strict:
            refuse_unprunable(network)
        if model_hash is None:
            model_hash = weights_hash(framework, model, network)
        train, validation, test = (None, None, None) if dataset is None else self._split(model, dataset)
        hashes = Hashes(model_hash, None if dataset is None else dataset.digest, latency_hash)
        costs = settings.costs(network, latencies)
        return Inputs(framework, model, network, train, validation, test, latencies, costs, hashes)

    def _given_model(self) -> tuple[Any, str | None]:
        """The model of the request, and the hash of its file; None if it has no file."""
        model = self.request.model
        if isinstance(model, Path):
            return self.framework.load_model(model), file_hash(model)
        return model, None

    def _dataset(self, model: Any) -> Dataset | None:
        data = self.request.data
        if not isinstance(data, str):
            return data
        shape = None if model is None else self.framework.input_shape(model)
        return load_data(data, self.framework, shape, self.request.settings.seed)

    def _split(self, model: Any, dataset: Dataset) -> tuple[Arrays, Arrays | None, Arrays]:
        """The training, validation and test data."""
        settings, framework = self.request.settings, self.framework
        train = framework.check_data(model, dataset.train, settings.task, "training data")
        test = framework.check_data(model, dataset.test, settings.task, "test data")
        if settings.finetune.epochs:
            framework.check_finetuning(model, train, settings.finetune)
        if settings.holdout and len(train) > 1:
            return *split_validation(train, settings.holdout, settings.seed), test
        return train, None, test

    def _baseline(self, dataset: Dataset, latency_hash: str | None) -> tuple[Any, str]:
        """The baseline trained on the data, which is trained once per run, and the hash of its file."""
        path, known, framework = self.folder.baseline(self.framework.files), self.known, self.framework
        if known is None:
            hashes = Hashes(None, dataset.digest, latency_hash)
            self.folder.begin(RunRecord(self.request.options, hashes), framework.files)
        elif known.hashes.model is not None and not path.exists():
            raise InputError(f"the run's model '{path}' no longer exists", "start over with --overwrite")
        if known is None or not path.exists():
            self._train_baseline(dataset, path)
        return framework.load_model(path), file_hash(path)

    def _train_baseline(self, dataset: Dataset, path: Path) -> None:
        self.watcher.stage(f"training on {dataset.name}")
        settings, folder = self.request.settings, self.folder.path
        with resumable_trainings(folder, _BASELINE, "the training of the network", self.watcher) as slots:
            with slots.next(settings.baseline.epochs) as store:
                how = (settings.baseline, settings.seed, self.watcher.epoch)
                model = self.framework.build_baseline(Training(dataset.train, *how, keeper=store))
            self.framework.save_model(model, path)
            remove_epochs(folder)
