"""What files of integers are calibrated on: training examples, or data of its own, which needs no labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_plugins import toy_registry
from toy_runs import QUICK, Listener, Workplace
from toy_targets import ToyInt8

import reds_core
from reds_core.errors import InputError
from reds_core.framework.target import ExportSource
from reds_core.runs.recipe import load_recipe


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The examples on which each int8 file is calibrated."""
    found: list[Any] = []
    export = ToyInt8.export

    def recorded(self: ToyInt8, source: ExportSource, path: Path) -> None:
        found.append(None if source.calibration is None else source.calibration.x)
        export(self, source, path)

    monkeypatch.setattr(ToyInt8, "export", recorded)
    return found


def pictures(place: Workplace, count: int, seed: int = 3) -> np.ndarray:
    """Examples of the shape of the training data that are not among it."""
    shape = np.load(place.data)["x_train"].shape[1:]
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def test_a_number_of_training_examples(place: Workplace, seen: list[Any]) -> None:
    plan = place.prune(calibration=7, budgets={"macs": [0.5]})
    assert [len(x) for x in seen] == [7, 7]
    train = {row.tobytes() for row in np.load(place.data)["x_train"]}
    assert all(row.tobytes() in train for row in seen[0])
    assert plan.options["calibration"] == "7"
    assert plan.hashes.calibration is None


def test_by_default_there_are_200_training_examples_and_plans_do_not_say_so(place: Workplace, seen: list[Any]) -> None:
    plan = place.prune(budgets={"macs": [0.5]})
    assert {len(x) for x in seen} == {
        min(200, len(np.load(place.data)["x_train"]) - len(np.load(place.data)["x_train"]) // 10)
    }
    assert "calibration" not in plan.options


@pytest.mark.parametrize("form", ["path", "unlabelled path", "array", "pair", "any name"])
def test_data_of_its_own_in_any_form(place: Workplace, seen: list[Any], form: str, tmp_path: Path) -> None:
    x = pictures(place, 9)
    file = tmp_path / "photos.npz"
    given: Any = file
    if form == "path":
        np.savez(file, x_train=x, y_train=np.zeros(9), x_test=-x, y_test=np.zeros(9))
    elif form == "unlabelled path":
        np.savez(file, x=x)
    elif form == "any name":
        np.savez(file, photos=x)
    else:
        given = x if form == "array" else (x, np.zeros(9, np.int64))
    plan = place.prune(calibration=given, budgets={"macs": [0.5]})
    for found in seen:
        np.testing.assert_array_equal(found, x)
    assert plan.hashes.calibration is not None
    assert plan.options["calibration"] == (str(file) if given is file else "arrays")


def test_a_finished_run_is_extended_and_exported_with_the_same_data(place: Workplace, seen: list[Any]) -> None:
    x, other = pictures(place, 9), pictures(place, 4)
    np.savez(place.folder / "photos.npz", x=x)
    place.prune(calibration=place.folder / "photos.npz", budgets={"macs": [0.5]})
    seen.clear()
    reds_core.extract(place.out, 0.4, registry=toy_registry(), watcher=Listener())
    reds_core.extract(place.out, 0.3, calibration=other, registry=toy_registry(), watcher=Listener())
    reds_core.extract(place.out, 0.6, calibration=5, registry=toy_registry(), watcher=Listener())
    assert [len(found) for found in seen] == [9, 4, 5]
    seen.clear()
    how: Any = {"registry": toy_registry(), "watcher": Listener()}
    reds_core.export(place.out, "tflite-int8", out=place.folder / "copied", **how)
    assert not seen
    reds_core.export(place.out, "tflite-int8", out=place.folder / "anew", calibration=6, **how)
    assert {len(found) for found in seen} == {6}


def test_data_that_was_given_as_an_object_has_to_be_given_again(place: Workplace) -> None:
    place.prune(calibration=pictures(place, 9), budgets={"macs": [0.5]})
    with pytest.raises(InputError, match="the calibration data of the run was given as objects in Python"):
        reds_core.extract(place.out, 0.4, registry=toy_registry(), watcher=Listener())
    assert "calibration" in (place.out / "recipe.yaml").read_text().partition("model:")[0]


def test_a_run_is_resumed_with_the_same_calibration_data_only(place: Workplace) -> None:
    path = place.folder / "photos.npz"
    np.savez(path, x=pictures(place, 9))
    plan = place.prune(calibration=path, budgets={"macs": [0.5]})
    resumed = place.resume(budgets={"macs": [0.5]})
    assert resumed.hashes == plan.hashes
    np.savez(path, x=pictures(place, 9, seed=4))
    with pytest.raises(InputError, match="the calibration data is not what the run in"):
        place.resume(budgets={"macs": [0.5]})
    with pytest.raises(InputError, match="was started with calibration"):
        place.resume(calibration=8, budgets={"macs": [0.5]})


def test_recipes_hold_it(place: Workplace, tmp_path: Path) -> None:
    np.savez(place.folder / "photos.npz", x=pictures(place, 9))
    recipe = place.folder / "mine.yaml"
    recipe.write_text("model: model.keras\ndata: data.npz\ncalibration: photos.npz\n")
    assert load_recipe(recipe).settings.calibration == str(place.folder / "photos.npz")
    recipe.write_text("calibration: 64\n")
    assert load_recipe(recipe).settings.calibration == "64"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0, "files cannot be calibrated on 0 examples"),
        ("-3", "files cannot be calibrated on -3 examples"),
        (True, "calibration is True"),
        ("missing.npz", "data 'missing.npz' does not exist"),
        (np.zeros((5, 3, 3)), r"an example of the calibration data has shape .*, the model takes"),
        (np.array([["a"]]), "not numbers"),
    ],
)
def test_what_cannot_be_calibrated_on(place: Workplace, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(calibration=given, budgets={"macs": [0.5]})
    assert not place.out.exists()


def test_files_without_training_data_are_calibrated_on_other_data(place: Workplace, seen: list[Any]) -> None:
    settings = dataclasses.replace(
        QUICK, scorer="magnitude", finetune=dataclasses.replace(QUICK.finetune, epochs=0), targets=("tflite-int8",)
    )
    place.prune(data=None, settings=settings, calibration=pictures(place, 6), budgets={"macs": [0.5]})
    assert [len(x) for x in seen] == [6, 6]


def test_named_arrays_and_folders_without_any(place: Workplace, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=pictures(place, 2), b=pictures(place, 2))
    with pytest.raises(InputError, match="holds neither x_train nor x"):
        place.prune(calibration=tmp_path / "two.npz", budgets={"macs": [0.5]})
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="holds no images to calibrate files on"):
        place.prune(calibration=tmp_path / "photos", budgets={"macs": [0.5]})
