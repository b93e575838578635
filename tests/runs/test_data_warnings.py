"""Data that is too thin, or not what the model was made for, is remarked once, and other data is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sample_streams import Loader
from toy_framework import ToyFramework, chain_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace

from reds_core.framework.data import Arrays, Data
from reds_core.framework.sources import stream_over
from reds_core.runs.data_warnings import FEWEST_EXAMPLES, data_warnings
from reds_core.runs.formulating import formulate_model

CLASSES = 5
MODEL = chain_model((4,), features=3, positions=1, classes=CLASSES)


def arrays(labels: Any, scale: float = 1.0) -> Arrays:
    y = np.asarray(labels)
    rng = np.random.default_rng(0)
    return Arrays(rng.normal(0, scale, (len(y), 1, 3)).astype(np.float32), y)


def balanced(count: int = FEWEST_EXAMPLES, classes: int = CLASSES) -> npt.NDArray[np.int64]:
    return np.arange(count, dtype=np.int64) % classes


def warnings(train: Data, test: Data | None = None, validation: Data | None = None, model: Any = MODEL) -> list[str]:
    framework = ToyFramework()
    return data_warnings(framework, model, framework.inspect(model), train, validation, test)


def rows(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return np.eye(CLASSES, dtype=np.float32)[labels]


def test_good_data_gives_no_warnings() -> None:
    assert warnings(arrays(balanced()), arrays(balanced())) == []
    assert warnings(arrays(rows(balanced())), arrays(rows(balanced()))) == []
    assert warnings(arrays(balanced())) == []


@pytest.mark.parametrize(("count", "told"), [(99, "99 examples"), (1, "1 example")])
def test_few_examples(count: int, told: str) -> None:
    for said in (warnings(arrays(balanced(count)))[0], warnings(arrays(balanced()), arrays(balanced(count)))[0]):
        assert f"data has only {told}, so the results depend on chance; give at least 100" in said


def test_held_back_examples_are_counted_with_the_training_data() -> None:
    assert warnings(arrays(balanced(60)), validation=arrays(balanced(40))) == []
    only_held_back = arrays(np.full(10, 4, np.int64))
    assert warnings(arrays(balanced(100, classes=4)), validation=only_held_back) == []


@pytest.mark.parametrize("form", [np.asarray, rows])
def test_missing_classes(form: Any) -> None:
    [said] = warnings(arrays(form(balanced())), arrays(form(balanced(classes=3))))
    assert said.startswith("the test data has no example of classes 3 and 4; ")
    [said] = warnings(arrays(form(balanced(classes=4))), arrays(form(balanced())))
    assert said.startswith("the training data has no example of class 4; ")


def test_many_missing_classes_are_counted() -> None:
    model = chain_model((4,), features=3, positions=1, classes=1000)
    [said] = warnings(arrays(balanced(classes=10)), model=model)
    assert "has no example of 990 of 1,000 classes, such as 10, 11, 12, 13 and 14" in said


@pytest.mark.parametrize("form", [np.asarray, rows])
def test_a_single_class(form: Any) -> None:
    [said] = warnings(arrays(form(np.full(100, 3))))
    assert said.startswith("all labels of the training data are of class 3; ")


def test_a_mask_with_labels_of_one_class() -> None:
    assert warnings(arrays(np.ones((100, 7), np.int64)))[0].startswith("all labels of the training data are of class 1")
    assert warnings(arrays(np.arange(700).reshape(100, 7) % 2)) == [], "positions may lack classes"


def test_several_labels_of_an_example() -> None:
    labels = np.zeros((100, CLASSES), np.float32)
    labels[::2, :3] = 1
    assert warnings(arrays(labels))[0].startswith("the training data has no example of classes 3 and 4; ")
    labels[0] = 1
    assert warnings(arrays(labels)) == []


def test_real_labels_and_ignored_classes() -> None:
    assert warnings(arrays(np.random.default_rng(0).normal(size=(100, CLASSES)).astype(np.float32))) == []
    ignored = balanced()
    ignored[:5] = -1
    ignored[5:10] = 255
    assert warnings(arrays(ignored)) == []


def test_test_data_of_another_scale() -> None:
    [said] = warnings(arrays(balanced()), arrays(balanced(), scale=255))
    assert said.startswith("the values of the test data vary about 255 times as much as those of the training data; ")
    [said] = warnings(arrays(balanced(), scale=255), arrays(balanced()))
    assert "vary about 1/255 as much" in said
    assert warnings(arrays(balanced()), arrays(balanced(), scale=3)) == []


def test_streams_are_judged_by_their_sample() -> None:
    def stream(labels: npt.NDArray[np.int64]) -> Data:
        found = stream_over(Loader(arrays(labels).x, labels), "data")
        assert found is not None
        return found

    assert warnings(stream(balanced()), stream(balanced())) == []
    few, missing = warnings(stream(balanced(50, classes=4)))
    assert "has only 50 examples" in few
    assert "the training data has no example of class 4" in missing
    [said] = warnings(stream(balanced(3000, classes=4)))
    assert said.startswith("the first 2,048 examples of the training data have no example of class 4")
    many = chain_model((4,), features=3, positions=1, classes=1000)
    assert warnings(stream(balanced(3000, classes=999)), model=many) == [], "a sample may lack a class by chance"


def test_a_run_warns_once_before_it_begins(place: Workplace) -> None:
    """The data of the workplace has 60 training and 30 test examples."""
    for settings in (QUICK, NO_TRAINING):
        heard = Listener()
        place.prune(settings=settings, watcher=heard, mode="overwrite", registry=toy_registry())
        assert [w for w in heard.remarks if "has only" in w] == [
            "the training data has only 60 examples, so the results depend on chance; give at least 100",
            "the test data has only 30 examples, so the results depend on chance; give at least 100",
        ]


def test_problems_that_are_formulated_on_thin_data(place: Workplace) -> None:
    heard = Listener()
    formulate_model(place.model, place.data, {"macs": 0.5}, registry=toy_registry(), watcher=heard)
    assert [w for w in heard.remarks if "the training data has only 60 examples" in w]


def test_without_data_there_is_nothing_to_warn_about(place: Workplace) -> None:
    heard = Listener()
    place.prune(data=None, settings=NO_TRAINING, watcher=heard)
    assert heard.remarks == []
