"""Runs on data that is read in batches, with and without test data, validation data and weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_streams import Loader, toy_pairs
from toy_framework import ToyFramework, residual_model
from toy_plugins import toy_registry
from toy_runs import QUICK, Interrupted, Listener, Workplace, contents, make_workplace

from reds_core.errors import InputError
from reds_core.framework.data import Stream
from reds_core.framework.training import Training
from reds_core.plan import FullAccuracy, Plan
from reds_core.runs.formulating import formulate_model

TRAIN, TEST = toy_pairs()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    from toy_runs import skip_report

    skip_report(monkeypatch)
    return make_workplace(tmp_path)


def loaders(**options: Any) -> tuple[Loader, Loader]:
    return Loader(*TRAIN, **options), Loader(*TEST)


def batches_of(x: Any, y: Any) -> Iterator[Any]:
    for start in range(0, len(x), 16):
        yield x[start : start + 16], y[start : start + 16]


def recording_framework(seen: list[Training]) -> Any:
    class Recording(ToyFramework):
        def finetune(self, family: Any, training: Training) -> None:
            seen.append(training)
            super().finetune(family, training)

    return toy_registry(framework=Recording)


class Killer(Listener):
    """Kills a run at one of its reports, by the number of the report from 1."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def epoch(self, progress: Any) -> None:
        super().epoch(progress)
        if self.epochs == self._at:
            raise Interrupted


@pytest.mark.parametrize(("pruner", "epochs"), [("nested", 3), ("layerwise", 6)])
def test_a_run_on_streams_that_is_killed_in_any_epoch_ends_with_the_same_files(
    place: Workplace, pruner: str, epochs: int
) -> None:
    how = replace(QUICK, pruner=pruner, finetune=replace(QUICK.finetune, epochs=epochs))
    listener = Listener()
    place.prune(data=loaders(), settings=how, watcher=listener)
    expected = contents(place.out)
    for at in range(2, listener.epochs, 3):
        out = place.folder / f"killed-{at}"
        with pytest.raises(Interrupted):
            place.prune(data=loaders(), settings=how, out=out, watcher=Killer(at))
        place.prune(data=loaders(), settings=how, out=out, mode="resume")
        assert contents(out) == expected


def test_a_later_training_continues_with_the_passes_of_the_earlier_ones(place: Workplace) -> None:
    seen: list[Training] = []
    how = replace(QUICK, pruner="layerwise", finetune=replace(QUICK.finetune, epochs=4))
    place.prune(data=loaders(), settings=how, registry=recording_framework(seen))
    trained = [t for t in seen if t.settings.epochs]
    assert [t.first_pass for t in trained] == np.cumsum([0, *(t.settings.epochs for t in trained)])[:-1].tolist()
    assert len(trained) > 1


def test_accuracies_on_a_test_stream_are_those_on_its_arrays(place: Workplace) -> None:
    how = replace(QUICK, scorer="magnitude", finetune=replace(QUICK.finetune, epochs=0, recalibrate=False))
    streamed = place.prune(data=loaders(), settings=how)
    kept = place.prune(data=(TRAIN, TEST), settings=how, mode="overwrite")
    assert [s.accuracy for s in streamed.subnetworks] == [s.accuracy for s in kept.subnetworks]
    assert streamed.full == kept.full


def test_functions_that_return_iterators_are_streams(place: Workplace) -> None:
    plan = place.prune(data=(lambda: batches_of(*TRAIN), lambda: batches_of(*TEST)))
    assert plan.full.accuracy.after is not None


def test_an_iterator_that_can_be_read_once_is_refused_with_the_way_out(place: Workplace) -> None:
    with pytest.raises(InputError, match="the training data is a generator, which can be read only once; give a func"):
        place.prune(data=(batches_of(*TRAIN), None))


