"""Compares recipes of fine-tuning at equal processor time for docs/guide/finetuning.md, on data held back from
training.

    python benchmarks/dropout.py                       # trains the network of the case `fashion`, unless it exists
    python benchmarks/recipes.py [--cases dnn-s,...] [--recipes NAME,...] [--seeds 0,1] [--out out/recipes]

For each case the widths of three members (75, 50 and 25 % of the MACs) are chosen once; then every recipe trains the
same family from the same weights. Seeds differ in the training examples, in their order and, except for `fashion`, in
the examples that are held back to measure on. Test data is not used. The same command resumes where it stopped, since
measurements in OUT/records.jsonl are not made again. With --from-records the summary is written from
benchmarks/records/recipes without running anything. These records include recipes that the product does not offer
(recipe_tables.NOT_OFFERED), which were measured with a modified copy of it, and recipes on `resnet8-plain`, which is
`resnet8` without augmentation.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from end_to_end import RECORDS, keep_records, with_part
from experiments import ASSETS
from recipe_tables import CASES, Record, part, read, tables

from reds_core import FinetuneSettings, Registry, Search, Task, split_validation
from reds_core.cost import resource_forms
from reds_core.formulation import formulate
from reds_core.framework import Arrays, EpochProgress, Family, Framework, Training, member_kept
from reds_core.knapsack.families import bottom_up
from reds_core.network import Network
from reds_core.scoring import Scorer, score
from reds_core.system import RECORDS_FILE, make_folder, read_archive, write_text

BUDGETS = (0.25, 0.5, 0.75)
MEMBERS = "members_per_step"
HOLDOUT = 0.1
"""Share of the training examples by which the best epoch is chosen, as in `reds prune`."""
PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "finetuning.md"


@dataclass(frozen=True)
class Case:
    """A network and its data.

    Attributes:
        model: path of the network.
        data: path of the data set, of which only training examples are used.
        epochs: epochs of a recipe that trains all members in each step.
        cost: processor time of a step with all members, in steps with one member.
        flat: whether the examples are every second frame, flattened to one row.
        trained_on: number of training examples, or None for all that are not held back.
        held: number of examples to measure on.
        held_apart: whether these are the test part of the data set, which then must be made of training examples.
        augment: changes of the training images, as in `FinetuneSettings`.
    """

    name: str
    model: Path
    data: Path
    epochs: int
    cost: float
    held: int
    trained_on: int | None = None
    flat: bool = False
    held_apart: bool = False
    augment: tuple[str, ...] = ()


def cases(dropout: Path) -> tuple[Case, ...]:
    """Return the cases. dropout: the folder in which benchmarks/dropout.py trained DS-CNN S on Fashion-MNIST."""
    models, speech = ASSETS / "models", ASSETS / "data" / "speech_commands.npz"
    return (
        Case("dnn-s", models / "arm_kws_dnn_s.keras", speech, 10, 1.4, 543, flat=True),
        Case("ds-cnn-s", models / "arm_kws_ds_cnn_s.keras", speech, 6, 1.6, 543),
        Case(
            "resnet8",
            models / "mlperf_tiny_resnet8_cifar10.h5",
            ASSETS / "data" / "cifar10.npz",
            3,
            1.6,
            3000,
            3300,
            augment=("flip", "shift"),
        ),
        Case("fashion", dropout / "ds_cnn_s.keras", dropout / "finetuning.npz", 3, 1.6, 6000, 6600, held_apart=True),
    )


@dataclass(frozen=True)
class Recipe:
    """A recipe of fine-tuning.

    Attributes:
        name: its name in the tables.
        settings: what it sets in `FinetuneSettings` apart from the epochs, by field.
    """

    name: str
    settings: tuple[tuple[str, Any], ...]

    def settings_for(self, case: Case) -> FinetuneSettings:
        """The settings for a case: with one member a step, as many epochs as cost the same processor time."""
        settings = FinetuneSettings(**dict(self.settings), augment=case.augment)
        one = dict(self.settings)[MEMBERS] == 1
        return dataclasses.replace(settings, epochs=round(case.epochs * case.cost) if one else case.epochs)


def recipe(batch_size: int, learning_rate: float, one: bool, anchor: float = 0.0, warmup: float = 0.0) -> Recipe:
    """Return a recipe that trains the full network and, in each step, all members or one of them.

    Its name only mentions an anchor and a warm-up (in epochs) that are above 0.
    """
    parts = [f"{'one' if one else 'all'}, batch {batch_size}, rate {learning_rate:g}"]
    parts += [f"anchor {anchor:g}"] if anchor else []
    parts += [f"warm-up {warmup:g}"] if warmup else []
    settings = {"batch_size": batch_size, "learning_rate": learning_rate, "anchor": anchor, "warmup_epochs": warmup}
    return Recipe(", ".join(parts), (*settings.items(), (MEMBERS, 1 if one else None)))


RECIPES = tuple(
    made
    for one in (False, True)
    for made in (
        *(recipe(32, rate, one) for rate in (0.001, 0.002, 0.003, 0.005, 0.01)),
        *(recipe(64, rate, one) for rate in (0.003, 0.006, 0.01)),
        *(recipe(32, 0.003, one, anchor) for anchor in (0.01, 0.03)),
        recipe(32, 0.003, one, warmup=1.0),
    )
)


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of the training data of a case: to train on, to choose the epoch by, and to measure on."""

    train: Arrays
    validation: Arrays
    held: Arrays


