"""Compares the accuracy of pruning strategies and writes the experiments' sections of docs/results.md.

    python benchmarks/ds_cnn.py --data fashion-mnist --archives FOLDER
    python benchmarks/end_to_end.py --experiment fashion
    python benchmarks/end_to_end.py --experiment resnet8 --epochs 4 --seeds 0

The script writes the recipes of an experiment to OUT/recipes, runs `reds compare` on them in OUT/NAME, and writes the
tables to the experiment's section of the page. The same command resumes where it stopped; other epochs need another
--out. Records of finished runs are kept in benchmarks/records/NAME; with --from-records the page is written from them.
benchmarks/ds_cnn.py makes the models and the data of `fashion` and `cifar10`; everything else is in ../shared/assets.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reds_core import Recipe, RunSettings, read_results, recipe_text
from reds_core.cli import run
from reds_core.compare.report import (
    accuracy_table,
    compare_runs,
    comparison_findings,
    comparison_warnings,
    failures_table,
    time_table,
)
from reds_core.framework import FinetuneSettings
from reds_core.report import escaped, many, markdown_table
from reds_core.system import RECORDS_FILE, make_folder, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
ASSETS = REPOSITORY.parent / "shared" / "assets"
BASELINES = Path("out/ds-cnn").resolve()
PAGE = REPOSITORY / "docs" / "results.md"
RECORDS = REPOSITORY / "benchmarks" / "records"
"""The records of the runs that the pages were made from, by experiment."""
HEAD = "# Results\n\nEach section names the command that produces it; the same command resumes where it stopped.\n"
ALL_PRUNERS = ("layerwise,progressive,nested,oneshot,uniform", "taylor")


@dataclass(frozen=True)
class Experiment:
    """One section of the page.

    Attributes:
        title: heading of the section.
        about: the question of the experiment in a sentence or two.
        model, data: paths; no model means that each run trains its own.
        budgets: budgets as on the command line.
        grids: pairs of lists of pruners and scorers, as for `reds compare`.
        epochs: total number of fine-tuning epochs of a run.
        seeds: seeds of the runs.
        finetune: settings of fine-tuning apart from the epochs.
    """

    title: str
    about: str
    model: str | None
    data: str
    budgets: str
    grids: tuple[tuple[str, str], ...]
    epochs: int
    seeds: tuple[int, ...] = (0, 1, 2)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)

    @property
    def recipe(self) -> Recipe:
        """The recipe of the experiment for `reds compare`."""
        finetune = dataclasses.replace(self.finetune, epochs=self.epochs)
        return Recipe(self.model, self.data, None, RunSettings(budgets=(self.budgets,), finetune=finetune))


def family_of_the_paper(
    data_name: str,
    about: str,
    baseline: str,
    data: str,
    grids: tuple[tuple[str, str], ...],
    epochs: int,
    augment: tuple[str, ...] = (),
) -> Experiment:
    """DS-CNN S at three budgets, as in the REDS paper. baseline: the folder that benchmarks/ds_cnn.py trained it in."""
    return Experiment(
        f"DS-CNN S on {data_name}: nested subnetworks against uniform ones",
        f"A family at 75, 50 and 25 % of the MACs, {about} against its full network.",
        str(BASELINES / baseline / "ds_cnn_s.keras"),
        data,
        "macs=0.75,0.5,0.25",
        grids,
        epochs,
        finetune=FinetuneSettings(batch_size=64, learning_rate=6e-3, augment=augment),
    )


EXPERIMENTS = {
    "fashion": family_of_the_paper(
        "Fashion-MNIST",
        "all of Fashion-MNIST. The REDS paper (arXiv 2311.13349) loses 0.5, 1.1 and 3.2 points",
        "fashion-mnist",
        str(BASELINES / "fashion-mnist" / "data.npz"),
        (("nested,uniform", "taylor"), ("nested", "taylor[normalise=none]")),
        epochs=3,
    ),
    "cifar10": family_of_the_paper(
        "CIFAR-10",
        "all 50,000 training images. The REDS paper (arXiv 2311.13349) loses 1.9, 5.3 and 18.4 points",
        "cifar10",
        str(BASELINES / "cifar10" / "data.npz"),
        (("nested,uniform", "taylor"),),
        epochs=5,
        augment=("flip", "shift"),
    ),
    "resnet8": Experiment(
        "ResNet8 on CIFAR-10: five strategies with the same epochs",
        "One subnetwork at 50 % of the MACs, every strategy with the same total of fine-tuning epochs.",
        str(ASSETS / "models" / "mlperf_tiny_resnet8_cifar10.h5"),
        str(ASSETS / "data" / "cifar10.npz"),
        "macs=0.5",
        (ALL_PRUNERS, ("layerwise[rescore=false]", "taylor"), ("nested,layerwise", "taylor[normalise=none]")),
        epochs=6,
        finetune=FinetuneSettings(batch_size=64, augment=("flip", "shift")),
    ),
    "speech": Experiment(
        "DS-CNN S on Speech Commands: five strategies with the same epochs",
        "ARM's keyword spotter, one subnetwork at 50 % of the MACs, every strategy with the same total of fine-tuning "
        "epochs.",
        str(ASSETS / "models" / "arm_kws_ds_cnn_s.keras"),
        str(ASSETS / "data" / "speech_commands.npz"),
        "macs=0.5",
        (ALL_PRUNERS,),
        epochs=10,
    ),
    "digits": Experiment(
        "A small DS-CNN on digits: nested subnetworks against uniform ones",
        "The 8 x 8 digits of scikit-learn, a network of some thousand weights that each run trains first: a check that "
        "the experiments run, in minutes.",
        None,
        "digits",
        "macs=0.5,0.25",
        (("nested,uniform", "taylor"),),
        epochs=1,
        seeds=(0, 1),
    ),
}


def compare(name: str, experiment: Experiment, out: Path) -> Path:
    """Run an experiment and return the folder of its records."""
    recipe, folder = out / "recipes" / f"{name}.yaml", out / name
    make_folder(recipe.parent)
    write_text(recipe, recipe_text(experiment.recipe))
    seeds = ",".join(str(seed) for seed in experiment.seeds)
    for pruners, scorers in experiment.grids:
        grid = ["--pruners", pruners, "--scorers", scorers, "--seeds", seeds]
        status = run(["compare", str(recipe), *grid, "--out", str(folder)])
        if status:
            sys.exit(status)
    return folder


def keep_records(name: str, folder: Path) -> None:
    """Copy the records of finished runs to the repository."""
    make_folder(RECORDS / name)
    shutil.copyfile(folder / RECORDS_FILE, RECORDS / name / RECORDS_FILE)


def part(name: str, experiment: Experiment, folder: Path, command: str) -> str:
    """Render the section of an experiment from its records."""
    comparison = compare_runs(read_results(folder))
    sentences = [*comparison_findings(comparison), *comparison_warnings(comparison)]
    tables = [table(recipe) for recipe in comparison.recipes for table in (accuracy_table, time_table)]
    shown = [markdown_table(each).replace("## ", "### ", 1) for each in (*tables, failures_table(comparison))
             if each.blocks]  # fmt: skip
    return "\n\n".join(
        [
            f"## {experiment.title}",
            f"{experiment.about} {many(experiment.epochs, 'epoch')} of fine-tuning in all. Made by",
            f"```sh\n{command}\n```",
            "\n".join(f"- {escaped(sentence)}" for sentence in sentences),
            *shown,
        ]
    )


def with_part(page: str, name: str, text: str) -> str:
    """Replace the section of that name in a page, or append it."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text}\n{end}"
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page.rstrip()}\n\n{block}\n"
    return before + block + rest.partition(end)[2]


