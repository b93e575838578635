"""The script of the experiments: its recipes can be run, its page keeps what others wrote."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from compare_tools import failure, result

from reds_core.compare.grid import Grid, planned_runs
from reds_core.compare.record import RESULTS
from reds_core.registry import Registry
from reds_core.runs.recipe import load_recipe, recipe_text

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "end_to_end.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not SCRIPT.exists():
        pytest.skip("the benchmarks are not beside the tests")
    spec = importlib.util.spec_from_file_location("end_to_end", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
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
    assert "nested has 90.00 ± 0.00 % (2 seeds), +10.00 ± 0.00 points against uniform" in text
    assert "1 epoch of fine-tuning in all" in text
    assert "### Runs that failed" in text
    assert "| uniform | 80.00 ± 0.00 % (2 seeds) |" in text
