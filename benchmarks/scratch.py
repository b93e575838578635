"""Trains the subnetworks of `nested` on Fashion-MNIST from scratch, and writes a section of docs/results/results.md.

    python benchmarks/end_to_end.py --experiment fashion
    python benchmarks/scratch.py [--epochs 3,12] [--budgets 50,25] [--out out/end-to-end/scratch]

A network from scratch has the widths of the subnetwork of the same seed in the records of `fashion`, but new random
weights. It is trained by itself with the settings of the fine-tuning, for the same number of epochs (3), and for those
of the full network's training (12, benchmarks/ds_cnn.py). The same command resumes where it stopped: networks in
OUT/records.jsonl are not trained again. With --from-records the section is written from benchmarks/records/scratch.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from end_to_end import HEAD, PAGE, RECORDS, keep_records, section, shown_command, with_part
from experiments import EXPERIMENTS

from reds_core import Registry, Task, read_results, split_validation
from reds_core.compare import RESULTS, ResultRecord
from reds_core.framework import Arrays, EpochProgress, Family, Framework, Training
from reds_core.report import many
from reds_core.system import make_folder, read_archive, this_machine, write_text

NAME = "scratch"
TITLE = "DS-CNN S on Fashion-MNIST: subnetworks against training from scratch"
ABOUT = (
    "The subnetworks of `nested` against networks of the same widths whose weights are initialised at random. These "
    "are trained by themselves, for the epochs of the fine-tuning and for those of the full network's own training, "
    "with the same settings, among them the full network as the teacher."
)


class Scratch:
    """The full network and the data, from which networks of other widths are made and trained."""

    def __init__(self, model: Path, data: Path) -> None:
        self._framework: Framework = Registry().default_framework()
        self._model = self._framework.load_model(model)
        arrays = read_archive(data)
        self._train, self._test = (
            self._framework.check_data(self._model, Arrays(arrays[f"x_{part}"], arrays[f"y_{part}"]), Task(), part)
            for part in ("train", "test")
        )

    def trained(self, wanted: ResultRecord, epochs: int) -> ResultRecord:
        """Train a network of the widths in a record of a subnetwork, and return its record."""
        import keras

        seed, found = wanted.run.seed, wanted.subnetwork
        assert found is not None
        began, started_at = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
        network = self._framework.inspect(self._model)
        kept = {group: np.arange(width) for group, width in found.widths.items()}
        keras.utils.set_random_seed(seed)
        fresh: Any = keras.models.clone_model(self._framework.extract(self._model, network, kept))
        train, validation = split_validation(self._train, 0.1, seed)
        settings = dataclasses.replace(EXPERIMENTS["fashion"].finetune, epochs=epochs)
        training = Training(train, settings, seed, _show, validation=validation, teacher=self._model)
        training_began = time.perf_counter()
        self._framework.finetune(Family(fresh, (), ()), training)
        finetune_s = time.perf_counter() - training_began
        accuracy = self._framework.accuracy(fresh, self._test, Task())
        label = f"from scratch, {many(epochs, 'epoch')}"
        accuracies = dataclasses.replace(found.accuracy, before=None, after=accuracy, exported={})
        return dataclasses.replace(
            wanted,
            run=dataclasses.replace(wanted.run, pruner=label),
            name=f"{wanted.name}--scratch{epochs}",
            subnetwork=dataclasses.replace(
                found, accuracy=accuracies, value=None, bound=None, gap=None, status=None, solver=None
            ),
            full=dataclasses.replace(wanted.full, after=None),
            epochs=epochs,
            steps=None,
            search_s=None,
            finetune_s=finetune_s,
            wall_s=time.perf_counter() - began,
            started_at=started_at,
            machine=this_machine(),
        )


def _show(progress: EpochProgress) -> None:
    if progress.batch == progress.batches:
        sys.stdout.write(f"  epoch {progress.epoch + 1} of {progress.epochs}: loss {progress.loss:.3f}\n")
        sys.stdout.flush()


def run(given: argparse.Namespace, subnetworks: Sequence[ResultRecord]) -> None:
    """Train the networks that are not in the records yet, and record them beside the subnetworks."""
    experiment = EXPERIMENTS["fashion"]
    scratch = Scratch(given.model or Path(str(experiment.model)), given.data or Path(experiment.data))
    with RESULTS.opened(given.out) as file:
        done = {_key(record) for record in file.before}
        file.append(*(record for record in subnetworks if _key(record) not in done))
        for epochs in map(int, given.epochs.split(",")):
            for wanted in subnetworks:
                name = f"{wanted.name}--scratch{epochs}"
                if (name, _budget(wanted)) not in done:
                    sys.stdout.write(f"{name}, {_budget(wanted)} %\n")
                    file.append(scratch.trained(wanted, epochs))


def _budget(record: ResultRecord) -> str:
    return "" if record.subnetwork is None else record.subnetwork.name


def _key(record: ResultRecord) -> tuple[str, str]:
    return record.name, _budget(record)


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", default="3,12", help="numbers of epochs, comma-separated")
    parser.add_argument("--budgets", default="50,25", help="names of budgets in the records, comma-separated")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, comma-separated")
    parser.add_argument("--records", type=Path, default=RECORDS / "fashion", help="records of the subnetworks")
    parser.add_argument("--data", type=Path, help="in place of the experiment's")
    parser.add_argument("--model", type=Path, help="in place of the experiment's")
    parser.add_argument("--out", type=Path, default=Path("out/end-to-end/scratch"), help="folder of the records")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables go")
    parser.add_argument("--from-records", action="store_true", help="write the section from kept records")
    given = parser.parse_args(arguments)
    if not given.from_records:
        budgets, seeds = given.budgets.split(","), [int(seed) for seed in given.seeds.split(",")]
        subnetworks = [
            record
            for record in read_results(given.records)
            if record.run.pruner == "nested" and record.run.scorer == "taylor" and record.run.seed in seeds
            if _budget(record) in budgets
        ]
        make_folder(given.out)
        run(given, subnetworks)
        keep_records(NAME, given.out)
    text = section(TITLE, ABOUT, read_results(RECORDS / NAME), shown_command(arguments, "scratch.py"))
    page = given.page.read_text(encoding="utf-8") if given.page.exists() else HEAD
    write_text(given.page, with_part(page, NAME, text))


if __name__ == "__main__":
    main()
