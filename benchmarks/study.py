"""Runs the cells of a study one after the other, resumes, and keeps a record and the predictions of each.

A cell is one network that is pruned or otherwise made smaller in one way, to one budget, with one seed. Its run is kept
in OUT/runs/NAME until it is recorded, so that a study that was killed resumes after the last finished epoch.
benchmarks/toolbox.py and benchmarks/mobilenetv2.py define the cells.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from study_files import FileFigures, measured
from worth_of_joint import predictions
from worth_records import labels_file

from reds_core import Registry, RunSettings, prune
from reds_core.errors import InfeasibleError, RedsError
from reds_core.system import RECORDS_FILE, RecordKind, make_folder, read_archive, write_text
from reds_core.transforms import Transform


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        network: The short name of the network.
        arm: How it is made smaller.
        budget: The short name of the budget.
        seed: The seed.
        model, data: Paths.
        settings: The settings of the run. Its last target is the kind of file that is measured.
        on_engine: Whether the C engine is timed as well.
    """

    network: str
    arm: str
    budget: str
    seed: int
    model: str
    data: str
    settings: RunSettings
    on_engine: bool = False

    @property
    def name(self) -> str:
        """Its name, by which it can be chosen on the command line."""
        return f"{self.network}-{self.arm}-{self.budget}-seed{self.seed}-epochs{self.settings.finetune.epochs}"

    @property
    def target(self) -> str:
        """The kind of file that is measured."""
        return self.settings.targets[-1]


@dataclass(frozen=True)
class CellRecord:
    """What one cell found.

    Attributes:
        network, arm, budget, seed, epochs: Which cell it is.
        started_at: When it began, in UTC.
        infeasible: Why no network meets the budget, or None if one does.
        widths: The channels of each group.
        settings: The levels of each layer, by transform.
        usage, full_usage: Usage of each resource by the smaller and by the full network, in base units.
        gap: The relative gap of the choice to the proven bound, if there is one.
        keras_accuracy: Accuracy of the Keras model on the test set.
        full_accuracy: Accuracy of the given network on the test set.
        accuracy: Accuracy of the .tflite file on the test set, from the saved predictions.
        nonzero_weights: How many elements of the trained weights are not zero, of kernels, biases and batch norms.
        full_nonzero_weights: The same of the full network.
        full_vector_weights: Those of them that are not in kernels.
        figures, full_figures: Sizes and latency of the .tflite file, and those of the file of the full network.
        predictions: The file with the predicted classes of all test examples.
        wall_s, cpu_s: Seconds of wall time and of processor time since the cell was last started.
    """

    network: str
    arm: str
    budget: str
    seed: int
    epochs: int
    started_at: str
    infeasible: str | None = None
    widths: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    full_usage: Mapping[str, int] = field(default_factory=dict)
    gap: float | None = None
    keras_accuracy: float | None = None
    full_accuracy: float | None = None
    accuracy: float | None = None
    nonzero_weights: int | None = None
    full_nonzero_weights: int | None = None
    full_vector_weights: int | None = None
    figures: FileFigures | None = None
    full_figures: FileFigures | None = None
    predictions: str | None = None
    wall_s: float | None = None
    cpu_s: float | None = None

    def __str__(self) -> str:
        which = f"{self.network}, {self.arm}, {self.budget}, seed {self.seed}"
        if self.infeasible is not None:
            return f"{which}: infeasible, {self.infeasible}"
        return f"{which}: {self.accuracy:.4f}, {self.wall_s:.0f} s, {self.cpu_s:.0f} s of processor time"


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        script: The name of its script.
        cells: The cells that can run, the most telling first, given the records so far.
        page: Renders its page from the records and the folder of predictions.
        page_path: Where the page goes.
        kept: The folder of kept records.
        registry: The plugins that the runs choose from.
    """

    script: str
    cells: Callable[[Sequence[CellRecord]], Sequence[Cell]]
    page: Callable[[Sequence[CellRecord], Path], str]
    page_path: Path
    kept: Path
    registry: Callable[[], Registry] = Registry

    @property
    def records(self) -> RecordKind[CellRecord]:
        """How its records are read and written."""
        return RecordKind(CellRecord, "a cell", f"python benchmarks/{self.script}")


def record_name(record: CellRecord) -> str:
    """The name of the cell of a record."""
    return f"{record.network}-{record.arm}-{record.budget}-seed{record.seed}-epochs{record.epochs}"


def perform(cell: Cell, out: Path, registry: Registry) -> CellRecord:
    """Run a cell, or resume it, and return its record.

    Raises:
        RedsError: If a plugin refuses the cell or fails.
    """
    began, processor = time.perf_counter(), time.process_time()
    base = CellRecord(
        cell.network,
        cell.arm,
        cell.budget,
        cell.seed,
        cell.settings.finetune.epochs,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )

    def timed(**found: Any) -> CellRecord:
        spent = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - processor}
        return dataclasses.replace(base, **found, **spent)

    folder = out / "runs" / cell.name
    make_folder(folder.parent)
    try:
        mode = "resume" if folder.exists() else "refuse"
        plan = prune(cell.model, cell.data, out=folder, settings=cell.settings, mode=mode, registry=registry, verbose=0)
    except InfeasibleError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return timed(infeasible=error.what)
    (member,) = plan.subnetworks
    path, full = member.path(cell.target), plan.full.path(cell.target)
    arrays = read_archive(Path(cell.data))
    predicted, labels = predictions(path, arrays["x_test"]), arrays["y_test"].ravel().astype(np.uint8)
    np.savez_compressed(out / f"{cell.name}.npz", predicted=predicted)
    np.savez_compressed(out / labels_file(cell.network), labels=labels)
    record = timed(
        widths=dict(member.widths),
        settings={site: dict(levels) for site, levels in (member.settings or {}).items()},
        usage=dict(member.usage),
        full_usage=dict(plan.full.usage),
        gap=member.gap,
        keras_accuracy=member.accuracy.after,
        full_accuracy=plan.full.accuracy.before,
        accuracy=float((predicted == labels).mean()),
        nonzero_weights=_nonzero(member.load()),
        full_nonzero_weights=_nonzero(plan.full.load()),
        full_vector_weights=_nonzero(plan.full.load(), most_axes=1),
        figures=measured(path, full, cell.on_engine),
        full_figures=measured(full, full),
        predictions=f"{cell.name}.npz",
    )
    shutil.rmtree(folder, ignore_errors=True)
    return record


def _nonzero(model: Any, most_axes: int = 9) -> int:
    """How many elements of the trained weights with at most so many axes are not zero."""
    values = [np.asarray(weight) for weight in model.trainable_weights]
    return sum(int(np.count_nonzero(each)) for each in values if each.ndim <= most_axes)


def why_not_yet(cell: Cell, registry: Registry) -> str | None:
    """Why a cell cannot run on this machine at present, or None if it can."""
    missing = [name for name in cell.settings.transforms if name not in registry.available(Transform)]
    if missing:
        return f"{', '.join(missing)} is not installed"
    return None if Path(cell.model).exists() else f"{cell.model} does not exist"


@dataclass(frozen=True)
class Wanted:
    """Which cells of a study are asked for.

    Attributes:
        patterns: Shell patterns of their names.
        epochs: The epochs of training in place of those of the study; None for those.
    """

    patterns: Sequence[str] = ("*",)
    epochs: int | None = None

    def of(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells whose names match a pattern."""
        found = [cell if self.epochs is None else _with_epochs(cell, self.epochs) for cell in cells]
        return [cell for cell in found if any(fnmatchcase(cell.name, pattern) for pattern in self.patterns)]


