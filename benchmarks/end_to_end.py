"""Compares the accuracy of pruning strategies and writes the experiments' sections of docs/results/results.md.

    python benchmarks/ds_cnn.py --data fashion-mnist --archives FOLDER
    python benchmarks/end_to_end.py --experiment fashion
    python benchmarks/end_to_end.py --experiment resnet8 --epochs 4 --seeds 0

The script writes the recipes of an experiment to OUT/recipes, runs `reds compare` on them in OUT/NAME, and writes the
tables to the experiment's section of the page. The same command resumes where it stopped; other epochs need another
--out. Experiments whose strategies are compared at equal time first make a short trial of each, in OUT/NAME-trials
(benchmarks/equal_time.py). Records of finished runs are kept in benchmarks/records/NAME; with --from-records the page
is written from them. benchmarks/ds_cnn.py makes the models and the data of `fashion`, `fashion-ten` and `cifar10`;
everything else is in ../shared/assets. What is compared is in benchmarks/experiments.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from equal_time import TRIALS, epochs_of, trials_table
from experiments import EXPERIMENTS, Experiment

from reds_core import Recipe, read_results, recipe_text
from reds_core.cli import run
from reds_core.compare import ResultRecord, RunKey
from reds_core.compare.report import (
    accuracy_table,
    compare_runs,
    comparison_findings,
    comparison_warnings,
    failures_table,
    time_table,
)
from reds_core.report import escaped, many, markdown_table
from reds_core.system import RECORDS_FILE, make_folder, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "results" / "results.md"
RECORDS = REPOSITORY / "benchmarks" / "records"
"""The records of the runs that the pages were made from, by experiment."""
HEAD = "# Results\n\nEach section names the command that produces it; the same command resumes where it stopped.\n"


def compare(name: str, experiment: Experiment, out: Path) -> Path:
    """Run an experiment and return the folder of its records."""
    folder, seeds = out / name, ["--seeds", ",".join(str(seed) for seed in experiment.seeds), "--out", str(out / name)]
    if experiment.strategies:
        epochs = dict.fromkeys(experiment.strategies, experiment.epochs)
        if not experiment.epochs:
            epochs = epochs_of(experiment, out / trials_of(name))
            keep_records(trials_of(name), out / trials_of(name))
        recipes = {each: experiment.recipe_of(each, count) for each, count in epochs.items()}
        _run_comparison([*written_recipes(recipes, out / "recipes" / name), *seeds])
    for pruners, scorers in experiment.grids:
        recipe = written_recipes({name: experiment.recipe}, out / "recipes")
        _run_comparison([*recipe, "--pruners", pruners, "--scorers", scorers, *seeds])
    return folder


def trials_of(name: str) -> str:
    """The name of the folder with the records of an experiment's trials."""
    return f"{name}-trials"


def written_recipes(recipes: Mapping[str, Recipe], folder: Path) -> list[str]:
    """Write recipes to files with their names, and return the paths."""
    make_folder(folder)
    paths = {folder / f"{name}.yaml": recipe for name, recipe in recipes.items()}
    for path, recipe in paths.items():
        write_text(path, recipe_text(recipe))
    return [str(path) for path in paths]


def _run_comparison(arguments: Sequence[str]) -> None:
    status = run(["compare", *arguments])
    if status:
        sys.exit(status)


def keep_records(name: str, folder: Path) -> None:
    """Copy the records of finished runs to the repository."""
    make_folder(RECORDS / name)
    shutil.copyfile(folder / RECORDS_FILE, RECORDS / name / RECORDS_FILE)


def part(name: str, experiment: Experiment, folder: Path, command: str) -> str:
    """Render the section of an experiment from its records."""
    records = read_results(folder)
    trials = folder.with_name(trials_of(name))
    ending = [f"{many(experiment.epochs, 'epoch')} of fine-tuning in all."] if experiment.epochs else []
    notes = [experiment.notes] if experiment.notes else []
    if experiment.strategies:
        records = tuple(dataclasses.replace(record, run=named_by_recipe(name, record.run)) for record in records)
        if not experiment.epochs:
            notes += equal_time_notes(experiment, trials)
    return section(experiment.title, " ".join([experiment.about, *ending]), records, command, notes)