def shown_command(arguments: Sequence[str]) -> str:
    """The command line without local folders and without options that do not affect the results."""
    words, rest = [], iter(arguments)
    for word in rest:
        if word in ("--out", "--page"):
            next(rest, None)
        elif word != "--from-records" and not word.startswith(("--out=", "--page=")):
            words.append(Path(word).name if Path(word).is_absolute() else word)
    return shlex.join(["python", "benchmarks/end_to_end.py", *words])


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", choices=list(EXPERIMENTS), action="append", required=True)
    parser.add_argument("--epochs", type=int, help="of fine-tuning, in all")
    parser.add_argument("--seeds", help="such as 0,1,2")
    parser.add_argument("--pruners", help="such as nested,uniform, in place of the experiment's")
    parser.add_argument("--scorers", default="taylor", help="with --pruners: such as taylor,magnitude")
    parser.add_argument("--data", type=Path, help="in place of the experiment's")
    parser.add_argument("--model", type=Path, help="in place of the experiment's")
    parser.add_argument("--out", type=Path, default=Path("out/end-to-end"), help="folder of recipes, runs and reports")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables go")
    parser.add_argument(
        "--from-records", action="store_true", help="write the page from kept records without running anything"
    )
    given = parser.parse_args(arguments)
    changes = {
        "epochs": given.epochs,
        "seeds": tuple(int(seed) for seed in given.seeds.split(",")) if given.seeds else None,
        "grids": ((given.pruners, given.scorers),) if given.pruners else None,
        "data": str(given.data.resolve()) if given.data else None,
        "model": str(given.model.resolve()) if given.model else None,
    }
    for name in given.experiment:
        experiment = dataclasses.replace(EXPERIMENTS[name], **{k: v for k, v in changes.items() if v is not None})
        if given.from_records:
            folder = RECORDS / name
        else:
            folder = compare(name, experiment, given.out.resolve())
            keep_records(name, folder)
        page = given.page.read_text(encoding="utf-8") if given.page.exists() else HEAD
        write_text(given.page, with_part(page, name, part(name, experiment, folder, shown_command(arguments))))


if __name__ == "__main__":
    main()
