"""Measures whether values by a scorer predict the accuracy of pruned networks (ResNet8, CIFAR-10, half the MACs).

`python benchmarks/scorer_accuracy.py [--choices 24] [--trained 8] [--out OUT]`. For every scorer the same random width
choices that use the budget, and the one that the exact solver finds, are priced by the scorer and measured on training
data held back from it: as cut, with batch-norm statistics measured anew, and after one epoch of training on 2,000
images. `--scales` measures, instead, what the solver finds where the scores of each group are brought to one scale, on
DS-CNN S, too. Test data plays no part. Measurements in OUT/scorer-accuracy.jsonl are not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kept_records import lines_to_resume
from page_sections import put
from scipy.stats import spearmanr
from scorers import ASSETS, CASES, PAGE, WAYS, Case, Way

from reds_core import Registry, Search, load_data, split_validation
from reds_core.cost import CostModel, resource_forms
from reds_core.errors import RedsError
from reds_core.formulation import Formulation, formulate
from reds_core.framework import Arrays, Family, FinetuneSettings, Framework, Task, Training
from reds_core.knapsack import Controls
from reds_core.network import Kept, Network
from reds_core.scoring import Scorer, score

BUDGET = 0.5
HELD_BACK = 1000
TRAINED_ON = 2000
SOLVED = "solved"
SCALED = ("magnitude", "fpgm", "bn-scale", "mean-activation", "apoz")
"""Scorers that do not estimate the effect on the loss, so that the scales of their scores differ between groups."""


def scaled_ways() -> list[Way]:
    """Those scorers with every kind of scale."""
    kinds = ("none", "mean", "max", "sum", "l2", "log")
    return [Way(f"{scorer} / {kind}", scorer, (("normalise", kind),)) for scorer in SCALED for kind in kinds]


@dataclass(frozen=True)
class Record:
    """The measurements of one network.

    Attributes:
        choice: number of the random widths, or "solved".
        value: by the scorer, as a share of the full network's.
        cut, loss: accuracy and loss on held-back data as extracted.
        recalibrated: accuracy with batch-norm statistics of its own.
        trained: accuracy after an epoch; None where not trained.
    """

    case: str
    label: str
    choice: str
    widths: dict[str, int]
    value: float
    cut: float
    loss: float
    recalibrated: float
    trained: float | None


class Bench:
    """A model, its data and the problem of a share of its MACs."""

    def __init__(self, case: Case, budget: float = BUDGET) -> None:
        self.case = case
        self.registry = Registry()
        self.framework: Framework = self.registry.default_framework()
        self.model = self.framework.load_model(ASSETS / "models" / case.model)
        self.network: Network = self.framework.inspect(self.model)
        data = load_data(str(ASSETS / "data" / case.data), self.framework, self.framework.input_shape(self.model), 0)
        train = self.framework.check_data(self.model, data.train, Task(), "training data")
        self.train, held = split_validation(train, HELD_BACK / len(train), 0)
        self.held: Arrays = held
        self.forms = resource_forms(self.network, ["macs"], CostModel())
        self.capacities = {r: int(budget * f.at(self.network.channels)) for r, f in self.forms.items()}

    def stated(self, way: Way) -> Formulation:
        scorer = self.registry.create(Scorer, way.scorer, {way.scorer: dict(way.options)})
        table = score(scorer, self.framework, self.model, self.network, self.train, Task(), seed=0, level=way.level)
        return formulate(self.network, table, self.forms, self.capacities, way.label)

    def random_widths(self, seed: int) -> dict[str, int]:
        """Random shares of all groups, then channels added to random groups while any fits."""
        rng = np.random.default_rng(seed)
        channels, form, most = self.network.channels, self.forms["macs"], self.capacities["macs"]
        while True:
            widths = {g: max(1, round(n * rng.uniform(0.1, 1))) for g, n in channels.items()}
            if form.at(widths) <= most:
                break
        while True:
            fits = [g for g, n in channels.items() if widths[g] < n and form.at({**widths, g: widths[g] + 1}) <= most]
            if not fits:
                return widths
            widths[str(rng.choice(fits))] += 1

    def solved_widths(self, stated: Formulation) -> dict[str, int]:
        solution = Search(self.registry, "auto", {}, Controls(time_limit_s=120.0, seed=0)).choose(stated.problem)
        return dict(solution.widths or {})

    def measured(self, way: Way, choice: str, stated: Formulation, widths: dict[str, int], train: bool) -> Record:
        problem = stated.problem
        options = [widths[g.name] - 1 for g in problem.groups]
        full = problem.evaluate([g.options - 1 for g in problem.groups]).value
        kept: Kept = {g: stated.order[g][:w] for g, w in widths.items()}
        small = self.framework.extract(self.model, self.network, kept)
        cut, loss = self._accuracy(small), self.framework.loss(small, self.held, Task())
        self._tuned(small, 0)
        recalibrated = self._accuracy(small)
        trained = None
        if train:
            self._tuned(small, 1)
            trained = self._accuracy(small)
        value = problem.evaluate(options).value / full
        return Record(self.case.name, way.label, choice, widths, value, cut, loss, recalibrated, trained)

    def _accuracy(self, model: Any) -> float:
        return self.framework.accuracy(model, self.held, Task())

    def _tuned(self, model: Any, epochs: int) -> None:
        """Train a network on its own, in place; with 0 epochs only its batch-norm statistics are measured."""
        part = self.train.take(np.sort(np.random.default_rng(1).permutation(len(self.train))[:TRAINED_ON]))
        settings = FinetuneSettings(epochs=epochs, batch_size=32, learning_rate=1e-3)
        widths = self.framework.inspect(model).channels
        family: Family[Any] = Family(model, (model,), (widths,)) if epochs == 0 else Family(model, (), ())
        self.framework.finetune(family, Training(part, settings, 0, lambda progress: None))


class Store:
    """Measurements, each of which is saved at once."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._path = out / "scorer-accuracy.jsonl"
        lines = lines_to_resume(self._path)
        self._found = {(r.case, r.label, r.choice): r for r in (Record(**json.loads(line)) for line in lines)}

    def records(self, bench: Bench, way: Way, choices: int, trained: int) -> list[Record]:
        """Measure the solution of the solver and `choices` random choices.

        If `trained` is above 0, the solution is trained, too.
        """
        wanted = [SOLVED, *map(str, range(choices))]
        train = {SOLVED, *map(str, range(trained))} if trained else set()
        keys = {choice: (bench.case.name, way.label, choice) for choice in wanted}
        missing = [
            c for c, k in keys.items() if k not in self._found or (c in train and self._found[k].trained is None)
        ]
        try:
            stated = bench.stated(way) if missing else None
        except RedsError as error:
            sys.stdout.write(f"{way.label}: {error}\n")
            return []
        for choice in missing:
            assert stated is not None
            widths = bench.solved_widths(stated) if choice == SOLVED else bench.random_widths(int(choice))
            record = bench.measured(way, choice, stated, widths, choice in train)
            self._found[keys[choice]] = record
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(record)) + "\n")
        sys.stdout.write(f"{bench.case.name} {way.label}: {len(missing)} measured\n")
        sys.stdout.flush()
        return [self._found[key] for key in keys.values()]


