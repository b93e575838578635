"""Comparing runs: which runs a command stands for, what it records, and how it goes on."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from compare_tools import ComparePlace, Performer, write_recipe
from toy_plugins import toy_registry
from toy_runs import Interrupted, Tripwire, tripping_registry, without_times

from reds_core.compare import task
from reds_core.compare.grid import Grid, planned_runs
from reds_core.compare.process import RunEnd, RunPaths
from reds_core.compare.reader import results_frame
from reds_core.compare.record import RunKey, RunOutcome
from reds_core.errors import InputError
from reds_core.plan import load_plan
from reds_core.registry import Registry
from reds_core.runs.recipe import load_recipe
from reds_core.system.folder_lock import locked_folder


def test_the_cross_product_has_a_name_for_each_run(place: ComparePlace) -> None:
    other = write_recipe(place.folder, "other", budgets={"macs": 0.5})
    grid = Grid((place.recipe, other), "nested,layerwise[order=backward]", "magnitude,random", "auto,brute", (0, 3))
    runs = planned_runs(grid, toy_registry())
    assert len(runs) == len({run.name for run in runs}) == 2 * 2 * 2 * 2 * 2
    assert len({run.key for run in runs}) == len(runs)
    assert [run.key.seed for run in runs] == [0] * 16 + [3] * 16
    first = runs[0]
    assert first.key == RunKey("toy", "nested", "magnitude", "auto", 0)
    assert first.name == "toy--nested--magnitude--auto--seed0"
    backward = next(run for run in runs if run.key.pruner == "layerwise[order=backward]")
    assert backward.name == "toy--layerwise_order=backward--magnitude--auto--seed0"
    assert backward.recipe.settings.options == {"layerwise": {"order": "backward"}}
    assert backward.recipe.settings.pruner == "layerwise"
    assert runs[-1].recipe.settings.seed == 3


def test_paths_of_a_recipe_are_valid_in_any_folder(place: ComparePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe names files beside it, and each run has a working folder of its own."""
    monkeypatch.chdir(place.folder)
    (place.folder / "calibration.npz").write_bytes(b"examples")
    for text in ("calibration.npz", "64"):
        path = write_recipe(place.folder, "other", budgets={"macs": 0.5}, calibration=text)
        (run,) = planned_runs(Grid((path,), None, None, None, (0,)), toy_registry())
        expected = str(place.folder / text) if text.endswith("npz") else text
        assert run.recipe.settings.calibration == expected


def test_lists_default_to_what_the_recipe_says(place: ComparePlace) -> None:
    recipe = write_recipe(place.folder, pruner="uniform", seed=7, options={"nested": {"family": "joint"}})
    run, nested = planned_runs(Grid((recipe,), "uniform,nested"), toy_registry())
    assert run.key == RunKey("toy", "uniform", "magnitude", "auto", 7)
    assert run.budgets == ("75", "50")
    assert nested.recipe.settings.options == {"nested": {"family": "joint"}}


def test_options_reach_only_the_runs_whose_plugins_have_them(place: ComparePlace) -> None:
    recipe = write_recipe(place.folder, pruner="uniform", options={"nested": {"family": "joint"}})
    uniform, nested = planned_runs(Grid((recipe,), "uniform,nested"), toy_registry())
    assert (uniform.recipe.settings.options, nested.recipe.settings.options) == ({}, {"nested": {"family": "joint"}})
    with pytest.raises(InputError, match="recipe 'toy': pruner 'nested' takes no part, so its options have no effect"):
        planned_runs(Grid((recipe,)), toy_registry())
    with pytest.raises(InputError, match="pruner 'nested' takes no part"):
        planned_runs(Grid((recipe,), "uniform,layerwise"), toy_registry())


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ({"pruners": "nestd"}, "unknown pruner 'nestd'; did you mean 'nested'"),
        ({"pruners": "nested[familly=joint]"}, "no option 'familly'"),
        ({"pruners": "nested["}, "not a list of pruners"),
        ({"scorers": "tailor"}, "unknown scorer 'tailor'"),
        ({"solvers": "brut"}, "unknown solver 'brut'"),
        ({"pruners": "nested,nested"}, "pruner 'nested' is named twice"),
        ({"pruners": "nested,nested[family=auto]"}, "pruner 'nested[family=auto]' is named twice, also as 'nested'"),
        ({"solvers": "dp[table_limit=1,table_limit=2]"}, "option 'table_limit' of solver 'dp' is given twice"),
        ({"seeds": (1, 1)}, "seed '1' is named twice"),
    ],
)
def test_bad_lists_are_refused_before_anything_starts(place: ComparePlace, grid: dict[str, Any], why: str) -> None:
    perform = Performer()
    with pytest.raises(InputError, match=re.escape(why)):
        place.run(perform=perform, **grid)
    assert perform.made == []
    assert not place.out.exists()