def named_by_recipe(name: str, run: RunKey) -> RunKey:
    """Return the key of a strategy's run with the strategy, which is its recipe, in place of the pruner."""
    return dataclasses.replace(run, recipe=name, pruner=run.recipe, scorer="", solver="")


def equal_time_notes(experiment: Experiment, trials: Path) -> list[str]:
    """Say how the epochs of strategies were chosen."""
    return [
        "Each strategy trains for as many epochs as take the processor time of "
        f"{many(experiment.plain_epochs, 'epoch')} of the full network alone, rounded. The time of an epoch, as a "
        "multiple of that of the full network, was measured in a short trial of each strategy, and is the mean over "
        "its epochs. It is that of training steps: building graphs, scoring and evaluation are not counted, but are "
        "part of the seconds above. Strategies that train between cuts build a graph after each, which takes longer "
        "than the training itself if there is little data.",
        trials_table(experiment, {trial.strategy: trial for trial in TRIALS.read(trials)}),
    ]


def section(title: str, about: str, records: Sequence[ResultRecord], command: str, notes: Sequence[str] = ()) -> str:
    """Render a section of the page: the command, what was found, and the tables of the records."""
    comparison = compare_runs(records)
    sentences = [*comparison_findings(comparison), *comparison_warnings(comparison)]
    tables = [table(recipe) for recipe in comparison.recipes for table in (accuracy_table, time_table)]
    shown = [markdown_table(each).replace("## ", "### ", 1) for each in (*tables, failures_table(comparison))
             if each.blocks]  # fmt: skip
    return "\n\n".join(
        [
            f"## {title}",
            f"{about} Made by",
            f"```sh\n{command}\n```",
            "\n".join(f"- {escaped(sentence)}" for sentence in sentences),
            *shown,
            *notes,
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


def shown_command(arguments: Sequence[str], script: str = "end_to_end.py") -> str:
    """The command line without local folders and without options that do not affect the results."""
    words, rest = [], iter(arguments)
    for word in rest:
        if word in ("--out", "--page"):
            next(rest, None)
        elif word != "--from-records" and not word.startswith(("--out=", "--page=")):
            words.append(Path(word).name if Path(word).is_absolute() else word)
    return shlex.join(["python", f"benchmarks/{script}", *words])


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", choices=list(EXPERIMENTS), action="append", required=True)
    parser.add_argument("--epochs", type=int, help="of fine-tuning, in all; also in place of equal time")
    parser.add_argument("--plain-epochs", type=int, help="time of fine-tuning, in epochs of the full network alone")
    parser.add_argument("--seeds", help="such as 0,1,2")
    parser.add_argument("--pruners", help="such as nested,uniform, in place of the experiment's")
    parser.add_argument("--strategies", help="such as nested,sandwich: only these of the experiment's strategies")
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
        "plain_epochs": given.plain_epochs,
        "seeds": tuple(int(seed) for seed in given.seeds.split(",")) if given.seeds else None,
        "grids": ((given.pruners, given.scorers),) if given.pruners else None,
        "data": str(given.data.resolve()) if given.data else None,
        "model": str(given.model.resolve()) if given.model else None,
    }
    for name in given.experiment:
        experiment = dataclasses.replace(EXPERIMENTS[name], **{k: v for k, v in changes.items() if v is not None})
        if given.strategies:
            chosen = {each: experiment.strategies[each] for each in given.strategies.split(",")}
            experiment = dataclasses.replace(experiment, strategies=chosen)
        if given.from_records:
            folder = RECORDS / name
        else:
            folder = compare(name, experiment, given.out.resolve())
            keep_records(name, folder)
        page = given.page.read_text(encoding="utf-8") if given.page.exists() else HEAD
        write_text(given.page, with_part(page, name, part(name, experiment, folder, shown_command(arguments))))


if __name__ == "__main__":
    main()
