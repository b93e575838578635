"""Times every scorer on real models and compares the orders of channels; writes tables of docs/guide/scorers.md.

`python benchmarks/scorers.py [--out OUT]`. The models and data are those of ../shared/assets. The problem of
half the MACs is formulated with each scorer by `reds formulate` and solved by `reds solve`. Results that are already in
OUT/scorers.jsonl are not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kept_records import lines_to_resume
from page_sections import put
from scipy.stats import kendalltau, spearmanr

from reds_core import Registry, Search, formulate_model
from reds_core.errors import RedsError
from reds_core.knapsack import Controls, load_problem, save_problem
from reds_core.scoring import ScoreLevel

REPOSITORY = Path(__file__).resolve().parents[1]
ASSETS = REPOSITORY.parent / "shared" / "assets"
PAGE = REPOSITORY / "docs" / "guide" / "scorers.md"


@dataclass(frozen=True)
class Case:
    """A model and its data."""

    name: str
    model: str
    data: str


@dataclass(frozen=True)
class Way:
    """A scorer with its options, and its label in the tables."""

    label: str
    scorer: str
    options: tuple[tuple[str, str], ...] = ()
    level: ScoreLevel = ScoreLevel.CHANNEL


@dataclass(frozen=True)
class Record:
    """The result of one scorer on one model.

    Attributes:
        formulate_s: to load model and data, to score and to state the problem.
        orders: of each group's channels, the most important first.
        refused: why there are no scores; else empty.
    """

    case: str
    label: str
    formulate_s: float
    solve_s: float
    gap: float | None
    widths: dict[str, int]
    orders: dict[str, list[int]]
    refused: str = ""


CASES = (
    Case("ds-cnn-s", "arm_kws_ds_cnn_s.keras", "speech_commands.npz"),
    Case("resnet8", "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz"),
)
WAYS = (
    Way("magnitude", "magnitude"),
    Way("magnitude l1", "magnitude", (("norm", "l1"),)),
    Way("magnitude kernel", "magnitude", (), ScoreLevel.KERNEL),
    Way("taylor", "taylor"),
    Way("taylor squared", "taylor", (("criterion", "squared"),)),
    Way("taylor kernel", "taylor", (), ScoreLevel.KERNEL),
    Way("fisher", "fisher"),
    Way("bn-scale", "bn-scale"),
    Way("fpgm", "fpgm"),
    Way("mean-activation", "mean-activation"),
    Way("apoz", "apoz"),
    Way("sensitivity", "sensitivity"),
    Way("random", "random"),
)


def measured(case: Case, way: Way, out: Path) -> Record:
    """Formulate and solve."""
    path = out / f"{case.name}-{way.label.replace(' ', '-')}.npz"
    started = time.perf_counter()
    try:
        stated = formulate_model(
            ASSETS / "models" / case.model,
            str(ASSETS / "data" / case.data),
            {"macs": 0.5},
            scorer=way.scorer,
            score_level=way.level,
            options={way.scorer: dict(way.options)},
        )
    except RedsError as error:
        return Record(case.name, way.label, 0.0, 0.0, None, {}, {}, str(error))
    seconds = time.perf_counter() - started
    save_problem(stated.problem, path)
    solution = Search(Registry(), "auto", {}, Controls(time_limit_s=120.0, seed=0)).choose(load_problem(path))
    orders = {group: [int(c) for c in order] for group, order in stated.order.items()}
    return Record(case.name, way.label, seconds, solution.wall_s, solution.gap, dict(solution.widths or {}), orders)


def records(out: Path) -> list[Record]:
    """All records, including those of earlier runs."""
    out.mkdir(parents=True, exist_ok=True)
    store = out / "scorers.jsonl"
    lines = lines_to_resume(store)
    found = {(r.case, r.label): r for r in (Record(**json.loads(line)) for line in lines)}
    for case in CASES:
        for way in WAYS:
            if (case.name, way.label) not in found:
                record = measured(case, way, out)
                found[case.name, way.label] = record
                with store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record)) + "\n")
                sys.stdout.write(f"{case.name} {way.label}: {record.formulate_s:.1f} s {record.refused}\n")
                sys.stdout.flush()
    return [found[case.name, way.label] for case in CASES for way in WAYS]


def agreement(first: Record, second: Record, measure: Any) -> float:
    """The rank correlation of two orders of channels, averaged over the groups."""
    ranks = [{g: np.argsort(order) for g, order in r.orders.items()} for r in (first, second)]
    return float(np.mean([measure(ranks[0][g], ranks[1][g]).statistic for g in ranks[0]]))


def costs_table(made: list[Record]) -> str:
    lines = ["| model | scorer | formulate, s | solve, ms | gap | widths at 50 % |", "| --- " * 6 + "|"]
    for r in made:
        if r.refused:
            lines.append(f"| {r.case} | {r.label} | - | - | - | {r.refused} |")
            continue
        gap = "none" if r.gap is None else f"{100 * r.gap:.3g} %"
        widths = " ".join(str(w) for w in r.widths.values())
        lines.append(f"| {r.case} | {r.label} | {r.formulate_s:.1f} | {1000 * r.solve_s:.0f} | {gap} | {widths} |")
    return "\n".join(lines)


def agreement_table(made: list[Record], case: str) -> str:
    """A table with Spearman's correlation above the diagonal and Kendall's below it."""
    shown = [r for r in made if r.case == case and not r.refused]
    lines = ["| | " + " | ".join(r.label for r in shown) + " |", "| --- " * (len(shown) + 1) + "|"]
    for i, first in enumerate(shown):
        cells = [
            "" if i == j else f"{agreement(first, second, spearmanr if j > i else kendalltau):.2f}"
            for j, second in enumerate(shown)
        ]
        lines.append(f"| {first.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/scorers"), help="folder for records and problems")
    made = records(parser.parse_args().out)
    put(PAGE, "costs", costs_table(made))
    for case in CASES:
        put(PAGE, f"agreement {case.name}", agreement_table(made, case.name))


if __name__ == "__main__":
    main()