def run_all(study: Study, wanted: Wanted, out: Path) -> None:
    """Run the cells that are not recorded yet. Those that cannot run are named and left for later."""
    make_folder(out)
    registry, tried = study.registry(), set[str]()
    with study.records.opened(out) as file:
        records = list(file.before)
        while True:
            known = {record_name(record) for record in records} | tried
            left = [cell for cell in wanted.of(study.cells(records)) if cell.name not in known]
            if not left:
                return
            cell, reason = left[0], why_not_yet(left[0], registry)
            tried.add(cell.name)
            if reason is None:
                try:
                    records.append(perform(cell, out, registry))
                except RedsError as error:
                    shutil.rmtree(out / "runs" / cell.name, ignore_errors=True)
                    reason = str(error)
                else:
                    file.append(records[-1])
                    _say(f"{len(left)} left: {records[-1]}")
            if reason is not None:
                _say(f"{cell.name}: left for later, {reason}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def keep(study: Study, out: Path) -> None:
    """Copy records and predictions to the repository."""
    make_folder(study.kept)
    for path in (*out.glob("*.jsonl"), *out.glob("*.npz")):
        shutil.copyfile(path, study.kept / path.name)


def main(study: Study, about: str | None, arguments: Sequence[str] | None = None) -> None:
    """Run a study from the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="*", help="names of cells, as shell patterns joined by commas")
    parser.add_argument("--out", type=Path, default=Path("out", Path(study.script).stem), help="folder of the runs")
    parser.add_argument("--page", type=Path, default=study.page_path, help="where the page goes")
    parser.add_argument("--epochs", type=int, help="of training, in place of those of the study")
    parser.add_argument("--plan", action="store_true", help="only list the cells in their order")
    parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
    given = parser.parse_args(arguments)
    wanted, out = Wanted(tuple(given.cells.split(",")), given.epochs), given.out.resolve()
    before = study.records.read(out) if out.joinpath(RECORDS_FILE).exists() else ()
    cells = wanted.of(study.cells(before))
    if not cells:
        raise SystemExit(f"no cell matches {given.cells!r}; --plan lists them")
    if given.plan:
        sys.stdout.write("".join(f"{cell.name}\n" for cell in cells))
        return
    folder = study.kept
    if not given.from_records:
        folder = out
        try:
            run_all(study, wanted, out)
        finally:
            if given.epochs is None:
                keep(study, out)
    records = study.records.read(folder) if folder.exists() else ()
    write_text(given.page, study.page(records, folder))


def _with_epochs(cell: Cell, epochs: int) -> Cell:
    finetune = dataclasses.replace(cell.settings.finetune, epochs=epochs)
    return dataclasses.replace(cell, settings=dataclasses.replace(cell.settings, finetune=finetune))