@pytest.mark.parametrize("data", [TRAIN, (*TRAIN, np.ones(len(TRAIN[0]))), Loader(*TRAIN), (Loader(*TRAIN), None)])
def test_without_test_data_no_accuracy_is_measured_and_a_warning_says_so(place: Workplace, data: Any) -> None:
    listener = Listener()
    plan = place.prune(data=data, watcher=listener)
    assert "no test data is given, so no accuracies are measured" in listener.warnings
    assert plan.full.accuracy == FullAccuracy(None, None, {"tflite_int8": None})
    assert all(s.accuracy.after is None for s in plan.subnetworks)
    assert all(name for s in plan.subnetworks for name in s.files.values())


def test_a_stream_holds_nothing_back_and_a_warning_says_so(place: Workplace) -> None:
    seen: list[Training] = []
    listener = Listener()
    place.prune(data=loaders(), registry=recording_framework(seen), watcher=listener)
    assert {t.validation for t in seen} == {None}
    assert [w for w in listener.warnings if "nothing can be held back" in w]
    patient = replace(QUICK, finetune=replace(QUICK.finetune, patience=2))
    with pytest.raises(InputError, match="early stopping needs held-back data; give validation_data"):
        place.prune(data=loaders(), settings=patient, out=place.folder / "patient")
    listener = Listener()
    place.prune(data=loaders(), settings=patient, validation_data=TEST, watcher=listener, mode="overwrite")
    assert not [w for w in listener.warnings if "nothing can be held back" in w]


@pytest.mark.parametrize("validation", [TEST, Loader(*TEST), lambda: batches_of(*TEST)])
def test_validation_data_is_what_epochs_are_compared_on(place: Workplace, validation: Any) -> None:
    seen: list[Training] = []
    place.prune(data=(TRAIN, TEST), validation_data=validation, registry=recording_framework(seen))
    assert all(len(t.data) == len(TRAIN[0]) for t in seen)  # type: ignore[arg-type]
    assert all(t.validation is not None for t in seen)
    with pytest.raises(InputError, match="was started with validation_data given, not none"):
        place.resume(data=(TRAIN, TEST))


@pytest.mark.parametrize("as_stream", [False, True])
def test_validation_data_with_labels_of_another_form_is_refused(place: Workplace, as_stream: bool) -> None:
    one_hot = (TEST[0], np.eye(int(TEST[1].max()) + 1)[TEST[1]])
    validation: Any = Loader(*one_hot) if as_stream else one_hot
    with pytest.raises(InputError, match="the labels of the validation data do not have the same form as those of the"):
        place.prune(data=(TRAIN, TEST), validation_data=validation)


def test_weights_reach_trainings_scores_and_held_back_data_and_class_weights_not_the_test_data(
    place: Workplace,
) -> None:
    seen: list[Training] = []
    tested: list[Any] = []
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, len(TRAIN[0]))

    class Recording(ToyFramework):
        def finetune(self, family: Any, training: Training) -> None:
            seen.append(training)
            super().finetune(family, training)

        def accuracy(self, model: Any, data: Any, task: Any) -> float:
            tested.append(data)
            return super().accuracy(model, data, task)

    place.prune(
        data=((*TRAIN, weights), TEST), class_weight={0: 2.0, 2: 0.25}, registry=toy_registry(framework=Recording)
    )
    table = np.array([2.0, 1.0, 0.25], np.float32)
    expected = dict(zip(map(bytes, TRAIN[0]), weights.astype(np.float32) * table[TRAIN[1]], strict=True))
    for part in (seen[0].data, seen[0].validation):
        assert part.weights is not None  # type: ignore[union-attr]
        assert [expected[bytes(x)] for x in part.x] == part.weights.tolist()  # type: ignore[union-attr]
    assert all(data.weights is None for data in tested)


