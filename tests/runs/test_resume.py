"""Killed runs go on to the same end; runs that differ are refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import Interrupted, Listener, Tripwire, Workplace, contents, settings, tripping_registry, without_times

from reds_core.errors import InputError
from reds_core.framework.data import Arrays
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.plan import Plan
from reds_core.runs import api
from reds_core.runs.dataset import Dataset, dataset_from_arrays
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.folder import Mode


def test_resuming_where_nothing_is_there_starts(place: Workplace) -> None:
    assert without_times(place.resume()) == without_times(place.prune(out=place.folder / "again"))
    with pytest.raises(InputError, match="nothing' holds no run to resume; give a model or data to start one"):
        api.prune(out=place.folder / "nothing", mode="resume", default_data="digits", registry=toy_registry())


@pytest.mark.parametrize("baseline", [False, True])
def test_a_run_killed_anywhere_is_resumed_to_the_same_end(place: Workplace, baseline: bool) -> None:
    source: dict[str, Any] = {"model": None, "data": "toyset"} if baseline else {}
    whole = place.folder / "whole"
    wire = Tripwire()
    expected = without_times(place.prune(registry=tripping_registry(wire), out=whole, **source))
    assert wire.calls > 40
    for at in range(8 if baseline else wire.calls):  # the baseline is all that differs
        out = place.folder / f"killed-{at}"
        with pytest.raises(Interrupted):
            place.prune(registry=tripping_registry(Tripwire(at)), out=out, **source)
        assert not (out / "plan.json").exists()
        plan = place.resume(out=out, **source)
        assert without_times(plan) == expected, f"killed at call {at}"
        assert contents(out) == contents(whole), f"killed at call {at}"


def test_a_run_killed_at_every_step_in_turn_is_resumed_to_the_same_end(place: Workplace) -> None:
    """Each attempt gets a little further, from what the attempts before it left."""
    expected = without_times(place.prune(out=place.folder / "whole"))
    killed = 0
    while not (place.out / "plan.json").exists():
        with suppress(Interrupted):
            plan = place.resume(registry=tripping_registry(Tripwire(4 + killed)))
        killed += 1
    assert without_times(plan) == expected
    assert contents(place.out) == contents(place.folder / "whole")
    assert killed > 5


def test_finished_steps_are_not_taken_again(place: Workplace) -> None:
    wire = Tripwire()
    trained = []

    class Counting(ToyFramework):
        def finetune(self, *arguments: Any) -> None:
            trained.append(1)
            super().finetune(*arguments)

        def export(self, *arguments: Any, **named: Any) -> None:
            wire.pass_by()
            super().export(*arguments, **named)

    wire.at = 2
    with pytest.raises(Interrupted):
        place.prune(registry=toy_registry(framework=Counting))
    listener = Listener()
    place.resume(registry=toy_registry(framework=Counting), watcher=listener)
    assert len(trained) == 1
    assert not [s for s in listener.stages if s.startswith("step")]


def test_resuming_a_finished_run_changes_nothing(place: Workplace) -> None:
    plan = place.prune()
    before = contents(place.out)
    listener = Listener()
    assert place.resume(watcher=listener) == plan
    assert contents(place.out) == before
    assert listener.stages == ["reading"]


def killed(place: Workplace, finished: bool) -> None:
    if finished:
        place.prune()
        return
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(20)))


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"scorer": "magnitude"}, "scorer taylor, not magnitude"),
        ({"holdout": 0.2}, "holdout"),
        ({"options": {"taylor": {"criterion": "squared"}}}, "options"),
        ({"finetune": FinetuneSettings(epochs=1, batch_size=16, learning_rate=0.05)}, "finetune epochs 2, not 1;"),
        ({"element_size_bytes": 4}, "element_size_bytes 1, not 4"),
        ({"time_limit_s": 5.0}, "time_limit_s none, not 5.0"),
    ],
)
def test_resuming_with_other_options_is_refused(
    place: Workplace, finished: bool, changes: dict[str, Any], key: str
) -> None:
    killed(place, finished)
    before = contents(place.out)
    with pytest.raises(InputError, match=f"was started with {key}"):
        place.resume(settings=settings(**changes))
    with pytest.raises(InputError, match="was started with budgets"):
        place.resume(budgets={"macs": [0.75, 0.5, 0.2]})
    assert contents(place.out) == before


def test_a_stopped_run_is_resumed_with_its_folder_alone(place: Workplace) -> None:
    expected = place.prune(out=place.folder / "whole", settings=settings(seed=3))
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(20)), settings=settings(seed=3))
    with pytest.raises(InputError, match="was started with seed 3, not 4"):
        api.prune(out=place.out, mode="resume", seed=4, registry=toy_registry())
    resumed = api.prune(out=place.out, mode="resume", registry=toy_registry())
    assert without_times(resumed) == without_times(expected)
    assert contents(place.out) == contents(place.folder / "whole")


@pytest.mark.parametrize("finished", [False, True])
def test_resuming_with_another_model_or_other_data_is_refused(place: Workplace, finished: bool) -> None:
    killed(place, finished)
    before = contents(place.out)
    other = residual_model(seed=5)
    with pytest.raises(InputError, match="the data is not what the run"):
        place.resume(data=Dataset("d", *two_parts(other), digest="0" * 64))
    ToyFramework().save_model(other, place.model)
    with pytest.raises(InputError, match="the model is not the one"):
        place.resume()
    assert contents(place.out) == before


def two_parts(model: Any) -> tuple[Arrays, Arrays]:
    arrays = toy_arrays(model)
    return Arrays(arrays["x_train"], arrays["y_train"]), Arrays(arrays["x_test"], arrays["y_test"])


def test_model_and_data_may_have_moved(place: Workplace) -> None:
    killed(place, finished=False)
    model, data = place.folder / "moved.keras", place.folder / "moved.npz"
    place.model.rename(model)
    place.data.rename(data)
    assert place.resume(model=model, data=data).subnetworks


def left_out(place: Workplace, **changes: Any) -> Plan:
    """The run resumed without saying where its model and its data lie."""
    return place.resume(**({"model": None, "data": None} | changes))


def elsewhere(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a folder that has another model and other data of the same names."""
    other = place.folder / "elsewhere"
    other.mkdir()
    ToyFramework().save_model(residual_model(seed=5), other / "model.keras")
    np.savez(other / "data.npz", **toy_arrays(residual_model(seed=5)))
    monkeypatch.chdir(other)


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_is_resumed_and_extended_from_anywhere(
    place: Workplace, finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = place.prune(out=place.folder / "straight")
    monkeypatch.chdir(place.folder)
    wire = Tripwire(None if finished else 20)
    with suppress(Interrupted):
        place.prune(model="model.keras", data="data.npz", out="out", registry=tripping_registry(wire))
    assert (place.out / "plan.json").exists() is finished
    elsewhere(place, monkeypatch)
    with pytest.raises(InputError, match="the model is not the one"):
        place.resume(model="model.keras")
    with pytest.raises(InputError, match="the data is not what"):
        place.resume(data="data.npz")
    assert without_times(left_out(place)) == without_times(straight)
    assert contents(place.out) == contents(place.folder / "straight")
    listener = Listener()
    added = extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), listener)
    assert added.accuracy.exported["tflite_int8"] is not None
    assert ["was not trained" in warning for warning in listener.warnings] == [True]


