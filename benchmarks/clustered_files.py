"""Measures what few values per kernel save in files and cost in accuracy; writes tables of docs/clustering.md.

    python benchmarks/clustered_files.py [--only resnet8] [--out OUT]

For ResNet8 and DS-CNN S (../shared/assets), every kernel that saves bytes gets 16, 4 or 2 values, for each output
channel or for the whole layer, or 4 or 2 bits by `weight-bits` for comparison. The networks keep all their channels.
Each is measured without training, with the statistics of its batch norms measured anew, and after a short training.
Measurements in OUT/records.jsonl are not made again. With --from-records the tables are written from
benchmarks/records/clustering.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from page_sections import put
from reds_clustering import Clustering, ClusteringOptions
from reds_quantization import WeightBits
from reds_quantization.weight_bits import WeightBitsOptions

from reds_core import Registry
from reds_core.cost import CostModel, usage
from reds_core.formulation import decision_space
from reds_core.framework import (
    Arrays,
    ExportSource,
    Family,
    FinetuneSettings,
    Framework,
    Target,
    Task,
    Training,
    projections,
)
from reds_core.system import read_archive
from reds_core.transforms import LevelSettings, Transform, described

ROOT = Path(__file__).parents[1]
ASSETS = ROOT.parent / "shared" / "assets"
RECORDS = ROOT / "benchmarks" / "records" / "clustering" / "records.jsonl"
PAGE = ROOT / "docs" / "clustering.md"
CALIBRATION_EXAMPLES = 256


@dataclass(frozen=True)
class Case:
    """A trained network and its data.

    Attributes:
        name: its name in records.
        title: its name in tables.
        model, data: names of files in the assets.
        settings: how it is trained.
    """

    name: str
    title: str
    model: str
    data: str
    settings: FinetuneSettings


CASES = (
    Case(
        "resnet8",
        "ResNet8",
        "mlperf_tiny_resnet8_cifar10.h5",
        "cifar10.npz",
        FinetuneSettings(epochs=2, learning_rate=1e-3, augment=("flip",)),
    ),
    Case(
        "ds-cnn-s",
        "DS-CNN S",
        "arm_kws_ds_cnn_s.keras",
        "speech_commands.npz",
        FinetuneSettings(epochs=5, learning_rate=1e-3),
    ),
)


@dataclass(frozen=True)
class Arm:
    """What is done to the kernels.

    Attributes:
        name: its name in records.
        title: its name in tables.
        transform: what is done; None for nothing.
        level: the level of each layer that has it.
    """

    name: str
    title: str
    transform: Transform | None = None
    level: int = 0


def _arms() -> tuple[Arm, ...]:
    options = [
        (f"{per}-{count}", f"{count} values per {per}", ClusteringOptions(str(count), per, assignment="moving"), count)
        for per in ("channel", "layer")
        for count in (16, 4, 2)
    ]
    options += [
        (f"fixed-{n}", f"{n} values per channel, fixed clusters", ClusteringOptions(str(n), assignment="fixed"), n)
        for n in (16, 4, 2)
    ]
    clusters = [Arm(name, title, Clustering(each), count) for name, title, each, count in options]
    bits = [Arm(f"bits-{n}", f"{n} bits", WeightBits(WeightBitsOptions(f"8,{n}")), n) for n in (4, 2)]
    return (Arm("untouched", "as it is"), *clusters, *bits)


ARMS = _arms()


@dataclass(frozen=True)
class Record:
    """The measurement of one network.

    Attributes:
        epochs: epochs of training; 0 if only the statistics of batch norms were measured anew.
        layers: how many layers have the level of the arm.
        accuracy, int8_accuracy: of the network and of its int8 file on test data.
        stored_bytes: `weight_bytes` of the described network, which is what the C engine stores.
        keras_bytes, int8_bytes: sizes of the files.
        keras_zip_bytes, int8_zip_bytes: sizes of archives by `zipfile` with deflate at level 9 that hold one file.
        seconds: time of the training and the measurement.
    """

    case: str
    arm: str
    epochs: int
    layers: int
    accuracy: float
    int8_accuracy: float
    stored_bytes: int
    keras_bytes: int
    keras_zip_bytes: int
    int8_bytes: int
    int8_zip_bytes: int
    seconds: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What was measured."""
        return self.case, self.arm, self.epochs