class StepClock:
    """Measures the processor time of training steps from the progress reports.

    The first epoch is left out, in which graphs are prepared.
    """

    def __init__(self) -> None:
        self._last: tuple[EpochProgress, float] | None = None
        self._batches = self._steps = 0
        self._s = 0.0

    def progress(self, report: EpochProgress) -> None:
        """Take note of a report of the training."""
        now = time.process_time()
        if self._last is not None and self._last[0].epoch == report.epoch > 0:
            self._batches += report.batch - self._last[0].batch
            self._s += now - self._last[1]
        self._steps = report.epochs * report.batches
        self._last = report, now

    @property
    def cpu_s(self) -> float:
        """The mean time of a step times the number of steps of the whole training."""
        return self._s / max(self._batches, 1) * self._steps


class Bench:
    """A case with its family's widths, which are chosen once and kept in OUT."""

    def __init__(self, case: Case, out: Path) -> None:
        self.case = case
        self._registry = Registry()
        self.framework: Framework = self._registry.default_framework()
        self.model = self.framework.load_model(case.model)
        self.network: Network = self.framework.inspect(self.model)
        arrays = read_archive(case.data)
        self._examples = self._checked(arrays["x_train"], arrays["y_train"])
        self._apart = self._checked(arrays["x_test"], arrays["y_test"]) if case.held_apart else None
        path = out / f"family-{case.name}.json"
        if not path.exists():
            path.write_text(json.dumps(self._choose()), encoding="utf-8")
        found = json.loads(path.read_text(encoding="utf-8"))
        self._widths: list[dict[str, int]] = found["widths"]
        self._order = {group: np.array(order) for group, order in found["order"].items()}

    def parts(self, seed: int) -> Parts:
        """Split the training data of the case, differently for each seed."""
        case, count = self.case, len(self._examples)
        order = np.random.default_rng(0).permutation(count)
        if self._apart is None:
            order = np.roll(order, -seed * case.held)
            held, rest = self._examples.take(order[: case.held]), order[case.held :]
        else:
            held, rest = self._apart, order
        chosen = np.random.default_rng(seed).permutation(rest)[: case.trained_on]
        train, validation = split_validation(self._examples.take(chosen), HOLDOUT, seed)
        return Parts(train, validation, held)

    def family(self) -> Family[Any]:
        """Return the untrained family."""
        full = self.framework.extract(self.model, self.network, self._order)
        network = self.framework.inspect(full)
        members = tuple(self.framework.extract(full, network, member_kept(w)) for w in self._widths)
        return Family(full, members, tuple(self._widths))

    def measured(self, recipe: Recipe, seed: int) -> Record:
        """Train the family by a recipe and measure it."""
        parts, family, settings = self.parts(seed), self.family(), recipe.settings_for(self.case)
        clock = StepClock()
        training = Training(
            parts.train, settings, seed, clock.progress, validation=parts.validation, teacher=self.model
        )
        self.framework.finetune(family, training)
        networks = (*family.members, family.full)
        return Record(
            self.case.name,
            recipe.name,
            seed,
            settings.epochs,
            clock.cpu_s,
            tuple(self.framework.accuracy(network, parts.held, Task()) for network in networks),
            tuple(self.framework.loss(network, parts.held, Task()) for network in networks),
            self.framework.accuracy(self.model, parts.held, Task()),
            self.framework.loss(self.model, parts.held, Task()),
        )

    def _checked(self, x: Any, y: Any) -> Arrays:
        x = x[:, ::2].reshape(len(x), -1) if self.case.flat else x
        return self.framework.check_data(self.model, Arrays(x, y), Task(), "training data")

    def _choose(self) -> dict[str, Any]:
        train = self.parts(0).train
        scorer = self._registry.create(Scorer, "taylor")
        scores = score(scorer, self.framework, self.model, self.network, train, Task(), seed=0)
        forms = resource_forms(self.network, ["macs"])
        full = forms["macs"].at(self.network.channels)
        stated = [formulate(self.network, scores, forms, {"macs": int(b * full)}, self.case.name) for b in BUDGETS]
        found = bottom_up([each.problem for each in stated], Search(self._registry).choose)
        widths = [dict(member.solution.widths or {}) for member in found.members]
        return {"widths": widths, "order": {group: order.tolist() for group, order in stated[0].order.items()}}


def run(given: argparse.Namespace) -> None:
    """Make the missing measurements."""
    make_folder(given.out)
    store = given.out / RECORDS_FILE
    done = {record.key for record in read(store)}
    names = given.recipes.split(";") if given.recipes else [each.name for each in RECIPES]
    for case in cases(given.dropout):
        if case.name not in given.cases.split(","):
            continue
        bench = Bench(case, given.out)
        for seed in map(int, given.seeds.split(",")):
            for each in RECIPES:
                if each.name not in names or (case.name, each.name, seed) in done:
                    continue
                record = bench.measured(each, seed)
                with store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record)) + "\n")
                sys.stdout.write(f"{case.name}: {each.name}, seed {seed}, {record.cpu_s:.1f} s\n")
                sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="cases, comma-separated; all by default")
    parser.add_argument("--recipes", help="names of recipes, separated by semicolons; all by default")
    parser.add_argument("--seeds", default="0,1", help="seeds, comma-separated")
    parser.add_argument("--dropout", type=Path, default=Path("out/dropout"), help="folder of benchmarks/dropout.py")
    parser.add_argument("--out", type=Path, default=Path("out/recipes"), help="folder of the measurements")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the summary goes")
    parser.add_argument(
        "--from-records", action="store_true", help="write the summary from kept records without running anything"
    )
    given = parser.parse_args()
    if not given.from_records:
        run(given)
        keep_records("recipes", given.out)
    records = read(RECORDS / "recipes" / RECORDS_FILE)
    page = given.page.read_text(encoding="utf-8")
    write_text(given.page, with_part(page, "recipes", part(records)))
    sys.stdout.write(tables(records) + "\n")


if __name__ == "__main__":
    main()
