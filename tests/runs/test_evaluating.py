"""Models and files for devices, measured on test data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from sample_streams import Loader
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace

import reds_core
from reds_core.cost import resources
from reds_core.cost.resources import CostModel
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.task import Task
from reds_core.plan import load_plan
from reds_core.system.records import to_json

TOY = ToyFramework()
REGISTRY = toy_registry()
ARRAYS = toy_arrays(residual_model())
TEST = Arrays(ARRAYS["x_test"], ARRAYS["y_test"])


def measured(model: Any, data: Any, **more: Any) -> reds_core.ModelEvaluation:
    return reds_core.evaluate(model, data, registry=REGISTRY, **more)


def test_a_model_file(place: Workplace) -> None:
    found, model = measured(place.model, place.data), TOY.load_model(place.model)
    assert (found.model, found.format, found.metric) == (str(place.model), "Keras", "accuracy")
    assert (found.value, found.loss) == (TOY.accuracy(model, TEST, Task()), TOY.loss(model, TEST, Task()))
    assert (found.examples, found.size_bytes) == (len(TEST), place.model.stat().st_size)
    network = TOY.inspect(model)
    assert found.usage == resources.usage(network, network.channels)
    wide = measured(place.model, place.data, element_size=4)
    assert wide.usage == resources.usage(network, network.channels, CostModel(4))


@pytest.mark.parametrize(
    "data",
    [
        (TEST.x, TEST.y),
        ((ARRAYS["x_train"], ARRAYS["y_train"]), (TEST.x, TEST.y)),
        Loader(TEST.x, TEST.y),
        (Loader(ARRAYS["x_train"], ARRAYS["y_train"]), Loader(TEST.x, TEST.y)),
    ],
)
def test_objects_and_arrays(place: Workplace, data: Any) -> None:
    model = residual_model()
    found, same = measured(model, data), measured(place.model, place.data)
    assert (found.model, found.size_bytes) == ("residual", None)
    assert (found.value, found.examples, found.usage) == (same.value, same.examples, same.usage)
    assert found.loss == pytest.approx(same.loss)


def test_files_for_devices_are_measured_as_their_plan_says(place: Workplace) -> None:
    place.prune(settings=NO_TRAINING)
    for record in load_plan(place.out).subnetworks:
        for kind in ("tflite", "tflite_int8"):
            file = place.out / str(record.files[kind])
            found = measured(file, place.data)
            assert (found.format, found.size_bytes) == ("LiteRT", file.stat().st_size)
            assert found.value == record.accuracy.exported[kind]
            assert found.usage == record.usage
            assert found.examples == len(TEST)


def test_a_file_without_a_plan_has_no_known_costs(place: Workplace, tmp_path: Path) -> None:
    place.prune(settings=NO_TRAINING)
    alone = tmp_path / "alone" / "some-int8.tflite"
    alone.parent.mkdir()
    alone.write_bytes((place.out / "subnet-50-int8.tflite").read_bytes())
    assert measured(alone, place.data).usage == {}


def test_errors(place: Workplace) -> None:
    for model, data, why in (
        (place.folder / "none.keras", place.data, "does not exist"),
        (place.folder / "none.tflite", place.data, "does not exist"),
        (place.model, None, "no data is given"),
        (place.model, (TEST.x[:, :, :1], TEST.y), "shape"),
        ("", place.data, "model is empty"),
    ):
        with pytest.raises(InputError, match=why):
            measured(model, data)

    class WithoutFiles(ToyFramework):
        def load_exported(self, path: Path) -> Any:
            raise UnsupportedError(f"framework '{self.name}' cannot run '{path}'", "give a model file")

    with pytest.raises(UnsupportedError, match=r"framework 'toy' cannot run '.*some.tflite'; give a model file"):
        reds_core.evaluate(place.folder / "some.tflite", place.data, registry=toy_registry(framework=WithoutFiles))


def test_the_command(reds: Reds, place: Workplace) -> None:
    shown = reds("evaluate", place.model, "--data", place.data)
    assert shown.status == 0
    found = measured(place.model, place.data)
    lines = dict(line.split(maxsplit=1) for line in shown.out.splitlines() if line.split()[0] in ("loss", "examples"))
    assert lines == {"loss": f"{found.loss:.4g}", "examples": str(found.examples)}
    printed = reds("evaluate", place.model, "--data", place.data, "--json").json
    assert printed == json.loads(to_json(found))
    assert np.isfinite(printed["value"])
    reds("evaluate", place.model).check_error(2, "Missing option '--data'")


class Scaled(ToyFramework):
    """Notes that the examples are scaled differently."""

    def input_notes(self, model: Any, x: Any) -> tuple[str, ...]:
        return (f"{len(x)} examples are scaled differently",)


def test_test_data_that_means_little_is_remarked(place: Workplace) -> None:
    heard = Listener()
    only = np.flatnonzero(TEST.y == TEST.y[0])
    few = (TEST.x[only], TEST.y[only])
    registry = toy_registry(framework=Scaled)
    reds_core.evaluate(residual_model(), few, registry=registry, watcher=heard)
    said = [*heard.remarks, *heard.warnings]
    assert f"the test data has only {len(only)} examples" in said[0]
    assert f"all labels of the test data are of class {TEST.y[0]}" in said[1]
    assert said[2] == f"{len(only)} examples are scaled differently"
    assert len(said) == 3