def test_bad_recipes_are_refused_before_anything_starts(place: ComparePlace) -> None:
    (place.folder / "b").mkdir()
    twin = write_recipe(place.folder / "b", model="../model.keras", data="../data.npz")
    cases: list[tuple[tuple[Path, ...], str]] = [
        ((place.recipe, twin), "recipe 'toy' is named twice"),
        ((place.folder / "none.yaml",), "does not exist"),
        ((write_recipe(place.folder, "typo", prunner="nested"),), "key 'prunner' is unknown"),
        ((write_recipe(place.folder, "gone", model="gone.keras"),), "model file .*gone.keras' does not exist"),
        (
            (write_recipe(place.folder, "lost", data="lost.npz"),),
            "recipe '.*lost.yaml': data '.*lost.npz' does not exist",
        ),
        ((write_recipe(place.folder, "latency", budgets={"latency": 0.5}),), "recipe 'latency'.*latency"),
    ]
    for recipes, why in cases:
        perform = Performer()
        with pytest.raises(InputError, match=why):
            place.run(*recipes, perform=perform)
        assert perform.made == []


def test_names_of_data_sets_are_no_paths_of_the_current_folder(
    place: ComparePlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "mnist").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    (run,) = planned_runs(Grid((write_recipe(place.folder, data="mnist"),)), toy_registry())
    assert run.recipe.data == "mnist"


def test_recipes_of_earlier_versions_are_compared_by_their_settings(place: ComparePlace) -> None:
    """They lack the settings that were added since."""
    place.run(pruners="uniform")
    (path,) = (place.out / "runs").glob("*.yaml")
    lines = path.read_text().splitlines(keepends=True)
    assert any(line.startswith("qat_activations:") for line in lines)
    path.write_text("".join(line for line in lines if not line.startswith("qat_activations:")))
    run, _ = place.run(pruners="uniform")
    assert (run.kept, run.done) == (1, 0)
    path.write_text("".join(lines).replace("holdout: 0.1", "holdout: 0.2"))
    with pytest.raises(InputError, match="differs from that of the run"):
        place.run(pruners="uniform")


def test_a_run_whose_folder_is_in_use_is_left_for_later(place: ComparePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "RELEASE_S", 0.0)
    folder = place.out / "runs" / planned_runs(Grid((place.recipe,), "uniform"), toy_registry())[0].name
    folder.mkdir(parents=True)
    with locked_folder(folder, "an audit"):
        run, records = place.run(pruners="uniform")
        assert (run.kept, run.done, records) == (0, 0, ())
    run, records = place.run(pruners="uniform")
    assert (run.done, len(records)) == (1, 2)


def test_recipes_may_have_any_name_that_is_not_too_long(place: ComparePlace) -> None:
    recipes = [write_recipe(place.folder, name) for name in ("モデル", "データ")]
    names = [run.name for run in planned_runs(Grid(recipes), toy_registry())]
    assert [name.partition("--")[0] for name in names] == ["モデル", "データ"]
    with pytest.raises(InputError, match="is too long; give the recipe a shorter file name"):
        planned_runs(Grid((write_recipe(place.folder, "n" * 230),)), toy_registry())


def test_commands_may_have_commas(place: ComparePlace) -> None:
    command = f"cmd:{sys.executable} solver.py -a 1,2 {{problem}} {{answer}}"
    (run,) = planned_runs(Grid((place.recipe,), solvers=command), Registry())
    assert run.key.solver == command


def test_a_record_holds_what_the_plan_says(place: ComparePlace) -> None:
    run, records = place.run(pruners="nested,uniform", seeds=(0, 1))
    assert (run.kept, run.done, run.interrupted) == (0, 4, False)
    assert len(records) == 8
    assert {r.outcome for r in records} == {RunOutcome.FINISHED}
    for record in records:
        plan = load_plan(place.out / "runs" / record.name)
        made = record.subnetwork
        assert made is not None
        of_plan = next(s for s in plan.subnetworks if s.name == made.name)
        assert made.accuracy == of_plan.accuracy
        assert made.widths == of_plan.widths
        assert made.settings == of_plan.settings
        assert (made.value, made.bound, made.gap) == (of_plan.value, of_plan.bound, of_plan.gap)
        assert made.share["macs"] == of_plan.usage["macs"] / plan.full.usage["macs"]
        assert record.full == plan.full.accuracy
        assert record.search_s == pytest.approx(sum(s.search_s or 0 for s in plan.steps))
        assert (record.epochs, record.steps) == (1, len(plan.steps))
        assert record.wall_s is not None
        assert record.versions == plan.versions
        recipe = load_recipe(place.out / "runs" / f"{record.name}.yaml")
        assert (recipe.settings.pruner, recipe.settings.seed) == (plan.pruner, plan.seed)


