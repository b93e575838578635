"""The script of the experiments: its recipes can be run, its page keeps what others wrote."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from compare_tools import failure, result

from reds_core.compare.grid import Grid, planned_runs
from reds_core.compare.record import RESULTS
from reds_core.framework.finetuning import EpochProgress
from reds_core.registry import Registry
from reds_core.runs.recipe import load_recipe, recipe_text

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "end_to_end.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not SCRIPT.exists():
        pytest.skip("the benchmarks are not beside the tests")
    sys.path.insert(0, str(SCRIPT.parent))  # where it finds the other modules of the benchmarks
    spec = importlib.util.spec_from_file_location("end_to_end", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return module


def test_every_experiment_is_a_recipe_that_can_be_planned(script: ModuleType, tmp_path: Path) -> None:
    registry = Registry()
    for name, experiment in script.EXPERIMENTS.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(recipe_text(experiment.recipe))
        assert load_recipe(path).settings == experiment.recipe.settings
        if experiment.model is None or Path(experiment.model).exists():  # assets are not everywhere
            for pruners, scorers in experiment.grids:
                runs = planned_runs(Grid((path,), pruners, scorers, seeds=experiment.seeds), registry)
                contenders = len(pruners.split(",")) * len(scorers.split(","))
                assert len(runs) == contenders * len(experiment.seeds)


def test_every_strategy_is_a_recipe_that_can_be_planned(script: ModuleType, tmp_path: Path) -> None:
    registry = Registry()
    for experiment in script.EXPERIMENTS.values():
        assert bool(experiment.grids) != bool(experiment.strategies)
        recipes = {name: experiment.recipe_of(name, 5) for name in experiment.strategies}
        paths = [Path(path) for path in script.written_recipes(recipes, tmp_path)]
        assert [path.stem for path in paths] == list(experiment.strategies)
        for path, recipe in zip(paths, recipes.values(), strict=True):
            assert load_recipe(path).settings == recipe.settings
            assert recipe.settings.finetune.epochs == 5
        if paths and Path(experiment.model).exists():
            runs = planned_runs(Grid(tuple(paths), seeds=experiment.seeds), registry)
            assert len(runs) == len(paths) * len(experiment.seeds)


# Equal time


def progress(epoch: int, epochs: int, batch: int, batches: int = 10) -> EpochProgress:
    return EpochProgress(epoch, epochs, batch, batches, 1.0, 0.5)


def test_a_clock_counts_steps_and_leaves_out_graphs_and_evaluations(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of 2 s in two trainings; the first step takes 100 s, and each evaluation 50 s."""
    equal_time = sys.modules["equal_time"]
    now = 0.0
    monkeypatch.setattr(equal_time.time, "process_time", lambda: now)
    clock = equal_time.StepClock()
    for epochs in (2, 1):
        now += 100
        for epoch in range(epochs):
            for batch in range(1, 11):
                now += 2
                if batch in (1, 4, 10):
                    clock.epoch(progress(epoch, epochs, batch))
            now += 50
    assert clock.cpu_s == pytest.approx(2 * 10 * 3)


def test_a_clock_counts_short_epochs_that_are_reported_once(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    equal_time = sys.modules["equal_time"]
    now = 0.0
    monkeypatch.setattr(equal_time.time, "process_time", lambda: now)
    clock = equal_time.StepClock()
    for epoch in range(3):
        for batch in range(1, 11):
            now += 2
            if batch == 10 or (epoch, batch) == (0, 1):
                clock.epoch(progress(epoch, 3, batch))
    assert clock.cpu_s == pytest.approx(2 * 10 * 3)


def test_epochs_take_the_time_that_is_given(script: ModuleType) -> None:
    trial = sys.modules["equal_time"].Trial("nested", 2, step_cpu_s=12.0, plain_epoch_cpu_s=2.0)
    assert trial.cost == 3.0
    assert [trial.epochs_within(plain) for plain in (36, 35, 1)] == [12, 12, 1]


def test_a_part_of_strategies_shows_them_in_one_table_with_their_epochs(script: ModuleType, tmp_path: Path) -> None:
    equal_time = sys.modules["equal_time"]
    with RESULTS.opened(tmp_path / "some") as file:
        for name, found in (("nested", 0.9), ("sandwich", 0.8)):
            record = result("any", 0, found)
            file.append(dataclasses.replace(record, run=dataclasses.replace(record.run, recipe=name)))
    with equal_time.TRIALS.opened(tmp_path / script.trials_of("some")) as file:
        file.append(equal_time.Trial("nested", 2, 12.0, 2.0), equal_time.Trial("sandwich", 2, 8.0, 2.0))
    text = script.part("some", script.EXPERIMENTS["resnet8-family"], tmp_path / "some", "command")
    assert "### some: accuracy at each budget" in text
    assert "some, MACs ≤ 50 %: nested has 90.00 %" in text
    assert "| nested | 3.00 | 12 | 36.0 |" in text
    assert "| sandwich | 2.00 | 18 | 36.0 |" in text
    assert "DRESS keeps single weights" in text


# The page


def test_a_part_replaces_its_own_and_nothing_else(script: ModuleType) -> None:
    page = script.with_part("# Results\n\nWritten by hand.\n", "first", "one")
    page = script.with_part(page, "second", "two")
    again = script.with_part(page, "first", "three")
    assert again == page.replace("\none\n", "\nthree\n")
    assert again.startswith("# Results\n\nWritten by hand.\n")
    assert script.with_part(again, "first", "three") == again


def test_a_part_holds_the_command_the_findings_and_the_tables(script: ModuleType, tmp_path: Path) -> None:
    with RESULTS.opened(tmp_path) as file:
        file.append(*(result(p, s, a) for p, a in (("nested", 0.9), ("uniform", 0.8)) for s in (0, 1)))
        file.append(failure("layerwise"))
    command = script.shown_command(
        ["--experiment", "digits", "--data", "/home/me/data.npz", "--out", "mine", "--page=p.md"]
    )
    text = script.part("digits", script.EXPERIMENTS["digits"], tmp_path, command)
    assert "python benchmarks/end_to_end.py --experiment digits --data data.npz\n" in text
    assert "/home/me" not in text
    assert "nested has 90.00 ± 0.00 % (2 seeds), +10.00 ± 0.00 points above uniform" in text
    assert "1 epoch of fine-tuning in all" in text
    assert "### Runs that failed" in text
    assert "| uniform | 80.00 ± 0.00 % (2 seeds) |" in text
