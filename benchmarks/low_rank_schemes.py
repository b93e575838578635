"""Compares the schemes of low rank on ResNet8: what a level saves and what it costs in accuracy.

`python benchmarks/low_rank_schemes.py [--epochs 1] [--levels 25,50,75] [--out OUT] [--write]`. All 3 x 3 kernels get
the same level, others stay as they are. Accuracies are measured on test data: after the truncation with batch norms
recalibrated, of the truncation that takes no account of the inputs and of the one that does, and after the latter was
trained. Measurements in OUT/schemes.jsonl are not made again; `--write` puts the table into docs/guide/low-rank.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from kept_records import lines_to_resume
from page_sections import put
from scorers import ASSETS

from reds_core import Registry, load_data
from reds_core.cost import CostModel
from reds_core.formulation import Statement, decision_space
from reds_core.framework import Arrays, Family, FinetuneSettings, Framework, Projection, Task, Training, projections
from reds_core.transforms import LevelSettings, Transform

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "low-rank.md"
MODEL, DATA = "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz"
SCHEMES = ("channels", "spatial", "tucker")
BATCH_SIZE, LEARNING_RATE = 64, 1e-3


@dataclass(frozen=True)
class Measured:
    """One scheme at one level.

    Attributes:
        scheme: the scheme.
        level: the level of all 3 x 3 kernels.
        epochs: for how many epochs the network was trained.
        params, macs: as shares of those of the full network.
        plain, weighted: accuracy after the truncation without and with the second moments of the inputs.
        trained: accuracy after training.
    """

    scheme: str
    level: int
    epochs: int
    params: float
    macs: float
    plain: float
    weighted: float
    trained: float


class Subject:
    """ResNet8 and its data."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.framework: Framework = self.registry.default_framework()
        self.model = self.framework.load_model(ASSETS / "models" / MODEL)
        self.network = self.framework.inspect(self.model)
        data = load_data(str(ASSETS / "data" / DATA), self.framework, self.framework.input_shape(self.model), 0)
        self.train: Arrays = self.framework.check_data(self.model, data.train, Task(), "training data")
        self.test: Arrays = self.framework.check_data(self.model, data.test, Task(), "test data")
        self.kernels = {w.layer for w in self.network.weights if w.shape[:2] == (3, 3)}

    def measured(self, scheme: str, level: int, epochs: int) -> Measured:
        """Measure one scheme at one level."""
        options = {"low-rank": {"levels": str(level), "scheme": scheme}}
        transform = self.registry.create(Transform, "low-rank", options)
        space = decision_space(self.network, [transform])
        sites = [offer.site for offer in space.offers if offer.site in self.kernels]
        settings = LevelSettings({site: {"rank_percent": level} for site in sites})
        statement = Statement(self.network, CostModel(), space=space)
        full, used = (statement.usage(self.network.channels, each) for each in (LevelSettings({}), settings))
        found = projections(self.network, [transform], settings)
        blind = {index: dataclasses.replace(each, reads=None) for index, each in found.items()}
        return Measured(
            scheme, level, epochs, used["params"] / full["params"], used["macs"] / full["macs"],
            self._accuracy(blind, 0), self._accuracy(found, 0), self._accuracy(found, epochs),
        )  # fmt: skip

    def _accuracy(self, found: dict[int, Projection], epochs: int) -> float:
        """Return the accuracy of a copy of the model with projected weights."""
        model = self.framework.extract(self.model, self.network, {})
        settings = FinetuneSettings(epochs=epochs, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)
        training = Training(self.train, settings, 0, lambda progress: None, projections=(found,))
        self.framework.finetune(Family(model, (), (), full_settings=LevelSettings({"": {"": 0}})), training)
        return float(self.framework.accuracy(model, self.test, Task()))


def table(records: list[Measured], whole: float) -> str:
    """Render all measurements as a Markdown table."""
    lines = [
        "| scheme | level | params | MACs | SVD alone | weighted | trained |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| dense | 100 | 100 % | 100 % | {whole:.1%} | {whole:.1%} | |",
    ]
    for r in sorted(records, key=lambda r: (SCHEMES.index(r.scheme), r.level)):
        lines.append(
            f"| `{r.scheme}` | {r.level} | {r.params:.0%} | {r.macs:.0%} | {r.plain:.1%} | {r.weighted:.1%} "
            f"| {r.trained:.1%} |"
        )
    return "\n".join(lines).replace("%", " %").replace("  %", " %")


def main() -> None:
    """Measure all schemes at all levels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--levels", default="25,50,75")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "records" / "low-rank")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "schemes.jsonl"
    lines = lines_to_resume(path)
    known = {(r.scheme, r.level, r.epochs): r for r in (Measured(**json.loads(line)) for line in lines)}
    subject = Subject()
    records = []
    for level in map(int, arguments.levels.split(",")):
        for scheme in SCHEMES:
            key = (scheme, level, arguments.epochs)
            if key not in known:
                known[key] = subject.measured(*key)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(known[key])) + "\n")
            records.append(known[key])
            sys.stdout.write(f"{known[key]}\n")
            sys.stdout.flush()
    whole = float(subject.framework.accuracy(subject.model, subject.test, Task()))
    text = table(records, whole)
    sys.stdout.write(f"{text}\n")
    if arguments.write:
        put(PAGE, "schemes", text)


if __name__ == "__main__":
    main()
