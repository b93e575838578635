"""Recipes: what is written is read again, what is wrong is named with its line, the same plan is made again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace, contents, without_times

from reds_core.compare.grid import Grid, planned_runs
from reds_core.errors import InputError, UnsupportedError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.finetuning import FinetuneSettings, Precision, Schedule, Teacher
from reds_core.framework.task import Task
from reds_core.plan import load_plan
from reds_core.runs.api import prune
from reds_core.runs.dataset import dataset_from_arrays
from reds_core.runs.recipe import Recipe, load_recipe, recipe_text
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import ScoreLevel
from reds_core.system.files import write_text


@pytest.fixture
def reds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    return Reds(capsys, monkeypatch)


def read(folder: Path, text: str) -> Recipe:
    write_text(folder / "r.yaml", text)
    return load_recipe(folder / "r.yaml")


# Reading


def test_a_recipe_holds_a_whole_run(tmp_path: Path) -> None:
    (tmp_path / "speech.npz").touch()
    recipe = read(
        tmp_path,
        """
model: nets/small.keras
data: speech.npz
out: results
budgets: {macs: [0.5, 25%], peak_ram: [64KiB, 32KiB]}
pruner: layerwise
options:
  layerwise: {order: backward, passes: 2}
  taylor: {batch_size: 64, noise: 1e-3, on: no}
finetune:
  learning_rate: 1e-3
  schedule: step
  augment: [flip, shift=0.2]
  distill: full
  patience: null
