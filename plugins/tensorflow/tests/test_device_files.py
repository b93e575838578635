"""Files for devices, measured on their own: their figures are those of the model that they were exported from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_heads import ArrayStream, example_arrays, two_headed
from litert_files import export, litert_file
from reds_tensorflow.task import input_names, output_names

import reds_core
from reds_core.errors import InputError
from reds_core.framework import Arrays, Task

COUNT = 40


@pytest.fixture(scope="module")
def images() -> Arrays:
    rng = np.random.default_rng(3)
    return Arrays(rng.normal(size=(COUNT, 6, 6)).astype(np.float32), rng.integers(0, 3, COUNT))


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((6, 6, 1), name="image"), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )


@pytest.fixture(scope="module")
def files(model: Any, images: Arrays, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    paths = {kind: folder / f"m{kind}" for kind in (".keras", ".tflite", "-int8.tflite")}
    model.save(paths[".keras"])
    for kind in (".tflite", "-int8.tflite"):
        export(model, paths[kind], Arrays(images.x[..., None], images.y), quantise="int8" in kind)
    return paths


def test_files_reach_what_the_model_reaches(model: Any, files: dict[str, Path], images: Arrays) -> None:
    found = {kind: reds_core.evaluate(path, (images.x, images.y)) for kind, path in files.items()}
    own = reds_core.evaluate(model, (images.x, images.y))
    assert found[".keras"].value == own.value == found[".tflite"].value
    assert found[".tflite"].loss == pytest.approx(own.loss, rel=1e-4)
    assert found["-int8.tflite"].value == pytest.approx(own.value, abs=0.1)
    assert found["-int8.tflite"].loss == pytest.approx(own.loss, rel=0.05)
    assert {each.examples for each in found.values()} == {COUNT}
    assert [each.format for each in found.values()] == ["Keras", "LiteRT", "LiteRT"]
    assert found[".keras"].usage == own.usage
    other = reds_core.evaluate(files[".tflite"], (images.x, images.y), metric="TopKCategoricalAccuracy[k=2]")
    assert (other.metric, other.value >= own.value) == ("TopKCategoricalAccuracy[k=2]", True)


def test_examples_are_brought_into_the_form_of_the_inputs(files: dict[str, Path], images: Arrays) -> None:
    file = litert_file(files[".tflite"])
    assert file.input_shape == (6, 6, 1)
    for data in (images, ArrayStream(images, 7)):
        checked = file.check_data(data, "test data")
        assert file.evaluate(checked, Task()).examples == COUNT
    wide = Arrays(np.zeros((COUNT, 7, 6), np.float32), images.y)
    for data in (wide, ArrayStream(wide, 7)):
        with pytest.raises(InputError, match="an example of the test data has shape 7 x 6, the model takes 6 x 6 x 1"):
            file.check_data(data, "test data")
    with pytest.raises(InputError, match="the labels of the test data run from 100 to"):
        file.evaluate(Arrays(images.x, images.y + 100), Task())


@pytest.mark.parametrize("quantise", [False, True])
def test_inputs_and_outputs_may_be_named(tmp_path: Path, quantise: bool) -> None:
    given, model = example_arrays(), two_headed("dict")
    names = {"x": ("zoom", "facts"), "y": ("kind", "place")}
    x, y = ({name: given[name] for name in reversed(names[part])} for part in ("x", "y"))
    task = {"loss": {"kind": "sparse_categorical_crossentropy", "place": "mse"}, "metric": {"kind": "accuracy"}}
    ordered = Arrays(*(tuple(given[name] for name in of(model)) for of in (input_names, output_names)))
    export(model, tmp_path / "m.tflite", ordered, quantise)
    own = reds_core.evaluate(model, (x, y), **task)
    found = reds_core.evaluate(tmp_path / "m.tflite", (x, y), **task)
    assert found.value == pytest.approx(own.value, abs=0.05 if quantise else 1e-5)
    assert found.loss == pytest.approx(own.loss, rel=0.1 if quantise else 1e-3)
    with pytest.raises(InputError, match="name the arrays after the inputs of the model"):
        reds_core.evaluate(tmp_path / "m.tflite", ({"zoom": x["zoom"], "other": x["facts"]}, y), **task)


def test_damaged_and_missing_files(tmp_path: Path, images: Arrays) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"TFL3 nothing")
    for name, why in (("bad.tflite", "cannot be read as a LiteRT model"), ("none.tflite", "does not exist")):
        with pytest.raises(InputError, match=why):
            reds_core.evaluate(tmp_path / name, (images.x, images.y))
