"""Measures what few values per kernel save in files and cost in accuracy; writes tables of docs/guide/clustering.md.

    python benchmarks/clustered_files.py [--only resnet8] [--out OUT]

For ResNet8 and DS-CNN S (../shared/assets), every kernel that saves bytes gets 16, 4 or 2 values, for each output
channel or for the whole layer, or 4 or 2 bits by `weight-bits` for comparison. The networks keep all their channels.
Each is measured without training, with the statistics of its batch norms measured anew, and after a short training.
Measurements in OUT/records.jsonl are not made again. With --from-records the tables are written from
benchmarks/records/clustering.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from page_sections import put
from reds_clustering import Clustering, ClusteringOptions
from reds_quantization import WeightBits
from reds_quantization.weight_bits import WeightBitsOptions
from trained_networks import CASES, ROOT, Case, TrainedNetwork, keep_record, kib, read_records, sizes_of

from reds_core.cost import CostModel, usage
from reds_core.formulation import decision_space
from reds_core.framework import Family, projections
from reds_core.transforms import LevelSettings, Transform, described

RECORDS = ROOT / "benchmarks" / "records" / "clustering" / "records.jsonl"
PAGE = ROOT / "docs" / "guide" / "clustering.md"


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


class Bench(TrainedNetwork):
    """Measures the arms of one case."""

    def measured(self, arm: Arm, epochs: int) -> Record:
        """Train a network, export and measure it."""
        began = time.perf_counter()
        transforms = [] if arm.transform is None else [arm.transform]
        offers = decision_space(self.network, transforms).offers
        levels = {o.site: {o.what: arm.level} for o in offers if arm.level in o.levels.tolist()}
        settings = LevelSettings(levels)
        small = self.framework.extract(self.model, self.network, {})
        network = self.framework.inspect(small)
        own = projections(network, transforms, settings)
        # Without training, batch norms of members alone are measured anew.
        family = Family(small, (), ()) if epochs else Family(small, (small,), (network.channels,))
        self.finetune(family, epochs, (own,) if epochs else (own, {}))
        costs = CostModel(additional=("weight_bytes",))
        stored = usage(described(network, transforms, settings), network.channels, costs)["weight_bytes"]
        with TemporaryDirectory() as folder:
            keras, int8 = Path(folder) / "network.keras", Path(folder) / "network.tflite"
            self.framework.save_model(small, keras)
            self.int8.export(self.source(small, network, settings), int8)
            return Record(
                self.case.name,
                arm.name,
                epochs,
                len(levels),
                *self.accuracies(small, int8),
                stored,
                *sizes_of(keras),
                *sizes_of(int8),
                round(time.perf_counter() - began, 1),
            )


def measured(cases: Sequence[Case], store: Path) -> Iterator[Record]:
    """Make the measurements that are missing, and yield all of them."""
    found = {record.key: record for record in read_records(store, Record)}
    for case in cases:
        bench: Any = None
        for epochs in (0, case.settings.epochs):
            for arm in ARMS:
                if (case.name, arm.name, epochs) not in found:
                    bench = bench or Bench(case)
                    record = bench.measured(arm, epochs)
                    keep_record(store, record)
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


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the name of one network")
    parser.add_argument("--out", type=Path, default=Path("out/clustered-files"), help="folder for the measurements")
    parser.add_argument("--from-records", action="store_true", help="write the tables from the records that are kept")
    given = parser.parse_args()
    cases = [case for case in CASES if given.only in (None, case.name)]
    if given.from_records:
        records = read_records(RECORDS, Record)
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
