"""Measures whether values of widths and bits together predict the accuracy of trained networks.

`python benchmarks/value_of_levels.py [--case ds-cnn-s] [--choices 24] [--epochs 2] [--levels 8,4,2] [--out OUT]`.
Random choices of widths and of the weight bits of each layer, which take about a quarter of the bytes of the weights
and at most half of the MACs, are trained alone with quantised weights for a few epochs, and measured on training data
held back from them. Each kind of value is then correlated with the outcome, and the exchange rate is fitted. Test
data takes no part in choices or fits. Measurements in OUT/records.jsonl are not made again; `--write` puts the table
into docs/guide/sensitivity.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from kept_records import lines_to_resume
from page_sections import put
from scipy.stats import spearmanr
from scorers import ASSETS, CASES

from reds_core import Registry, load_data, split_validation
from reds_core.cost import CostModel
from reds_core.formulation import Statement, channel_order, decision_space
from reds_core.framework import Arrays, Family, FinetuneSettings, Framework, Task, Training, projections
from reds_core.network import Kept, Network
from reds_core.scoring import (
    LevelLosses,
    LossMeasurement,
    Scorer,
    ScoreTable,
    TrainedChoice,
    fitted_rate,
    level_losses,
    score,
    width_value,
)
from reds_core.transforms import LevelSettings, Transform

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "sensitivity.md"
HELD_BACK = 1000
BYTES = (0.22, 0.28)
"""The range of the bytes of the weights, as shares of those of the full network at 8 bits."""
MACS = 0.5
STEP = 4
"""Widths are multiples of it."""
RATES = (0.0, 0.1, 0.3, 0.5, 1.0, 3.0)
SCORERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "taylor": ("taylor", {}),
    "fisher": ("fisher", {}),
    "measured": ("sensitivity", {"recalibrate": "true"}),
    "measured, floor 0.5": ("sensitivity", {"recalibrate": "true", "floor": "0.5"}),
}
BATCH_SIZE, LEARNING_RATE = 64, 2e-3


@dataclass(frozen=True)
class Trained:
    """One choice and its figures.

    Attributes:
        case: the model.
        choice: number of the choice.
        epochs: for how many epochs it was trained.
        widths: the width of each group.
        levels: the bits of each layer.
        share: bytes of its weights as a share of the full network's at 8 bits.
        macs: its share of the MACs.
        untrained: accuracy on held-back data with recalibrated batch norms, before training.
        accuracy, loss: on held-back data after training.
        test: accuracy on test data after training.
    """

    case: str
    choice: int
    epochs: int
    widths: dict[str, int]
    levels: dict[str, int]
    share: float
    macs: float
    untrained: float
    accuracy: float
    loss: float
    test: float

    @property
    def settings(self) -> LevelSettings:
        return LevelSettings({site: {"weight_bits": bits} for site, bits in self.levels.items()})


class Subject:
    """A model, its data, and what can be decided about it."""

    def __init__(self, name: str, levels: str) -> None:
        case = next(each for each in CASES if each.name == name)
        self.name = name
        self.registry = Registry()
        self.framework: Framework = self.registry.default_framework()
        self.model = self.framework.load_model(ASSETS / "models" / case.model)
        self.network: Network = self.framework.inspect(self.model)
        data = load_data(str(ASSETS / "data" / case.data), self.framework, self.framework.input_shape(self.model), 0)
        train = self.framework.check_data(self.model, data.train, Task(), "training data")
        self.train, self.held = split_validation(train, HELD_BACK / len(train), 0)
        self.test = self.framework.check_data(self.model, data.test, Task(), "test data")
        self.transform = self.registry.create(Transform, "weight-bits", {"weight-bits": {"levels": levels}})
        self.space = decision_space(self.network, [self.transform])
        self.statement = Statement(self.network, CostModel(), space=self.space)
        self.full = self.statement.usage(self.network.channels)

    def scores(self, label: str) -> ScoreTable:
        name, options = SCORERS[label]
        scorer = self.registry.create(Scorer, name, {name: options})
        return score(scorer, self.framework, self.model, self.network, self.train, Task(), seed=0)

    @cached_property
    def order(self) -> Kept:
        """The order of the channels in all networks, so that only widths and levels differ."""
        return channel_order(self.scores("taylor"))

    def losses(self) -> LevelLosses:
        measuring = LossMeasurement.sampled(self.framework, self.model, self.network, self.train)
        return level_losses(measuring, self.space.offers)

    def choices(self) -> Iterator[tuple[dict[str, int], dict[str, int], float, float]]:
        """Random widths and bits that meet the budgets, always in the same sequence, with their shares."""
        rng = np.random.default_rng(7)
        while True:
            widths = {
                group: STEP * int(rng.integers(max(1, n // STEP // 4), n // STEP + 1))
                for group, n in self.network.channels.items()
            }
            levels = {}
            for offer in self.space.offers:
                weights = np.linspace(1.2, 1.0, len(offer.levels))
                levels[offer.site] = int(rng.choice(offer.levels, p=weights / weights.sum()))
            used = self.statement.usage(widths, LevelSettings({s: {"weight_bits": b} for s, b in levels.items()}))
            share, macs = used["params"] / self.full["params"], used["macs"] / self.full["macs"]
            if BYTES[0] <= share <= BYTES[1] and macs <= MACS:
                yield widths, levels, share, macs

    def trained(
        self, choice: int, epochs: int, widths: dict[str, int], levels: dict[str, int], share: float, macs: float
    ) -> Trained:
        kept: Kept = {group: self.order[group][:width] for group, width in widths.items()}
        settings = LevelSettings({site: {"weight_bits": bits} for site, bits in levels.items()})
        projected = projections(self.network, [self.transform], settings)
        framework, model = self.framework, self.framework.extract(self.model, self.network, kept)
        plain = framework.weights(model, framework.inspect(model))
        changed = [
            projected[i].function(w.astype(np.float64)).astype(w.dtype) if i in projected else w
            for i, w in enumerate(plain)
        ]
        network = framework.inspect(model)
        framework.assign(model, network, changed)
        self._tuned(Family(model, (model,), (network.channels,)), 0, ())
        untrained = self._accuracy(model, self.held)
        framework.assign(model, network, plain)
        self._tuned(Family(model, (), (), full_settings=settings), epochs, (projected,))
        return Trained(
            self.name, choice, epochs, widths, levels, share, macs, untrained, self._accuracy(model, self.held),
            framework.loss(model, self.held, Task()), self._accuracy(model, self.test),
        )  # fmt: skip

    def _tuned(self, family: Family[object], epochs: int, projected: tuple[object, ...]) -> None:
        how = FinetuneSettings(epochs=epochs, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)
        training = Training(
            self.train,
            how,
            0,
            lambda progress: None,
            teacher=self.model,
            projections=projected,  # type: ignore[arg-type]
        )
        self.framework.finetune(family, training)

    def _accuracy(self, model: object, data: Arrays) -> float:
        return float(self.framework.accuracy(model, data, Task()))


def records(subject: Subject, out: Path, count: int, epochs: int) -> list[Trained]:
    """Train the choices that are not in the file yet."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "records.jsonl"
    lines = lines_to_resume(path)
    found = {(r.case, r.choice, r.epochs): r for r in (Trained(**json.loads(line)) for line in lines)}
    made = []
    for number, drawn in zip(range(count), subject.choices(), strict=False):
        key = (subject.name, number, epochs)
        if key not in found:
            found[key] = subject.trained(number, epochs, *drawn)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(found[key])) + "\n")
        made.append(found[key])
        r = found[key]
        sys.stdout.write(f"{r.case} {number}: {r.share:.3f} bytes, held back {r.accuracy:.3f}, loss {r.loss:.4f}\n")
        sys.stdout.flush()
    return made


