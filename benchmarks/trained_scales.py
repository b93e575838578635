"""Compares scales of scores, and measured losses, by the accuracy after fine-tuning (ResNet8, DS-CNN S); writes tables
of docs/guide/scorers.md.

    python benchmarks/trained_scales.py [--scorers taylor,fisher] [--scales none,mean,log] [--out OUT]
    python benchmarks/trained_scales.py --curves [--out OUT]
    python benchmarks/trained_scales.py --curves --from-records

For every scorer and scale the exact solver decides the widths at a half and at a quarter of the MACs; the subnetwork is
trained by itself, taught by the input network, and measured on training data held back from it. Test data plays no
part. With --curves the scorer sensitivity, whose values are measured losses, is compared with taylor. Measurements in
OUT/trained-scales.jsonl are not made again. With --from-records the table is written from benchmarks/records/scorers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page_sections import put
from scorer_accuracy import Bench, percent
from scorers import CASES, PAGE, Case, Way
from trained_networks import keep_record, read_records

from reds_core.framework import Family, FinetuneSettings, Task, Training
from reds_core.network import Kept

BUDGETS = (0.5, 0.25)
EPOCHS = {"ds-cnn-s": 10, "resnet8": 5}
CURVES = (
    ("taylor", "log"),
    ("sensitivity", "floor=0"),
    ("sensitivity", "floor=0.5"),
    ("sensitivity", "shares=0.5"),
    ("sensitivity", "shares=0.75"),
)
STORE = "trained-scales.jsonl"
KEPT = Path(__file__).resolve().parent / "records" / "scorers" / STORE


@dataclass(frozen=True)
class Record:
    """The measurement of one subnetwork trained with one seed.

    Attributes:
        scale: value of the option normalise of the scorer, or another of its options with its value.
        budget: share of the full network's MACs.
        widths: of the groups, in the order of the network.
        accuracy: on held-back training data, after training.
    """

    case: str
    scorer: str
    scale: str
    budget: float
    seed: int
    widths: Sequence[int]
    accuracy: float

    @property
    def key(self) -> tuple[str, str, str, float, int]:
        """The combination of settings that was measured."""
        return self.case, self.scorer, self.scale, self.budget, self.seed


def trained(bench: Bench, kept: Kept, seed: int) -> float:
    """The accuracy of the subnetwork on held-out data after training on its own."""
    small = bench.framework.extract(bench.model, bench.network, kept)
    settings = FinetuneSettings(epochs=EPOCHS[bench.case.name], batch_size=32)
    family = Family(small, (), ())
    training = Training(bench.train, settings, seed, lambda progress: None, teacher=bench.model)
    bench.framework.finetune(family, training)
    return bench.framework.accuracy(small, bench.held, Task())


def records(case: Case, ways: Sequence[tuple[str, str]], seeds: list[int], store: Path) -> list[Record]:
    """All measurements, including those of earlier runs."""
    found = {record.key: record for record in read_records(store, Record)}
    made = []
    for budget in BUDGETS:
        bench = Bench(case, budget)
        for scorer, scale in ways:
            keys = [(case.name, scorer, scale, budget, seed) for seed in seeds]
            if any(key not in found for key in keys):
                name, _, value = scale.rpartition("=")
                stated = bench.stated(Way(f"{scorer} / {scale}", scorer, ((name or "normalise", value),)))
                widths = bench.solved_widths(stated)
                kept: Kept = {g: np.sort(stated.order[g][:w]) for g, w in widths.items()}
                for key in (key for key in keys if key not in found):
                    found[key] = Record(*key, tuple(widths.values()), trained(bench, kept, key[-1]))
                    keep_record(store, found[key])
            made += [found[key] for key in keys]
    return made


def table(made: list[Record]) -> str:
    lines = ["| model | scorer | scale | MACs | held-back accuracy, by seed | mean | widths |", "| --- " * 7 + "|"]
    for case, scorer, budget, scale in dict.fromkeys((r.case, r.scorer, r.budget, r.scale) for r in made):
        own = [r for r in made if (r.case, r.scorer, r.budget, r.scale) == (case, scorer, budget, scale)]
        by_seed = ", ".join(percent(r.accuracy) for r in own)
        mean = percent(float(np.mean([r.accuracy for r in own])))
        widths = " ".join(map(str, own[0].widths))
        lines.append(f"| {case} | {scorer} | {scale} | {budget:.0%} | {by_seed} | {mean} | {widths} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorers", default="taylor,fisher", help="scorers with the option normalise, comma-separated")
    parser.add_argument("--scales", default="none,mean,log", help="values of the option normalise, comma-separated")
    parser.add_argument("--seeds", default="0,1", help="seeds of training, comma-separated")
    parser.add_argument("--out", type=Path, default=Path("out/scorers"), help="folder for the measurements")
    parser.add_argument("--curves", action="store_true", help="compare measured losses with taylor instead")
    parser.add_argument("--from-records", action="store_true", help="write the table from the records that are kept")
    given = parser.parse_args()
    if given.from_records and not given.curves:
        parser.error("only the records of --curves are kept; add --curves")
    seeds = [int(seed) for seed in given.seeds.split(",")]
    asked = [(scorer, scale) for scorer in given.scorers.split(",") for scale in given.scales.split(",")]
    ways = CURVES if given.curves else asked
    if given.from_records:
        order = [(scorer, scale, budget) for budget in BUDGETS for scorer, scale in ways]
        made = sorted(
            read_records(KEPT, Record), key=lambda r: (r.case, order.index((r.scorer, r.scale, r.budget)), r.seed)
        )
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        store = given.out / STORE
        made = [record for case in CASES for record in records(case, ways, seeds, store)]
    put(PAGE, "trained-curves" if given.curves else "trained-scales", table(made))


if __name__ == "__main__":
    main()