def test_a_run_without_a_model_is_resumed_without_saying_what_its_data_was(place: Workplace) -> None:
    source: dict[str, Any] = {"model": None, "data": "toyset"}
    straight = place.prune(out=place.folder / "straight", **source)
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(20)), **source)
    assert without_times(left_out(place)) == without_times(straight)


def test_an_object_is_asked_for_again(place: Workplace) -> None:
    place.prune(model=residual_model())
    with pytest.raises(InputError, match="does not record the path of its model 'ToyModel'; give it again"):
        left_out(place)
    assert left_out(place, model=residual_model()).subnetworks
    arrays = toy_arrays(residual_model())
    data = dataset_from_arrays((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    place.prune(data=data, mode="overwrite")
    with pytest.raises(InputError, match="given as objects in Python; give it again"):
        left_out(place)
    assert left_out(place, data=data).subnetworks


def test_what_is_left_out_is_only_taken_over_when_a_run_is_resumed(place: Workplace) -> None:
    place.prune()
    for mode in (Mode.REFUSE, Mode.OVERWRITE):
        with pytest.raises(InputError, match="needs training data"):
            place.prune(model=None, data=None, mode=mode)
    with pytest.raises(InputError, match="holds no run to resume; give a model or data to start one"):
        left_out(place, out=place.folder / "nothing here")


def test_a_baseline_is_not_taken_over_from_a_run_with_another_seed(place: Workplace) -> None:
    source: dict[str, Any] = {"model": None, "data": "toyset"}
    for at in range(8):
        out = place.folder / f"{at}"
        with pytest.raises(Interrupted):
            place.prune(registry=tripping_registry(Tripwire(at)), out=out, **source)
        if not (out / ".checkpoint").exists():
            continue
        with pytest.raises(InputError, match="was started with seed 0, not 1"):
            place.resume(out=out, settings=settings(seed=1), **source)


def test_a_baseline_that_is_gone_is_not_trained_anew_behind_the_plan(place: Workplace) -> None:
    place.prune(model=None, data="toyset")
    (place.out / "model.keras").unlink()
    with pytest.raises(InputError, match=r"model.keras' no longer exists; start over with mode=.overwrite."):
        place.resume(model=None, data="toyset")


@pytest.mark.parametrize("file", ["run.json", "state.json", "scores.npz", "order.npz", "full.keras"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "emptied"])
def test_a_damaged_checkpoint_is_named(place: Workplace, file: str, damage: str) -> None:
    wire = Tripwire()
    place.prune(registry=tripping_registry(wire), out=place.folder / "count")
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(wire.calls - 1)))
    [path] = place.out.glob(f".checkpoint/**/{file}")
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "garbage": b"{]", "emptied": b""}[damage])
    with pytest.raises(InputError) as caught:
        place.resume()
    assert file in str(caught.value)


def test_files_of_a_killed_process_are_cleared_away(place: Workplace) -> None:
    killed(place, finished=False)
    (place.out / ".nested.1234.partial.keras").write_bytes(b"half")
    place.resume()
    assert not list(place.out.glob("*.partial*"))