def table(subject: Subject, made: list[Trained]) -> str:
    """Rank correlations of each kind of value with the outcome, and the fitted rate."""
    losses = subject.losses()
    rises = np.array([losses.rise(r.settings) for r in made])
    outcomes = {
        "accuracy, held back": [r.accuracy for r in made],
        "minus loss, held back": [-r.loss for r in made],
        "accuracy, test": [r.test for r in made],
    }
    rows = [f"| value of widths | rate | {' | '.join(outcomes)} |", f"| --- | --- |{' --- |' * len(outcomes)}"]
    fits = []

    def row(label: str, rate: str, values: list[float]) -> None:
        found = [float(spearmanr(values, outcome).statistic) for outcome in outcomes.values()]
        rows.append(f"| {label} | {rate} | {' | '.join(f'{each:.2f}' for each in found)} |")

    for label in SCORERS:
        scores = subject.scores(label)
        widths = np.array([width_value(scores, r.widths) for r in made])
        for rate in RATES:
            row(label, f"{rate:g}", (widths - rate * rises).tolist())
        found = [TrainedChoice(float(w), float(n), r.loss) for w, n, r in zip(widths, rises, made, strict=True)]
        fit = fitted_rate(found)
        error = "" if fit.standard_error is None else f", standard error {fit.standard_error:.2f}"
        fits.append(
            f"{label}: held-back loss = {fit.base:.2f} + {fit.by_value:.2f} x (- value) + {fit.by_rise:.2f} x rise, "
            f"rate {fit.by_rise / fit.by_value:.2f}{error}, R² {fit.explained:.2f}"
        )
    row("accuracy of the whole choice, untrained", "-", [r.untrained for r in made])
    row("bytes", "-", [r.share for r in made])
    row("MACs", "-", [r.macs for r in made])
    return "\n".join([*rows, "", f"{len(made)} choices. Least squares:", "", *(f"- {fit}" for fit in fits)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[case.name for case in CASES], default="ds-cnn-s")
    parser.add_argument("--choices", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--levels", default="8,4,2", help="the bits of weights")
    parser.add_argument("--out", type=Path, default=Path("out/value-of-levels"), help="folder for records")
    parser.add_argument("--write", action="store_true", help="put the table into docs/guide/sensitivity.md")
    given = parser.parse_args()
    subject = Subject(given.case, given.levels)
    made = records(subject, given.out, given.choices, given.epochs)
    text = table(subject, made)
    sys.stdout.write(text + "\n")
    if given.write:
        put(PAGE, f"value {given.case}", text)


if __name__ == "__main__":
    main()