task: {loss: mean_squared_error}
holdout: 0
seed: 7
""".replace("25%", "0.25"),
    )
    assert recipe == Recipe(
        model=str(tmp_path / "nets/small.keras"),
        data=str(tmp_path / "speech.npz"),
        out=str(tmp_path / "results"),
        settings=RunSettings(
            budgets=("macs=0.5,0.25", "peak_ram=64KiB,32KiB"),
            pruner="layerwise",
            options={
                "layerwise": {"order": "backward", "passes": "2"},
                "taylor": {"batch_size": "64", "noise": "1e-3", "on": "no"},
            },
            finetune=FinetuneSettings(
                learning_rate=1e-3, schedule=Schedule.STEP, augment=("flip", "shift=0.2"), distill=Teacher.FULL
            ),
            task=Task(loss="mean_squared_error"),
            holdout=0.0,
            seed=7,
        ),
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert read(tmp_path, "seed: 0") == Recipe()


def test_data_that_does_not_lie_beside_the_recipe_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    assert read(tmp_path, "data: cifar10").data == "cifar10"
    assert read(tmp_path, "data: digits").data == "digits"


@pytest.mark.parametrize("budgets", ["macs=0.5", "[macs=0.5]", "{macs: 0.5}", "{macs: [0.5]}", "{macs: '0.5'}"])
def test_budgets_in_every_form(tmp_path: Path, budgets: str) -> None:
    assert read(tmp_path, f"budgets: {budgets}").settings.budgets == ("macs=0.5",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no keys; write one KEY: VALUE per line"),
        ("- seed", "holds no keys"),
        ("seed: 1\nbudgets: {macs: [0.5", "line 2 is not valid YAML: .*; write one KEY: VALUE per line"),
        ("a: b: c", "line 1 is not valid YAML: mapping values are not allowed here"),
        ("\x00", "is not valid YAML: unreadable characters"),
        ("[" * 5000, "nested too deeply"),
        ("seed: 1\n---\nseed: 2", "line 2 is not valid YAML"),
        ("seed: 1\nprunr: nested", "line 2: key 'prunr' is unknown; did you mean pruner?"),
        ("finetune:\n  epochs: 3\n  learning-rate: 1", "line 3: key 'learning-rate' is unknown in finetune; did you"),
        ("\nlearning_rate: 1", "line 2: key 'learning_rate' is unknown; put it into finetune:"),
        ("qqq: 1", "line 1: key 'qqq' is unknown; give one of model, data, out, data_sha256, budgets"),
        ("? [a]\n: 1", "line 1: a key is not a plain word"),
        ("seed: 1\nseed: 2", "line 2: key 'seed' is given twice"),
        ("seed: one", "line 1: seed is 'one', not a whole number; give a whole number"),
        ("seed: 1.5", "seed is '1.5', not a whole number"),
        ("seed: true", "seed is 'true', not a whole number"),
        ("seed: null", "seed is 'null', not a whole number"),
        ("seed: [1]", "seed holds more than one value; give a whole number"),
        ("seed: -1", "r.yaml': seed -1 is below 0; give a seed of 0 or more"),
        ("holdout: .nan", "holdout is '.nan', not a number"),
        ("holdout: much", "holdout is 'much', not a number"),
        ("scorer:", "scorer is '', not a text"),
        ("finetune: 3", "finetune is not a mapping; write finetune: with KEY: VALUE indented below"),
        ("finetune:\n  batch_size: 8\n  epochs: -1", "line 2: finetune: the number of epochs -1 is below 0"),
        ("finetune: {recalibrate: 1}", "recalibrate is '1', not true or false"),
        ("finetune: {distill: inptu}", "distill cannot be 'inptu'; did you mean input?"),
        ("finetune: {schedule: 3}", "schedule cannot be '3'; give one of cosine, constant, step, exponential"),
        ("finetune: {augment: [flop]}", "augmentation 'flop' is unknown; give flip"),
        ("options: {taylor: 3}", "options.taylor is not a mapping"),
        ("options: {taylor: {a: [1]}}", "options.taylor.a holds more than one value"),
        ("seed: 1\nbudgets: 0.5", "line 2: budgets are neither a mapping nor texts; write budgets: {macs"),
        ("budgets: {macs: x}", "line 1: budget macs=x is malformed"),
        ("budgets: {macs: null}", "budget of 'macs' is .*None.*, which is not an amount"),
        ("budgets: !!python/object/apply:os.getcwd []", "a value of type .*getcwd is not allowed"),
        ("seed: !!python/name:os.getcwd x", "a value of type .*getcwd is not allowed"),
    ],
)
def test_recipes_that_are_wrong(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, text)


def test_recipes_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; give the path of a YAML file"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"model: \xe9\xff")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "latin.yaml")


# Writing

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
SETTINGS = st.builds(
    RunSettings,
    budgets=st.sampled_from([("macs=0.5",), ("macs=0.75,0.5", "peak_ram=64KiB")]),
    pruner=WORDS,
    options=st.dictionaries(WORDS, st.dictionaries(WORDS, WORDS, max_size=3), max_size=3),
    finetune=st.builds(
        FinetuneSettings,
        epochs=st.integers(0, 100),
        learning_rate=st.floats(1e-9, 10),
        momentum=st.none() | st.floats(0, 0.99),
        schedule=st.sampled_from(Schedule),
        weight_decay=st.none() | st.floats(0, 1),
        augment=st.sampled_from([(), ("flip",), ("flip", "shift=0.2")]),
        precision=st.sampled_from(Precision),
        distill=st.sampled_from(Teacher),
        recalibrate=st.booleans(),
    ),
    task=st.builds(Task, st.none() | WORDS, st.none() | WORDS),
    time_limit_s=st.none() | st.floats(0.1, 1e6),
    threads=st.none() | st.integers(1, 64),
    gap=st.none() | st.floats(0, 1),
    score_level=st.sampled_from(ScoreLevel),
    element_size_bytes=st.sampled_from((1, 4)),
    energy_model=st.none() | st.just("board-model:nucleo-u575zi-q"),
    latency_table=st.none() | st.just("/latencies/table.json"),
    widths=st.builds(
        WidthRules,
        keep=st.lists(WORDS, max_size=3).map(tuple),
        align=st.none() | st.integers(1, 64),
        min_width=st.integers(1, 64),
        max_options=st.integers(2, 600),
    ),
    int8=st.sampled_from(("shared", "separate", False)),
    strict=st.booleans(),
    holdout=st.floats(0, 0.99),
    seed=st.integers(0, 2**40),
)


@given(SETTINGS)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, asked: RunSettings) -> None:
    recipe = Recipe(data="cifar10", settings=asked)
    assert read(tmp_path_factory.mktemp("recipe"), recipe_text(recipe)) == recipe


# Running


def test_a_written_recipe_makes_the_same_plan(place: Workplace) -> None:
    asked = RunSettings(scorer="magnitude", options={"magnitude": {"norm": "l1"}}, finetune=QUICK.finetune, seed=5)
    plan = place.prune(settings=asked, budgets={"macs": [0.8, 0.6]})
    again = place.folder / "again"
    same = prune(recipe=place.out / "recipe.yaml", out=again, registry=toy_registry())
    assert without_times(same) == without_times(plan)
    assert contents(again) == contents(place.out)


def test_a_run_without_a_model_is_run_again_with_the_same_small_network(place: Workplace) -> None:
    plan = place.prune(model=None, data="toyset")
    text = (place.out / "recipe.yaml").read_text()
    assert "\nmodel:" not in text
    same = prune(recipe=place.out / "recipe.yaml", out=place.folder / "again", registry=toy_registry())
    assert without_times(same) == without_times(plan)


def test_objects_are_named_and_cannot_be_run_again_unaided(place: Workplace) -> None:
    arrays = toy_arrays(residual_model())
    data = dataset_from_arrays((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    plan = place.prune(model=residual_model(), data=data)
    recipe = place.out / "recipe.yaml"
    assert "# The data was given as objects in Python. Give it again" in recipe.read_text()
    kept = load_recipe(recipe)
    assert (kept.model, kept.data, kept.data_sha256) == (str(place.out / "model.keras"), "arrays", data.digest)
    asked: dict[str, Any] = {"recipe": recipe, "out": place.folder / "again", "registry": toy_registry()}
    with pytest.raises(InputError, match=r"as objects in Python, .*; give the same arrays as data, or a file that"):
        prune(**asked)
    other = ((arrays["x_train"] + 1, arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    with pytest.raises(InputError, match=r"the data is not what the run of the recipe was given; give the same arrays"):
        prune(data=other, **asked)
    assert not (place.folder / "again").exists()
    same = prune(data=data, **asked)
    assert without_times(same).subnetworks == without_times(plan).subnetworks
    again = prune(data=place.data, mode="overwrite", **asked)  # the same arrays in a file
    assert without_times(again).subnetworks == without_times(plan).subnetworks
    with pytest.raises(InputError, match=r"the data of recipe .* was given as objects in Python"):
        planned_runs(Grid((recipe,)), toy_registry())


def test_objects_of_the_training_are_named_in_the_recipe(place: Workplace) -> None:
    arrays = toy_arrays(residual_model())
    place.prune(validation_data=(arrays["x_test"], arrays["y_test"]))
    text = (place.out / "recipe.yaml").read_text()
    assert "# These arguments were objects in Python, so the same plan needs them again: validation_data.\n" in text


def test_a_model_file_that_is_there_is_not_replaced_by_a_model_object(place: Workplace) -> None:
    place.out.mkdir()
    there = place.out / "model.keras"
    there.write_bytes(place.model.read_bytes())
    with pytest.raises(InputError, match=r"model.keras' already exists; give it as the model, save this one in its"):
        place.prune(model=residual_model())
    assert there.read_bytes() == place.model.read_bytes()


def test_a_model_that_cannot_be_saved_is_pruned_with_a_warning(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ToyFramework.save_model

    def save_model(self: ToyFramework, model: Any, path: Path) -> None:
        if path.name == "model.keras":
            raise UnsupportedError("it has a layer without a name", "give it one")
        real(self, model, path)

    monkeypatch.setattr(ToyFramework, "save_model", save_model)
    listener = Listener()
    place.prune(model=residual_model(), watcher=listener)
    assert any("cannot be saved, so the recipe of this run needs it again" in text for text in listener.warnings)
    assert "# The model was an object in Python that could not be saved." in (place.out / "recipe.yaml").read_text()


def test_arguments_override_a_recipe(place: Workplace) -> None:
    options = {"magnitude": {"norm": "l1"}}
    base = dataclasses.replace(NO_TRAINING, options={"magnitude": {"norm": "l2"}})
    recipe = Recipe(str(place.model), str(place.data), str(place.folder / "there"), base)
    plan = prune(recipe=recipe, budgets={"macs": 0.6}, options=options, seed=3, registry=toy_registry())
    assert load_plan(place.folder / "there") == plan
    assert [s.name for s in plan.subnetworks] == ["60"]
    assert (plan.seed, plan.scorer, plan.options["options"]) == (3, "magnitude", options)


def test_settings_beside_a_recipe_are_refused(place: Workplace) -> None:
    """Each holds every setting: one of them would be dropped."""
    for recipe in (Recipe(settings=NO_TRAINING), place.folder / "no such file.yaml"):
        with pytest.raises(InputError, match="settings and a recipe are both given; give one of them"):
            place.prune(recipe=recipe, settings=QUICK)
    assert not place.out.exists()
    other = Recipe(settings=dataclasses.replace(NO_TRAINING, seed=9))
    assert place.prune(recipe=other, settings=None).seed == 9


def test_the_command_line_overrides_a_recipe(reds: Reds, place: Workplace) -> None:
    write_text(
        place.folder / "r.yaml",
        """
