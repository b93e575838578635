"""The trained networks on which benchmarks change kernels, and how their files and records are kept."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from kept_records import lines_to_resume

from reds_core import Registry
from reds_core.framework import (
    Arrays,
    ExportSource,
    Family,
    FinetuneSettings,
    Framework,
    Projection,
    Target,
    Task,
    Training,
)
from reds_core.network import Network
from reds_core.system import read_archive
from reds_core.transforms import LevelSettings

ROOT = Path(__file__).parents[1]
ASSETS = ROOT.parent / "shared" / "assets"
CALIBRATION_EXAMPLES = 256
R = TypeVar("R")


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


class TrainedNetwork:
    """The network of a case, its data, and the target of int8 files.

    Args:
        case: the case.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.framework: Framework = Registry().default_framework()
        self.int8: Target = Registry().create(Target, "tflite-int8", {})
        self.model = self.framework.load_model(ASSETS / "models" / case.model)
        self.network = self.framework.inspect(self.model)
        arrays = read_archive(ASSETS / "data" / case.data)
        self.train, self.test = (
            self.framework.check_data(self.model, Arrays(arrays[f"x_{part}"], arrays[f"y_{part}"]), Task(), part)
            for part in ("train", "test")
        )

    def finetune(self, family: Family[Any], epochs: int, projections: tuple[Mapping[int, Projection], ...]) -> None:
        """Train the networks of a family in place as the case says, with the network of the case as their teacher."""
        asked = replace(self.case.settings, epochs=epochs)
        training = Training(self.train, asked, 0, lambda progress: None, teacher=self.model, projections=projections)
        self.framework.finetune(family, training)

    def source(self, model: Any, network: Network, settings: LevelSettings) -> ExportSource:
        """Return what files of a model are exported from, calibrated on the first training examples."""
        calibration = Arrays(self.train.x[:CALIBRATION_EXAMPLES], self.train.y[:CALIBRATION_EXAMPLES])
        return ExportSource(self.framework, model, network, settings, calibration)

    def accuracies(self, model: Any, int8: Path) -> tuple[float, float]:
        """Return the accuracy of a model and that of its int8 file on test data."""
        file = self.int8.load(self.framework, int8)
        own = self.framework.accuracy(model, self.test, Task())
        return own, file.evaluate(file.check_data(self.test, "test data"), Task()).metric


def sizes_of(path: Path) -> tuple[int, int]:
    """Return the size of a file, and that of an archive that holds it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        opened.writestr(path.name, path.read_bytes())
    return path.stat().st_size, len(archive.getvalue())


def kib(size_bytes: int) -> str:
    """Return a size in KiB."""
    return f"{size_bytes / 1024:.1f} KiB"


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Return the records in a file, which need not exist."""
    lines = lines_to_resume(path)
    return [kind(**json.loads(line)) for line in lines]


def keep_record(path: Path, record: Any) -> None:
    """Append a record to a file, and print it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")
    sys.stdout.write(f"{record}\n")
    sys.stdout.flush()