@pytest.mark.parametrize("as_stream", [False, True])
def test_balanced_classes_have_the_same_total_weight(place: Workplace, as_stream: bool) -> None:
    seen: list[Training] = []
    data: Any = loaders() if as_stream else (TRAIN, TEST)
    place.prune(
        data=data, class_weight="balanced", registry=recording_framework(seen), settings=replace(QUICK, holdout=0.0)
    )
    train = seen[0].data
    parts = [train] if not as_stream else list(train.batches())  # type: ignore[union-attr]
    totals = sum(np.bincount(p.y, p.weights, minlength=3) for p in parts)  # type: ignore[union-attr]
    np.testing.assert_allclose(totals, [len(TRAIN[0]) / 2, 0, len(TRAIN[0]) / 2], rtol=1e-5)  # class 1 does not occur


def test_class_weights_change_scores_of_a_formulated_problem() -> None:
    def values(**options: Any) -> list[Any]:
        problem = formulate_model(
            residual_model(), (TRAIN, TEST), {"macs": 0.5}, registry=toy_registry(), **options
        ).problem
        return [group.values.tolist() for group in problem.groups]

    assert values() != values(class_weight={0: 5.0})
    assert values() == values(class_weight={0: 1.0})
    assert len(values()) == len(
        formulate_model(residual_model(), Loader(*TRAIN), {"macs": 0.5}, registry=toy_registry()).problem.groups
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({7: 1.0}, "class 7 has a weight, but no training example is of that class"),
        ({"cat": 1.0}, "are not weights of numbered classes"),
        ("0=x", "the class weight '0=x' is not valid"),
        ("0=1,0=2", "the class weight '0=2' is not valid"),
        ({0: -1}, "the class weight '0=-1.0' is not valid"),
    ],
)
def test_class_weights_that_cannot_be_used_are_refused(place: Workplace, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(data=(TRAIN, TEST), class_weight=given)


def test_data_given_again_is_what_an_added_member_is_measured_on(place: Workplace) -> None:
    from reds_core.runs.api import extract

    def plan() -> Plan:
        return place.prune(data=loaders(), mode="overwrite")

    plan()
    listener = Listener()
    without = extract(place.out, {"macs": 0.6}, registry=toy_registry(), watcher=listener)
    assert without.accuracy.after is None
    assert [w for w in listener.warnings if "given as objects in Python" in w]
    plan()
    record = extract(place.out, {"macs": 0.6}, data=loaders(), registry=toy_registry())
    assert record.accuracy.after is not None
    assert record.files["tflite_int8"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    image_module = pytest.importorskip("PIL.Image")
    for label in range(3):
        folder = tmp_path / "photos" / f"class{label}"
        folder.mkdir(parents=True)
        for i in range(15):
            image_module.new("L", (6, 4), 60 * label + i).save(folder / f"{i}.png")
    return tmp_path / "photos"


def test_images_read_from_disk_in_each_pass_are_held_back_by_their_files_and_resumed(
    place: Workplace, photos: Path
) -> None:
    seen: list[Training] = []
    asked = {"model": None, "data": photos, "settings": replace(QUICK, stream=True, holdout=0.2), "watcher": Listener()}
    place.prune(**asked, registry=recording_framework(seen))
    assert seen[-1].first_pass == 20  # after the passes of the network that is trained first
    assert isinstance(seen[-1].validation, Stream)
    assert [w for w in asked["watcher"].warnings if "hold" in w or "memory" in w] == []
    expected = contents(place.out)
    out = place.folder / "killed"
    with pytest.raises(Interrupted):
        place.prune(**asked | {"watcher": Killer(8), "out": out})
    place.prune(**asked | {"out": out}, mode="resume")
    assert contents(out) == expected


def test_images_that_do_not_fit_into_memory_are_read_from_disk_and_a_warning_says_so(
    place: Workplace, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reds_core.runs.dataset.available_bytes", lambda: 100)
    listener = Listener()
    place.prune(model=None, data=photos, watcher=listener)
    assert [w for w in listener.warnings if "would take more than a quarter of the available memory" in w]