model: model.keras
data: data.npz
out: results
budgets: {macs: [0.8, 0.6]}
scorer: magnitude
options: {magnitude: {norm: l1}}
finetune: {epochs: 0, learning_rate: 0.05, augment: [flip]}
seed: 3
""",
    )
    assert reds("prune", "--recipe", place.folder / "r.yaml").status == 0
    first = load_plan(place.folder / "results")
    assert [s.name for s in first.subnetworks] == ["60", "80"]
    assert (first.seed, first.scorer, first.options["finetune"]["learning_rate"]) == (3, "magnitude", 0.05)
    arguments = ("--budget", "macs=0.5", "--seed", "0", "--batch-size", "8", "--augment", "shift")
    assert reds("prune", "--recipe", place.folder / "r.yaml", "--out", place.out, *arguments).status == 0
    options: Any = load_plan(place.out).options
    assert (options["budgets"], options["seed"], options["scorer"]) == (["macs=0.5"], 0, "magnitude")
    assert options["options"] == {"magnitude": {"norm": "l1"}}
    tuning = options["finetune"]
    assert (tuning["epochs"], tuning["batch_size"], tuning["augment"]) == (0, 8, ["shift"])


def test_a_wrong_recipe_ends_with_one_line(reds: Reds, place: Workplace) -> None:
    write_text(place.folder / "r.yaml", "modl: x")
    reds("prune", "--recipe", place.folder / "r.yaml").check_error(
        2, "line 1: key 'modl' is unknown; did you mean model?"
    )
