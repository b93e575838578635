"""Measures the effect of a network's own dropout on the fine-tuning of a family for docs/guide/finetuning.md.

    python benchmarks/ds_cnn.py --data fashion-mnist --archives FOLDER
    python benchmarks/dropout.py [--data out/ds-cnn/fashion-mnist/data.npz] [--out out/dropout]

DS-CNN S is trained with its dropout on 42,000 training images of Fashion-MNIST, pruned to three budgets and fine-tuned
on 12,000 of them with shares of that dropout. Accuracies are measured on 6,000 other training images, which are not
used for anything else; the test images are not used at all. The same command resumes where it stopped; with
--from-records the table is written from the records in benchmarks/records/dropout.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from ds_cnn import train
from end_to_end import RECORDS, keep_records, with_part

from reds_core import Recipe, RunSettings, read_results, recipe_text
from reds_core.cli import run
from reds_core.compare import ResultRecord
from reds_core.framework import FinetuneSettings
from reds_core.system import make_folder, read_archive, write_archive, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "finetuning.md"
DATA = Path("out/ds-cnn/fashion-mnist/data.npz")
BASELINE_IMAGES, FINETUNE_IMAGES, MEASURED_IMAGES = 42_000, 12_000, 6_000
BASELINE_EPOCHS = 6
SHARES = (1.0, 0.5, 0.0)
SEEDS = (0, 1, 2)
BUDGETS = ("25", "50", "75")
FINETUNING = {"epochs": 3, "batch_size": 64, "learning_rate": 6e-3}


def split(data: Path, out: Path) -> tuple[Path, Path]:
    """Data sets to train the baseline on and to fine-tune on; both are measured on the same images."""
    paths = out / "baseline.npz", out / "finetuning.npz"
    if not all(path.exists() for path in paths):
        arrays = read_archive(data)
        order = np.random.default_rng(0).permutation(len(arrays["x_train"]))
        measured = order[-MEASURED_IMAGES:]
        for path, count in zip(paths, (BASELINE_IMAGES, FINETUNE_IMAGES), strict=True):
            parts = {"train": order[:count], "test": measured}
            write_archive(path, {f"{k}_{p}": arrays[f"{k}_train"][i] for p, i in parts.items() for k in "xy"})
    return paths


def recipe_name(share: float) -> str:
    """The recipe of a share of the dropout."""
    return f"dropout-{share:g}"


def compare(data: Path, model: Path, out: Path) -> Path:
    """Run the comparison and return the folder of its records."""
    make_folder(out / "recipes")
    recipes = []
    for share in SHARES:
        recipes.append(out / "recipes" / f"{recipe_name(share)}.yaml")
        settings = RunSettings(
            budgets=("macs=0.75,0.5,0.25",),
            finetune=FinetuneSettings(**FINETUNING, dropout=share),  # type: ignore[arg-type]
        )
        write_text(recipes[-1], recipe_text(Recipe(str(model), str(data), None, settings)))
    seeds = ",".join(str(seed) for seed in SEEDS)
    grid = ("--pruners", "nested", "--scorers", "taylor", "--seeds", seeds)
    status = run(["compare", *map(str, recipes), *grid, "--out", str(out / "runs")])
    if status:
        sys.exit(status)
    return out / "runs"


def make_runs(data: Path, out: Path) -> Path:
    """Train the baseline unless it exists, run the comparison and return the folder of its records."""
    make_folder(out)
    for_baseline, for_finetuning = split(data, out)
    model = out / "ds_cnn_s.keras"
    if not model.exists():
        train(for_baseline, out, BASELINE_EPOCHS, augmented=False)
    return compare(for_finetuning, model, out)


def cell(figures: Iterable[float | None]) -> str:
    """Mean and standard deviation in percent."""
    percents = [100 * figure for figure in figures if figure is not None]
    return f"{statistics.mean(percents):.1f} ± {statistics.stdev(percents):.1f}"


def table(records: Sequence[ResultRecord]) -> str:
    """A table with a row for each share of the dropout."""
    lines = ["| share of the dropout | 25 % | 50 % | 75 % | full |", "|---|---|---|---|---|"]
    for share in SHARES:
        own = [r for r in records if r.run.recipe == recipe_name(share)]
        by_budget = {
            b: [r.subnetwork.accuracy.after for r in own if r.subnetwork and r.subnetwork.name == b] for b in BUDGETS
        }
        full = {r.run.seed: r.full.after for r in own}
        cells = [*(cell(by_budget[b]) for b in BUDGETS), cell(full.values())]
        lines.append(f"| {share:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def part(records: Sequence[ResultRecord]) -> str:
    """Render the section of the page."""
    before = next(r.full.before for r in records)
    return (
        f"DS-CNN S with dropout of 0.2 and 0.4, trained on {BASELINE_IMAGES:,} images of Fashion-MNIST to "
        f"{100 * (before or 0):.1f} %, then fine-tuned on {FINETUNE_IMAGES:,} of them for {FINETUNING['epochs']} "
        f"epochs in batches of {FINETUNING['batch_size']}. Accuracy in percent on {MEASURED_IMAGES:,} other images at "
        f"25, 50, 75 and 100 % of the MACs, mean and standard deviation over {len(SEEDS)} seeds, made by "
        f"`python benchmarks/dropout.py` on {records[0].machine.cpu}:\n\n{table(records)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="Fashion-MNIST as benchmarks/ds_cnn.py writes it")
    parser.add_argument("--out", type=Path, default=Path("out/dropout"), help="folder of the runs")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    parser.add_argument(
        "--from-records", action="store_true", help="write the table from kept records without running anything"
    )
    given = parser.parse_args()
    if not given.from_records:
        keep_records("dropout", make_runs(given.data, given.out.resolve()))
    records = read_results(RECORDS / "dropout")
    page = given.page.read_text(encoding="utf-8")
    write_text(given.page, with_part(page, "dropout", part(records)))
    sys.stdout.write(table(records) + "\n")


if __name__ == "__main__":
    main()
