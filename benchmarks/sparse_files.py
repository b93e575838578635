"""Measures what zeros in kernels save in files and time, and cost in accuracy; writes tables of docs/guide/sparsity.md.

    python benchmarks/sparse_files.py [--only resnet8] [--out OUT]

For ResNet8 and DS-CNN S (../shared/assets), every kernel for which zeros save bytes gets the same percentage of them.
The networks keep all their channels. Bytes, latency and instructions are measured when weights were set to zero and
nothing else was changed, and accuracy also after a short training. Latency is that of LiteRT on one
core, divided by that of the file without zeros, both timed in turn in one process. Instructions are those of the C
engine on an emulated Cortex-M4. Measurements in OUT/records.jsonl are not made again. With --from-records the tables
are written from benchmarks/records/sparsity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from page_sections import put
from reds_litert.device_files import interpreter_of
from reds_sparsity import Sparsity, SparsityOptions
from study_files import ratio_in_turn
from trained_networks import CASES, ROOT, Case, TrainedNetwork, keep_record, kib, read_records, sizes_of

from reds_core import Registry, profile
from reds_core.cost import CostModel, usage
from reds_core.formulation import decision_space
from reds_core.framework import ExportSource, Family, Target, projections
from reds_core.network import WeightKind
from reds_core.transforms import LevelSettings, Transform, described

RECORDS = ROOT / "benchmarks" / "records" / "sparsity" / "records.jsonl"
PAGE = ROOT / "docs" / "guide" / "sparsity.md"
CORE = "cortex-m4"
EPOCHS = {"resnet8": 3, "ds-cnn-s": 5}
"""The epochs of a training, by the name of the network."""


@dataclass(frozen=True)
class Arm:
    """What is done to the kernels.

    Attributes:
        name: its name in records.
        title: its name in tables.
        options: the options of `sparsity`; None for nothing.
    """

    name: str
    title: str
    options: SparsityOptions | None = None


ARMS = (
    Arm("dense", "none"),
    Arm("50", "50 %", SparsityOptions("50")),
    Arm("75", "75 %", SparsityOptions("75")),
    Arm("90", "90 %", SparsityOptions("90")),
    Arm("2:4", "2:4", SparsityOptions(pattern="2:4")),
    Arm("block-75", "75 % in blocks", SparsityOptions("75", "block")),
    Arm("global-75", "75 %, one threshold", SparsityOptions("75", scope="global")),
    Arm("75-gradual", "75 %, gradual", SparsityOptions("75", schedule="gradual")),
    Arm("75-one-shot", "75 %, one-shot", SparsityOptions("75", schedule="one-shot")),
    Arm("90-gradual", "90 %, gradual", SparsityOptions("90", schedule="gradual")),
    Arm("90-one-shot", "90 %, one-shot", SparsityOptions("90", schedule="one-shot")),
)
SCHEDULES = ("gradual", "one-shot")
"""Without training, these arms equal those of the default schedule."""


@dataclass(frozen=True)
class Record:
    """The measurement of one network.

    Attributes:
        epochs: epochs of training; 0 if weights were only set to zero.
        zeros: the share of zeros among the weights of all kernels.
        accuracy, int8_accuracy: of the network and of its int8 file on test data.
        stored_bytes: `weight_bytes` of the described network: what the C engine stores of kernels, masks, starts of
            output channels, biases and scales.
        int8_bytes, int8_zip_bytes: size of the int8 file, and of an archive with deflate at level 9 that holds it.
        latency_ratio: time of LiteRT, divided by that of the file without zeros.
        engine_bytes: bytes of weights and masks in the C engine's flash, without tables such as starts and scales.
        engine_instructions: instructions of an inference of the C engine.
    """

    case: str
    arm: str
    epochs: int
    zeros: float
    accuracy: float
    int8_accuracy: float
    stored_bytes: int
    int8_bytes: int
    int8_zip_bytes: int
    latency_ratio: float | None = None
    engine_bytes: int | None = None
    engine_instructions: int | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """What was measured."""
        return self.case, self.arm, self.epochs


class Bench(TrainedNetwork):
    """Measures the arms of one case.

    Args:
        case: the case.
    """

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._engine: Target = Registry().create(Target, "c-engine", {})
        self._dense: bytes | None = None

    def measured(self, arm: Arm, epochs: int) -> Record:
        """Train a network, export and measure it."""
        small = self.framework.extract(self.model, self.network, {})
        network = self.framework.inspect(small)
        transforms, settings = self._levels(arm)
        own = projections(network, transforms, settings)
        self.finetune(Family(small, (), ()), epochs, (own,) if own else ())
        costs = CostModel(additional=("weight_bytes",))
        kernels = [
            array
            for array, weight in zip(self.framework.weights(small, network), network.weights, strict=True)
            if weight.kind is WeightKind.KERNEL
        ]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.tflite"
            source = self.source(small, network, settings)
            self.int8.export(source, path)
            own_costs: tuple[Any, ...] = ()
            if not epochs:
                own_costs = (self._latency_ratio(path.read_bytes()), *self._on_engine(source, Path(folder)))
            return Record(
                self.case.name,
                arm.name,
                epochs,
                round(1 - float(sum(map(np.count_nonzero, kernels)) / sum(array.size for array in kernels)), 4),
                *self.accuracies(small, path),
                usage(described(network, transforms, settings), network.channels, costs)["weight_bytes"],
                *sizes_of(path),
                *own_costs,
            )

    def _levels(self, arm: Arm) -> tuple[list[Transform], LevelSettings]:
        """Return the transform of an arm, and the levels of the layers that have any."""
        if arm.options is None:
            return [], LevelSettings()
        transform = Sparsity(arm.options).prepared(self.network, self.framework.weights(self.model, self.network))
        if transform.network_level is None:
            offers = decision_space(self.network, [transform]).offers
            levels = {offer.site: {offer.what: int(offer.levels[0])} for offer in offers}
        else:
            sites = dict.fromkeys(layer.name for layer in self.network.layers)
            levels = {s: {transform.what: n} for s in sites if (n := transform.level_of(s)) is not None and n < 100}
        return [transform], LevelSettings(levels)

    def _latency_ratio(self, content: bytes) -> float:
        self._dense = self._dense or content  # the first arm is without zeros
        return round(ratio_in_turn(_inference(content), _inference(self._dense)), 3)

    def _on_engine(self, source: ExportSource, folder: Path) -> tuple[int | None, int | None]:
        """Return the bytes of weights and the number of instructions of the C engine."""
        path = folder / "network-c-engine.tflite"
        self._engine.export(source, path)
        (record,) = profile(path, "c-engine", config=CORE, verbose=0)
        return record.flash_weights, record.instructions


def _inference(content: bytes) -> Callable[[], Any]:
    """An inference of zeros by LiteRT in one thread."""
    interpreter = interpreter_of(content, 1)
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    run: Callable[[], Any] = interpreter.invoke
    return run


def measured(cases: Sequence[Case], store: Path) -> Iterator[Record]:
    """Make the measurements that are missing, and yield all of them."""
    found = {record.key: record for record in read_records(store, Record)}
    for is_trained in (False, True):
        for case in cases:
            bench: Any = None
            for arm in ARMS:
                if arm.name.endswith(SCHEDULES) and not is_trained:
                    continue
                key = (case.name, arm.name, EPOCHS[case.name] if is_trained else 0)
                if key not in found:
                    if bench is None:
                        bench = Bench(case)
                        if not is_trained and arm.options is not None:
                            bench.measured(ARMS[0], 0)
                    found[key] = bench.measured(arm, key[-1])
                    keep_record(store, found[key])
                yield found[key]


def size_table(case: Case, records: Sequence[Record]) -> str:
    """Return the table of bytes and speed of one case in Markdown."""
    own = {record.arm: record for record in records if record.case == case.name and not record.epochs}
    lines = [
        f"**{case.title}**",
        "",
        "| zeros | of all kernels | int8 .tflite | zipped | LiteRT: time | C engine: stored | C engine: instructions |",
        "| --- " * 7 + "|",
    ]
    for arm in ARMS:
        if arm.name not in own or "dense" not in own:
            continue
        found, dense = own[arm.name], own["dense"]
        assert found.engine_instructions
        assert dense.engine_instructions
        lines.append(
            f"| {arm.title} | {found.zeros:.0%} | {kib(found.int8_bytes)} | {kib(found.int8_zip_bytes)} "
            f"({found.int8_zip_bytes / dense.int8_zip_bytes:.0%}) | {found.latency_ratio:.2f} | "
            f"{kib(found.stored_bytes)} ({found.stored_bytes / dense.stored_bytes:.0%}) | "
            f"{found.engine_instructions / 1e6:.1f} M ({found.engine_instructions / dense.engine_instructions:.0%}) |"
        )
    return "\n".join(lines)


def accuracy_table(cases: Sequence[Case], records: Sequence[Record]) -> str:
    """Return the table of accuracies in Markdown."""
    by_key = {record.key: record for record in records}
    heads = [f"{case.title}: {what}" for case in cases for what in ("not trained", "trained", "its int8 file")]
    lines = [f"| zeros | {' | '.join(heads)} |", "| --- " * (1 + len(heads)) + "|"]
    for arm in ARMS:
        cells = []
        for case in cases:
            plain, after = by_key.get((case.name, arm.name, 0)), by_key.get((case.name, arm.name, EPOCHS[case.name]))
            cells += ["–" if plain is None else f"{plain.accuracy:.1%}"]
            cells += ["–", "–"] if after is None else [f"{after.accuracy:.1%}", f"{after.int8_accuracy:.1%}"]
        if {*cells} != {"–"}:
            lines.append(f"| {arm.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the name of one network")
    parser.add_argument("--out", type=Path, default=Path("out/sparse-files"), help="folder for the measurements")
    parser.add_argument("--from-records", action="store_true", help="write the tables from the records that are kept")
    given = parser.parse_args()
    cases = [case for case in CASES if given.only in (None, case.name)]
    if given.from_records:
        records = read_records(RECORDS, Record)
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        records = list(measured(cases, given.out / "records.jsonl"))
    sizes = "\n\n".join(size_table(case, records) for case in cases)
    if given.only is None:
        put(PAGE, "sparse-files", sizes)
        put(PAGE, "sparse-accuracy", accuracy_table(cases, records))
    else:
        sys.stdout.write(f"{sizes}\n\n{accuracy_table(cases, records)}\n")


if __name__ == "__main__":
    main()
