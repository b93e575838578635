"""Compares the C engine with tflite-micro, and measures it on emulated cores: writes docs/results/devices.md.

`python benchmarks/devices.py`. The families in OUT are trained if they are missing. The command resumes where it
stopped: what was measured with the same engine is kept in RECORDS.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from device_records import (
    BudgetRecord,
    Comparison,
    CoreFigures,
    FamilyRecord,
    LayerFigures,
    MemberFigures,
    SizeFigures,
    read,
    read_budget,
    write,
)
from devices_page import page
from reds_c_engine import reference
from reds_c_engine.deploy import Engine, generated, written
from reds_c_engine.emulator import CORES, measure, outputs_on_core, outputs_on_host, unavailable
from reds_c_engine.kernel_records import Convolution
from reds_c_engine.records import Step
from reds_litert.graph import FileGraph, read_graph
from reds_litert.schema import packed, unpacked
from reds_tflite_micro import interpreter
from reds_tflite_micro.allocations import allocations

from reds_core import Plan, Registry, load_data, load_plan
from reds_core.cli import run
from reds_core.framework import Arrays, Framework
from reds_core.system import write_archive, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
ASSETS = REPOSITORY.parent / "shared" / "assets"
PAGE = REPOSITORY / "docs" / "results" / "devices.md"
RECORDS = REPOSITORY / "benchmarks" / "records" / "devices"
INPUTS = 200
FULL = "full"
HOST = "this machine, with sanitizers"

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Case:
    """A family.

    Attributes:
        name: Its name.
        model: The file of its model in ../shared/assets; None for the network that is trained on the digits.
        data: The file of its data there; None for the digits.
        options: Further options of `reds prune`.
        has_labels: Whether accuracy means something.
    """

    name: str
    model: str | None
    data: str | None
    options: tuple[str, ...] = ("--budget", "macs=0.75,0.5,0.25", "--align", "1")
    has_labels: bool = True


CASES = (
    Case("digits", None, None, ("--budget", "macs=0.75,0.5,0.25", "--finetune-epochs", "1")),
    Case("ds-cnn-s", "arm_kws_ds_cnn_s.keras", "speech_commands.npz"),
    Case("cnn-s", "arm_kws_cnn_s.keras", "speech_commands.npz"),
    Case("resnet8", "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz", ("--budget", "macs=0.75,0.5", "--align", "1")),
    Case("ds-cnn-m", "arm_kws_ds_cnn_m.keras", "speech_commands.npz"),
    Case(
        "vww-96",
        "mlperf_tiny_vww_96.keras",
        "cifar10.npz",
        ("--budget", "macs=0.75,0.5,0.25", "--finetune-epochs", "0", "--scorer", "magnitude"),
        has_labels=False,
    ),
)
BUDGET_FAMILY, BUDGET_BYTES = "ds-cnn-s", 15_000
BUDGET_RECORD = "arena-budget.json"


@dataclass(frozen=True, eq=False)
class FamilyFiles:
    """A finished run and its int8 files.

    Attributes:
        case: Which family it is.
        folder: The folder of the run.
        data: Where its data is.
    """

    case: Case
    folder: Path
    data: str

    @cached_property
    def plan(self) -> Plan:
        return load_plan(self.folder)

    @cached_property
    def contents(self) -> list[tuple[str, bytes]]:
        """The name and the int8 file of each member, the full network last."""
        names = [member.name for member in self.plan.subnetworks]
        paths = [self.folder / f"subnet-{name}-int8.tflite" for name in names] + [self.folder / "full-int8.tflite"]
        return [(name, path.read_bytes()) for name, path in zip([*names, FULL], paths, strict=True)]

    @cached_property
    def graphs(self) -> list[FileGraph]:
        return [read_graph(content) for _, content in self.contents]

    @cached_property
    def framework(self) -> Framework:
        return Registry().default_framework()

    @cached_property
    def dataset(self) -> Any:
        return load_data(self.data, self.framework)

    def inputs(self, count: int) -> Int8Array:
        """Test examples, evenly spaced, as integers of the full network."""
        x = self.dataset.test.x
        chosen = x[np.linspace(0, len(x) - 1, count).astype(np.int64)]
        return quantized(self.graphs[-1], chosen)


def quantized(graph: FileGraph, x: npt.NDArray[Any]) -> Int8Array:
    """Return real inputs as integers, in the shape of the input of a network."""
    tensor = graph.tensors[graph.inputs[0]]
    integers = np.rint(x.astype(np.float32) / np.float32(tensor.scale)) + tensor.zero_point
    return np.clip(integers, -128, 127).astype(np.int8).reshape(len(x), *tensor.shape[1:])


def family_of(case: Case, out: Path) -> FamilyFiles:
    """The family of a case, which is trained unless OUT has it already."""
    data = str(ASSETS / "data" / case.data) if case.data else "digits"
    if case.name == "vww-96":
        data = str(enlarged_images(out))
    arguments = ["prune", *([str(ASSETS / "models" / case.model)] if case.model else ()), "--data", data]
    arguments += [*case.options, "--out", str(out / case.name), "--resume"]
    if not (out / case.name / "plan.json").exists():
        status = run(arguments)
        if status:
            sys.exit(status)
    return FamilyFiles(case, out / case.name, data)


def enlarged_images(out: Path) -> Path:
    """Enlarged images of CIFAR-10, labelled by parity, for the network for which ../shared/assets has no images."""
    path = out / "images-96.npz"
    if not path.exists():
        with np.load(ASSETS / "data" / "cifar10.npz", allow_pickle=False) as data:
            arrays = {}
            for part, count in (("train", 500), ("test", INPUTS)):
                images = data[f"x_{part}"][:count]
                arrays[f"x_{part}"] = (np.kron(images, np.ones((1, 3, 3, 1), np.uint8)) / 255).astype(np.float32)
                arrays[f"y_{part}"] = data[f"y_{part}"][:count].reshape(-1).astype(np.int64) % 2
        write_archive(path, arrays)
    return path


# --- what is compared ------------------------------------------------------------------------------------------------


def micro_outputs(content: bytes, x: Int8Array) -> Int8Array:
    """What tflite-micro computes, int8 (examples, elements)."""
    (found,) = interpreter.run(Path("file.tflite"), content, (x,))
    return found.reshape(len(x), -1)


def compared(found: Int8Array, expected: Int8Array) -> Comparison:
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return Comparison(expected.size, int((found != expected).sum()))


def accuracy_of(graph: FileGraph, data: Arrays) -> float:
    """Accuracy with the arithmetic of tflite-micro."""
    outputs = reference.run(graph, quantized(graph, data.x)).reshape(len(data.x), -1)
    labels = np.asarray(data.y)
    labels = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    return float((outputs.argmax(axis=1) == labels).mean())


def separately_quantised(family: FamilyFiles, name: str, folder: Path) -> FileGraph:
    """A member quantised by itself, with its own ranges of weights."""
    path = folder / f"separate-{name}.tflite"
    if not path.exists():
        from reds_tensorflow.export import converted

        model = family.framework.load_model(family.folder / f"subnet-{name}.keras")
        path.write_bytes(converted(model, "int8", family.dataset.train))
    return read_graph(path.read_bytes())


def budget_record(out: Path) -> BudgetRecord:
    """A run with a budget of `arena`, and what tflite-micro takes with and without the plan of memory in the file."""
    case = next(case for case in CASES if case.name == BUDGET_FAMILY)
    given = ("--budget", "macs=0.75", "--budget", f"arena={BUDGET_BYTES}", "--align", "1", "--finetune-epochs", "0")
    family = family_of(replace(case, name=f"{case.name}-arena", options=given), out)
    member, (_, content) = family.plan.subnetworks[0], family.contents[0]
    heads = [allocations(Path(member.name), each).head_bytes for each in (content, without_plan(content))]
    return BudgetRecord(case.name, given, BUDGET_BYTES, member.usage["arena"], *heads)


# --- figures ---------------------------------------------------------------------------------------------------------


def members_of(family: FamilyFiles, engine: Engine, folder: Path) -> tuple[MemberFigures, ...]:
    plan, test = family.plan, family.dataset.test
    records = [*plan.subnetworks, plan.full]
    return tuple(
        MemberFigures(
            name=name,
            macs=record.usage["macs"],
            peak_ram_bytes=record.usage["peak_ram"],
            arena_head_bytes=allocations(Path(name), content).head_bytes,
            greedy_head_bytes=allocations(Path(name), without_plan(content)).head_bytes,
            engine_arena_bytes=member.arena_bytes,
            file_bytes=len(content),
            accuracy=record.accuracy.after if family.case.has_labels else None,
            accuracy_shared=accuracy_of(graph, test) if family.case.has_labels else None,
            accuracy_separate=(
                accuracy_of(separately_quantised(family, name, folder), test)
                if family.case.has_labels and name != FULL
                else None
            ),
        )
        for (name, content), graph, record, member in zip(
            family.contents, family.graphs, records, engine.family.members, strict=True
        )
    )


def without_plan(content: bytes) -> bytes:
    """A file without the plan of memory, so that tflite-micro makes its own."""
    model = unpacked(content)
    model.metadata = [entry for entry in model.metadata or [] if entry.name != b"OfflineMemoryAllocation"]
    return packed(model)


def sizes_of(family: FamilyFiles, engine: Engine) -> SizeFigures:
    alone = [generated([(FULL, content)], examples=1).sizes for _, content in family.contents]
    engines = [sizes.weights_bytes + sizes.tables_bytes for sizes in alone]
    return SizeFigures(
        weights=engine.sizes.weights_bytes,
        tables=engine.sizes.tables_bytes,
        full_engine=engines[-1],
        separate_engines=sum(engines),
        files=sum(len(content) for _, content in family.contents),
    )


def kind_of(step: Step) -> str:
    if step.kernel.startswith("reds_convolve_depthwise"):
        return "depthwise convolution"
    if isinstance(step.settings, Convolution):
        settings = step.settings
        if settings.out_height * settings.out_width == 1:
            return "fully connected"
        taps = settings.kernel_height * settings.kernel_width
        return "1x1 convolution" if taps == 1 else "other convolution"
    return "other layers"


def macs_of(step: Step) -> int:
    settings = step.settings
    if not isinstance(settings, Convolution):
        return 0
    taps = settings.kernel_height * settings.kernel_width
    inputs = 1 if step.kernel.startswith("reds_convolve_depthwise") else settings.in_channels
    return settings.out_height * settings.out_width * settings.out_channels * taps * inputs


def core_figures(core: str, engine: Engine, folder: Path) -> CoreFigures:
    found = measure(CORES[core], folder, time_limit_s=1800)
    layers: dict[str, list[int]] = {}
    for placed, instructions in zip(engine.family.members[-1].steps, found.layer_instructions[-1], strict=True):
        sums = layers.setdefault(kind_of(placed.step), [0, 0])
        sums[0] += macs_of(placed.step)
        sums[1] += instructions
    return CoreFigures(
        run=found.run_instructions,
        switched=found.switched_instructions,
        switch=found.switch_instructions,
        stack_bytes=found.stack_bytes,
        layers=tuple(LayerFigures(kind, *sums) for kind, sums in sorted(layers.items())),
    )


def digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def recorded(family: FamilyFiles, inputs: int, cores: Sequence[str], folder: Path, path: Path) -> None:
    """Complete the record of a family."""
    engine = generated(family.contents, examples=1)
    sources = folder / "engine"
    for old in sources.glob("*.[ch]"):
        old.unlink()
    written(engine, sources)
    of_files = digest(content for _, content in family.contents)
    of_engine = digest(path.read_bytes() for path in sorted(sources.glob("*.[ch]")))
    record = read(path)
    if record is None or (record.files, record.engine, record.inputs) != (of_files, of_engine, inputs):
        known = record is not None and record.files == of_files
        members = record.members if record is not None and known else members_of(family, engine, folder)
        record = FamilyRecord(family.case.name, of_files, of_engine, inputs, members, sizes_of(family, engine))
        write(record, path)
    x = family.inputs(inputs)
    expected = np.array([micro_outputs(content, x) for _, content in family.contents])
    places = {
        "NumPy reference": lambda: np.array([reference.run(g, x).reshape(len(x), -1) for g in family.graphs]),
        HOST: lambda: outputs_on_host(sources, x),
        **{core: lambda core=core: outputs_on_core(CORES[core], sources, x, time_limit_s=3600) for core in cores},
    }
    for core in cores:
        if core not in record.cores:
            record = record.with_core(core, core_figures(core, engine, sources))
            write(record, path)
    for where, outputs in places.items():
        if where not in record.comparisons:
            record = record.with_comparison(where, compared(outputs(), expected))
            write(record, path)
        print(f"{family.case.name}, {where}: {record.comparisons[where]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/devices"), help="folder of the families")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="number of inputs that are compared")
    parser.add_argument("--families", default=",".join(case.name for case in CASES), help="names, separated by commas")
    parser.add_argument("--cores", default=",".join(CORES), help="names, separated by commas; empty for none")
    parser.add_argument("--page-only", action="store_true", help="only write the page from the records")
    options = parser.parse_args()
    cores = [core for core in options.cores.split(",") if core]
    if not options.page_only:
        missing = unavailable()
        if cores and missing is not None:
            sys.exit(missing)
        for case in CASES:
            if case.name in options.families.split(","):
                family = family_of(case, options.out)
                folder = options.out / f"{case.name}-engine"
                folder.mkdir(parents=True, exist_ok=True)
                recorded(family, options.inputs, cores, folder, options.records / f"{case.name}.json")
        if not (options.records / BUDGET_RECORD).exists():
            write(budget_record(options.out), options.records / BUDGET_RECORD)
    records = [read(options.records / f"{case.name}.json") for case in CASES]
    budget = read_budget(options.records / BUDGET_RECORD)
    write_text(PAGE, page([record for record in records if record is not None], budget))


if __name__ == "__main__":
    main()