class Bench:
    """The networks of one case.

    Args:
        case: the case.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._framework: Framework = Registry().default_framework()
        self._target: Target = Registry().create(Target, "tflite-int8", {})
        self._model = self._framework.load_model(ASSETS / "models" / case.model)
        self._network = self._framework.inspect(self._model)
        arrays = read_archive(ASSETS / "data" / case.data)
        self._train, self._test = (
            self._framework.check_data(self._model, Arrays(arrays[f"x_{part}"], arrays[f"y_{part}"]), Task(), part)
            for part in ("train", "test")
        )

    def measured(self, arm: Arm, epochs: int) -> Record:
        """Train a network, export and measure it."""
        began = time.perf_counter()
        transforms = [] if arm.transform is None else [arm.transform]
        offers = decision_space(self._network, transforms).offers
        levels = {o.site: {o.what: arm.level} for o in offers if arm.level in o.levels.tolist()}
        settings = LevelSettings(levels)
        small = self._framework.extract(self._model, self._network, {})
        network = self._framework.inspect(small)
        asked = FinetuneSettings(**{**vars(self._case.settings), "epochs": epochs})
        own = projections(network, transforms, settings)
        # Without training, batch norms of members alone are measured anew.
        family = Family(small, (), ()) if epochs else Family(small, (small,), (network.channels,))
        weights = (own,) if epochs else (own, {})
        training = Training(self._train, asked, 0, lambda progress: None, teacher=self._model, projections=weights)
        self._framework.finetune(family, training)
        costs = CostModel(additional=("weight_bytes",))
        stored = usage(described(network, transforms, settings), network.channels, costs)["weight_bytes"]
        with TemporaryDirectory() as folder:
            keras, int8 = Path(folder) / "network.keras", Path(folder) / "network.tflite"
            self._framework.save_model(small, keras)
            calibration = Arrays(self._train.x[:CALIBRATION_EXAMPLES], self._train.y[:CALIBRATION_EXAMPLES])
            self._target.export(ExportSource(self._framework, small, network, settings, calibration), int8)
            file = self._target.load(self._framework, int8)
            return Record(
                self._case.name,
                arm.name,
                epochs,
                len(levels),
                self._framework.accuracy(small, self._test, Task()),
                file.evaluate(file.check_data(self._test, "test data"), Task()).metric,
                stored,
                *sizes_of(keras),
                *sizes_of(int8),
                round(time.perf_counter() - began, 1),
            )


def sizes_of(path: Path) -> tuple[int, int]:
    """Return the size of a file, and that of an archive that holds it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        opened.writestr(path.name, path.read_bytes())
    return path.stat().st_size, len(archive.getvalue())


def read_records(path: Path) -> dict[tuple[str, str, int], Record]:
    """Return the measurements in a file, which need not exist."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record.key: record for record in (Record(**json.loads(line)) for line in lines)}


def measured(cases: Sequence[Case], store: Path) -> Iterator[Record]:
    """Make the measurements that are missing, and yield all of them."""
    found = read_records(store)
    for case in cases:
        bench: Any = None
        for epochs in (0, case.settings.epochs):
            for arm in ARMS:
                if (case.name, arm.name, epochs) not in found:
                    bench = bench or Bench(case)
                    record = bench.measured(arm, epochs)
                    with store.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(record)) + "\n")
                    sys.stdout.write(f"{record}\n")
                    sys.stdout.flush()
                    found[record.key] = record
                yield found[case.name, arm.name, epochs]


def table(case: Case, records: Sequence[Record]) -> str:
    """Return the table of one case in Markdown."""
    epochs = max(record.epochs for record in records)
    trained = f"trained for {epochs} epochs" if epochs else "trained"
    lines = [
        f"**{case.title}**",
        "",
        f"| kernels | accuracy, not trained | its int8 file | {trained} | its int8 file | stored by the C engine | "
        ".keras, zipped | int8 .tflite | int8 .tflite, zipped |",
        "| --- " * 9 + "|",
    ]
    found = {(record.arm, record.epochs): record for record in records}

    def accuracies(record: Record | None) -> str:
        return "– | –" if record is None else f"{record.accuracy:.1%} | {record.int8_accuracy:.1%}"

    for arm in ARMS:
        before, after = found.get((arm.name, 0)), found.get((arm.name, epochs)) if epochs else None
        last = after or before
        if last is None:
            continue
        base = found["untouched", last.epochs]

        def share(name: str, last: Record = last, base: Record = base) -> str:
            return f"{kib(getattr(last, name))} ({getattr(last, name) / getattr(base, name):.0%})"

        lines.append(
            f"| {arm.title} | {accuracies(before)} | {accuracies(after)} | {share('stored_bytes')} | "
            f"{share('keras_zip_bytes')} | {kib(last.int8_bytes)} | {share('int8_zip_bytes')} |"
        )
    return "\n".join(lines)


def kib(size_bytes: int) -> str:
    """Return a size in KiB."""
    return f"{size_bytes / 1024:.1f} KiB"


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the name of one network")
    parser.add_argument("--out", type=Path, default=Path("out/clustered-files"), help="folder for the measurements")
    parser.add_argument("--from-records", action="store_true", help="write the tables from the records that are kept")
    given = parser.parse_args()
    cases = [case for case in CASES if given.only in (None, case.name)]
    if given.from_records:
        records = list(read_records(RECORDS).values())
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        records = list(measured(cases, given.out / "records.jsonl"))
    parts = [table(case, own) for case in cases if (own := [r for r in records if r.case == case.name])]
    if given.only is None:
        put(PAGE, "clustered-files", "\n\n".join(parts))
    else:
        sys.stdout.write("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