def correlation(values: list[float], accuracies: list[float]) -> str:
    """Spearman's correlation as text, or a dash if one side is constant."""
    if len(values) < 3 or len(set(values)) < 2 or len(set(accuracies)) < 2:
        return "-"
    return f"{spearmanr(values, accuracies).statistic:.2f}"


def table(made: list[Record]) -> str:
    lines = [
        "| scorer | rank correlation of the value with: accuracy as cut | minus loss as cut | accuracy recalibrated "
        "| accuracy after an epoch | solved: as cut | recalibrated | after an epoch | mean of random: recalibrated "
        "| after an epoch |",
        "| --- " * 10 + "|",
    ]
    for label in dict.fromkeys(r.label for r in made):
        own = [r for r in made if r.label == label]
        drawn = [r for r in own if r.choice != SOLVED]
        solved = next(r for r in own if r.choice == SOLVED)
        tuned = [r for r in own if r.trained is not None]
        values = [r.value for r in own]
        cells = [
            correlation(values, [r.cut for r in own]),
            correlation(values, [-r.loss for r in own]),
            correlation(values, [r.recalibrated for r in own]),
            correlation([r.value for r in tuned], [r.trained or 0.0 for r in tuned]),
            percent(solved.cut),
            percent(solved.recalibrated),
            percent(solved.trained),
            percent(float(np.mean([r.recalibrated for r in drawn]))),
            percent(float(np.mean([r.trained for r in drawn if r.trained is not None])) if tuned[1:] else None),
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scales_table(made: list[Record]) -> str:
    """A table of the solutions at each scale: accuracy as cut and recalibrated, and the widths."""
    lines = [
        "| model | scorer / scale | accuracy as cut | loss as cut | accuracy recalibrated | widths |",
        "| --- " * 6 + "|",
    ]
    lines += [
        f"| {r.case} | {r.label} | {percent(r.cut)} | {r.loss:.2f} | {percent(r.recalibrated)} "
        f"| {' '.join(map(str, r.widths.values()))} |"
        for r in made
    ]
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """A share as text, or a dash."""
    return "-" if share is None else f"{100 * share:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choices", type=int, default=24, help="number of random width choices for each scorer")
    parser.add_argument("--trained", type=int, default=0, help="number of them that are also trained")
    parser.add_argument("--out", type=Path, default=Path("out/scorers"), help="folder for the measurements")
    parser.add_argument("--only", default="", help="scorers to compare, comma-separated; all by default")
    parser.add_argument("--scales", action="store_true", help="compare scales instead of scorers")
    given = parser.parse_args()
    store = Store(given.out)
    if given.scales:
        benches = [Bench(case) for case in CASES]
        scaled = [r for bench in benches for way in scaled_ways() for r in store.records(bench, way, 0, 0)]
        put(PAGE, "scales", scales_table(scaled))
        return
    bench = Bench(next(case for case in CASES if case.name == "resnet8"))
    ways = [way for way in WAYS if not given.only or way.label in given.only.split(",")]
    made = [r for way in ways for r in store.records(bench, way, given.choices, given.trained)]
    text = f"{given.choices} random choices a scorer, {given.trained} of them trained.\n\n{table(made)}"
    put(PAGE, "accuracy", text)


if __name__ == "__main__":
    main()
