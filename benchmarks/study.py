"""Studies of ways to make a network smaller: what one cell is, how it runs, and what is measured of it.

A cell is one network that is pruned or otherwise made smaller in one way, to one budget, with one seed. Its record is
kept with the predictions of its file. benchmarks/toolbox.py and benchmarks/mobilenetv2.py define the cells.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from cell_runs import CellRuns
from study_files import FileFigures, measured
from worth_of_joint import predictions
from worth_records import labels_file

from reds_core import Registry, RunSettings, prune
from reds_core.errors import InfeasibleError, InputError, RedsError, UnsupportedError
from reds_core.system import RecordKind, make_folder, read_archive, write_text
from reds_core.transforms import Transform

REPOSITORY = Path(__file__).resolve().parents[1]


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

    @property
    def name(self) -> str:
        """The name of the cell."""
        return f"{self.network}-{self.arm}-{self.budget}-seed{self.seed}-epochs{self.epochs}"

    def __str__(self) -> str:
        which = f"{self.network}, {self.arm}, {self.budget}, seed {self.seed}"
        if self.infeasible is not None:
            return f"{which}: infeasible, {self.infeasible}"
        return f"{which}: {self.accuracy:.4f}, {self.wall_s:.0f} s, {self.cpu_s:.0f} s of processor time"


CellsOfStudy = Callable[[Sequence[CellRecord]], Sequence[Cell]]
PageOfStudy = Callable[[Sequence[CellRecord], Path], str]


def study(
    script: str, cells: CellsOfStudy, page: PageOfStudy, registry: Callable[[], Registry] = Registry
) -> CellRuns[Cell, CellRecord]:
    """Define a study.

    Args:
        script: The name of its script, after which its page, its folder of kept records and that of its runs are named.
        cells: The cells that can run, the most telling first, given the records so far.
        page: Renders its page from the records and the folder of predictions.
        registry: The plugins that the runs choose from.
    """
    name = Path(script).stem

    def with_epochs(records: Sequence[CellRecord], epochs: int | None) -> Sequence[Cell]:
        return [cell if epochs is None else _with_epochs(cell, epochs) for cell in cells(records)]

    def write(records: Sequence[CellRecord], folder: Path, path: Path) -> None:
        write_text(path, page(records, folder))

    return CellRuns(
        records=RecordKind(CellRecord, "a cell", f"python benchmarks/{script}"),
        cells=with_epochs,
        perform=lambda cell, out: perform(cell, out, registry()),
        write=write,
        page=REPOSITORY / "docs" / "results" / f"{name}.md",
        kept=REPOSITORY / "benchmarks" / "records" / name,
        out=Path("out", name),
    )


def perform(cell: Cell, out: Path, registry: Registry) -> CellRecord:
    """Run a cell, or resume it, and return its record.

    Raises:
        RedsError: If the cell cannot run on this machine, or a plugin refuses it or fails.
    """
    reason = why_not_yet(cell, registry)
    if reason is not None:
        raise reason
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
        return timed(infeasible=error.what)
    (member,) = plan.subnetworks
    path, full = member.path(cell.target), plan.full.path(cell.target)
    arrays = read_archive(Path(cell.data))
    predicted, labels = predictions(path, arrays["x_test"]), arrays["y_test"].ravel().astype(np.uint8)
    np.savez_compressed(out / f"{cell.name}.npz", predicted=predicted)
    np.savez_compressed(out / labels_file(cell.network), labels=labels)
    return timed(
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


def _nonzero(model: Any, most_axes: int = 9) -> int:
    """How many elements of the trained weights with at most so many axes are not zero."""
    values = [np.asarray(weight) for weight in model.trainable_weights]
    return sum(int(np.count_nonzero(each)) for each in values if each.ndim <= most_axes)


def why_not_yet(cell: Cell, registry: Registry) -> RedsError | None:
    """Why a cell cannot run on this machine at present, or None if it can."""
    missing = [name for name in cell.settings.transforms if name not in registry.available(Transform)]
    if missing:
        return UnsupportedError(f"{', '.join(missing)} is not installed", "install it")
    if not Path(cell.model).exists():
        return InputError(f"{cell.model} does not exist", "make it first")
    return None


def _with_epochs(cell: Cell, epochs: int) -> Cell:
    finetune = dataclasses.replace(cell.settings.finetune, epochs=epochs)
    return dataclasses.replace(cell, settings=dataclasses.replace(cell.settings, finetune=finetune))