def test_a_finished_comparison_does_nothing_again(place: ComparePlace) -> None:
    place.run(pruners="nested,uniform")
    before = (place.out / "records.jsonl").read_bytes()
    perform = Performer()
    run, _ = place.run(pruners="nested,uniform", perform=perform)
    assert (run.kept, run.done, perform.made) == (2, 0, [])
    assert (place.out / "records.jsonl").read_bytes() == before
    run, records = place.run(pruners="nested", seeds=(5,), perform=perform)
    assert perform.made == ["toy--nested--magnitude--auto--seed5"]
    assert len(records) == 6


@pytest.mark.parametrize("at", [0, 2, 4, 7, 11])
def test_a_killed_comparison_goes_on_and_comes_to_the_same_plans(place: ComparePlace, tmp_path: Path, at: int) -> None:
    undisturbed = Performer()
    _, expected = place.run(pruners="layerwise,uniform", perform=undisturbed)
    plans = {name: load_plan(place.out / "runs" / name) for name in undisturbed.made}
    again = ComparePlace(place.folder)
    place.out.rename(tmp_path / "first")
    wire = Tripwire(at)
    with pytest.raises(Interrupted):
        again.run(pruners="layerwise,uniform", perform=Performer({1: tripping_registry(wire)}))
    perform = Performer()
    run, records = again.run(pruners="layerwise,uniform", perform=perform)
    assert perform.made == undisturbed.made[1:]
    assert (run.kept, run.done) == (1, 1)
    assert [(r.run, r.subnetwork) for r in records] == [(r.run, r.subnetwork) for r in expected]
    for name, plan in plans.items():
        assert without_times(load_plan(again.out / "runs" / name)) == without_times(plan)


def test_a_run_that_went_on_has_no_time_of_the_whole(place: ComparePlace) -> None:
    with pytest.raises(Interrupted):
        place.run(perform=Performer({0: tripping_registry(Tripwire(9))}))
    _, records = place.run()
    assert {r.wall_s for r in records} == {None}
    assert all(r.finetune_s is not None for r in records)


def test_ctrl_c_keeps_what_is_done(place: ComparePlace) -> None:
    class Stops(Performer):
        def __call__(self, paths: RunPaths, told: Any) -> RunEnd:
            if len(self.made) == 1:
                raise KeyboardInterrupt
            return super().__call__(paths, told)

    run, records = place.run(pruners="nested,uniform", perform=Stops())
    assert (run.interrupted, run.done, len(records)) == (True, 1, 2)


def test_records_cut_short_are_completed(place: ComparePlace) -> None:
    place.run()
    path = place.out / "records.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:40])
    run, records = place.run()
    assert (run.kept, run.done) == (0, 1)
    assert [r.subnetwork.name for r in records if r.subnetwork] == ["50", "75"]


def test_a_failure_is_recorded_and_the_rest_goes_on(place: ComparePlace) -> None:
    tight = write_recipe(place.folder, "tight", budgets={"macs": 0.001})
    run, records = place.run(tight, place.recipe)
    assert (run.done, run.interrupted) == (2, False)
    failed, *finished = records
    assert failed.outcome is RunOutcome.REFUSED
    assert failed.subnetwork is None
    assert failed.reason is not None
    assert "; " in failed.reason
    assert len(finished) == 2
    perform = Performer()
    again, _ = place.run(tight, place.recipe, perform=perform)
    assert (again.kept, perform.made) == (2, [])


def test_retry_makes_failed_runs_again_and_figures_replace_the_failure(place: ComparePlace) -> None:
    class Fails(Performer):
        def __call__(self, paths: RunPaths, told: Any) -> RunEnd:
            return RunEnd(RunOutcome.CRASHED, "its process ended by SIGSEGV")

    _, records = place.run(perform=Fails())
    assert [r.outcome for r in records] == [RunOutcome.CRASHED]
    _, records = place.run(retry=True)
    assert [r.outcome for r in records] == [RunOutcome.FINISHED] * 2


def test_a_name_means_one_recipe_in_a_folder(place: ComparePlace) -> None:
    place.run()
    write_recipe(place.folder, budgets={"macs": 0.6})
    with pytest.raises(InputError, match="recipe of 'toy--nested--magnitude--auto--seed0' differs"):
        place.run()


def test_the_table_has_a_row_a_run_and_budget(place: ComparePlace) -> None:
    tight = write_recipe(place.folder, "tight", budgets={"macs": 0.001})
    _, records = place.run(place.recipe, tight, pruners="nested,uniform")
    frame = results_frame(place.out)
    assert len(frame) == len(records) == 6
    finished = frame[frame.outcome == "finished"]
    assert set(finished.pruner) == {"nested", "uniform"}
    assert finished.accuracy_after.between(0, 1).all()
    assert str(frame.value.dtype) == "Int64"
    made = records[0].subnetwork
    assert made is not None
    row = frame.iloc[0]
    assert (row.budget, row.macs, row.share_macs) == (made.name, made.usage["macs"], made.share["macs"])
    failed = frame[frame.outcome == "refused"]
    assert failed.budget.isna().all()
    assert failed.accuracy_after.isna().all()
