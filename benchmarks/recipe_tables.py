"""The records of benchmarks/recipes.py and their tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kept_records import lines_to_resume

NETWORKS = 4
CASES = ("dnn-s", "ds-cnn-s", "fashion", "resnet8")
REFERENCE = "all, batch 32, rate 0.003"
"""The recipe that the others are compared with: the default settings."""
NOT_OFFERED = {
    "full share": "the share of the full network's loss in the sum of losses; the members share the rest",
    "full distils": "the share of the soft targets in the loss of the full network alone",
    "projected": "the members' gradient loses its component against the gradient of the full network (PCGrad)",
    "projected by weight": "the same for each weight tensor",
    "masked": "the members' gradient loses the elements whose sign opposes the gradient of the full network",
    "full alone": "the losses of the members are left out",
    "last 4 epochs": "the last epochs only train the weights that no member has",
}
"""What the labels of recipes mean that were measured with a modified copy of the product."""


@dataclass(frozen=True)
class Record:
    """The measurements of one training. Networks are in the order 25, 50, 75 and 100 % of the MACs.

    Attributes:
        epochs: passes over the training data.
        cpu_s: processor time of all threads in the training steps, without tracing, statistics and validation.
        accuracy, loss: of each network on held-back data.
        given_accuracy, given_loss: of the given network on the same data.
    """

    case: str
    recipe: str
    seed: int
    epochs: int
    cpu_s: float
    accuracy: tuple[float, ...]
    loss: tuple[float, ...]
    given_accuracy: float
    given_loss: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the measurement."""
        return self.case, self.recipe, self.seed


def read(path: Path) -> list[Record]:
    """Read the records of a file, if it exists."""
    lines = lines_to_resume(path)
    return [
        Record(**{**found, "accuracy": tuple(found["accuracy"]), "loss": tuple(found["loss"])})
        for found in map(json.loads, lines)
    ]


def cell(figures: Iterable[float], digits: int) -> str:
    """Mean, with the standard deviation if there are several figures."""
    values = list(figures)
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def by_recipe(records: Iterable[Record]) -> dict[str, dict[int, Record]]:
    """Group the records of a case by recipe and seed."""
    found: dict[str, dict[int, Record]] = {}
    for record in records:
        found.setdefault(record.recipe, {})[record.seed] = record
    return found


def lost(record: Record, network: int = -1) -> float:
    """Points of accuracy that a network loses against the given one."""
    return 100 * (record.given_accuracy - record.accuracy[network])


def table(records: Sequence[Record]) -> str:
    """A table with a row for each recipe of a case, the one with the lowest mean loss first."""
    lines = [
        "| recipe | epochs | CPU s | seeds | points lost at 25 % | 50 % | 75 % | full | mean loss | loss of full |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for name, by_seed in by_recipe(records).items():
        own = list(by_seed.values())
        losses = [statistics.mean(r.loss) for r in own]
        cells = [name, str(own[0].epochs), cell((r.cpu_s for r in own), 1), ", ".join(map(str, by_seed))]
        cells += [cell((lost(r, i) for r in own), 1) for i in range(NETWORKS)]
        cells += [cell(losses, 3), cell((r.loss[-1] for r in own), 3)]
        rows.append((statistics.mean(losses), f"| {' | '.join(cells)} |"))
    return "\n".join(lines + [row for _, row in sorted(rows)])


def tables(records: Sequence[Record]) -> str:
    """The tables of all cases."""
    parts = []
    for case in dict.fromkeys(r.case for r in records):
        own = [r for r in records if r.case == case]
        given = {r.seed: r for r in own}.values()
        parts.append(
            f"{case}: the given network has {cell((100 * r.given_accuracy for r in given), 1)} % and a loss of "
            f"{cell((r.given_loss for r in given), 3)} on held-back data.\n\n{table(own)}"
        )
    return "\n\n".join(parts)


def summary(records: Sequence[Record]) -> str:
    """A table of the recipes that were measured on all cases, against the reference on the same seeds."""
    of_case = {name: by_recipe(r for r in records if r.case == name) for name in CASES}
    names = [name for name in of_case[CASES[0]] if all(name in found for found in of_case.values())]
    heads = [*(f"mean loss, {case}" for case in CASES), *(f"lost at full width, {case}" for case in CASES)]
    lines = [f"| recipe | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    rows = []
    for name in names:
        pairs = [
            [(found[name][seed], found[REFERENCE][seed]) for seed in found[name] if seed in found[REFERENCE]]
            for found in of_case.values()
        ]
        losses = [[statistics.mean(own.loss) - statistics.mean(other.loss) for own, other in case] for case in pairs]
        cells = [cell(case, 3) for case in losses] + [cell((lost(own) for own, _ in case), 1) for case in pairs]
        rows.append((statistics.mean(map(statistics.mean, losses)), f"| {name} | {' | '.join(cells)} |"))
    return "\n".join(lines + [row for _, row in sorted(rows)])


def part(records: Sequence[Record]) -> str:
    """Render the section of the page."""
    table = summary(records)
    shown = [(label, meaning) for label, meaning in NOT_OFFERED.items() if f", {label}" in table]
    labels = "; ".join(f"*{label}*: {meaning}" for label, meaning in shown)
    return (
        "Recipes at equal processor time, on data held back from training, made by `python benchmarks/recipes.py`: "
        f"the mean loss of the four networks of a family, as a difference to `{REFERENCE}` on the same seeds (lower is "
        "better), and the points of accuracy that the full network loses against the given one. Mean and standard "
        "deviation over the seeds of each case. Recipes with *one* train the full network and one member in each "
        f"step.\n\n{table}\n\nRecipes that `reds` does not offer: {labels}."
    )
