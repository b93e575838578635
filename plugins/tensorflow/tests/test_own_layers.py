"""Layers of the user's own: imported by choice for model files, and Lambdas of Keras objects."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_tensorflow.framework import TensorFlowFramework

import reds_core
from reds_core import Watcher, cli
from reds_core.errors import UnsupportedError
from reds_core.system import UsersCode

MY_LAYERS = """
import keras


class Scaled(keras.layers.Layer):
    def __init__(self, by=2.0, **settings):
        super().__init__(**settings)
        self.by = by

    def call(self, x):
        return self.by * x

    def get_config(self):
        return {**super().get_config(), "by": self.by}


@keras.saving.register_keras_serializable("acme")
class Shifted(keras.layers.Layer):
    def call(self, x):
        return x + 1


def bent(x):
    return keras.ops.tanh(x)
"""
X = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")


@pytest.fixture
def my_layers(tmp_path: Path) -> Path:
    path = tmp_path / "layers_of_mine.py"
    path.write_text(MY_LAYERS, encoding="utf-8")
    return path


@pytest.fixture
def model(my_layers: Path) -> Iterator[Any]:
    """A model of such layers, made as in another process: nothing of the file stays known."""
    spec = importlib.util.spec_from_file_location("elsewhere", my_layers)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(8, 3, activation=module.bent),
            module.Scaled(3.0, name="scaled"),
            module.Shifted(name="shifted"),
            L.GlobalAveragePooling2D(),
            L.Dense(16, activation="relu"),
            L.Dense(3, activation="softmax"),
        ]
    )
    sys.modules.pop("layers_of_mine", None)


def framework_that_imports(*names: Path) -> TensorFlowFramework:
    framework = TensorFlowFramework()
    framework.users_code = UsersCode(tuple(map(str, names)))
    return framework


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_imported_layers_and_functions_are_known_for_that_load(
    suffix: str, model: Any, my_layers: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"m{suffix}"
    model.save(path)
    loaded = framework_that_imports(my_layers).load_model(path)
    np.testing.assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)), atol=1e-6)
    with pytest.raises(UnsupportedError, match=r"imports=.my_layers\.py."):
        framework_that_imports().load_model(path)  # nothing was left behind


class Warnings(Watcher):
    def __init__(self) -> None:
        self.told: list[str] = []

    def warn(self, text: str) -> None:
        self.told.append(text)


def test_a_run_remembers_what_it_imported(
    model: Any, my_layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "m.keras")
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    arguments = ["--scorer", "magnitude", "--finetune-epochs", "0", "--budget", "params=0.6", "--out", str(out)]
    assert cli.run(["prune", "m.keras", *arguments]) == 2
    assert cli.run(["prune", "m.keras", "--import", my_layers.name, *arguments]) == 0
    monkeypatch.chdir("/")
    assert cli.run(["prune", "--resume", *arguments]) == 0
    assert cli.run(["extract", str(out), "--budget", "params=0.8"]) == 0
    assert cli.run(["inspect", str(out / "subnet-60.keras"), "--import", str(my_layers)]) == 0
    assert f"imports:\n- {my_layers}\n" in (out / "recipe.yaml").read_text()
    (module,) = (m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == str(my_layers))
    objects = {"Scaled": module.Scaled, "bent": module.bent}
    stock = keras.saving.load_model(out / "subnet-60.keras", custom_objects=objects)
    assert stock(X).shape == (4, 3)
    assert "is of type Scaled" in capfd.readouterr().err


def test_prune_takes_imports(model: Any, my_layers: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "m.keras")
    watcher = Warnings()
    plan = reds_core.prune(
        str(tmp_path / "m.keras"),
        None,
        {"params": 0.6},
        tmp_path / "out",
        imports=[my_layers],
        watcher=watcher,
        scorer="magnitude",
        finetune_epochs=0,
    )
    assert plan.options["imports"] == [str(my_layers)]
    assert any("layer 'scaled' of type Scaled is not known to reds" in text for text in watcher.told)


# --- Lambdas ----------------------------------------------------------------------------------------------------------


def with_lambda(function: Any) -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Lambda(function, name="code"),
            L.Conv2D(8, 3),
            L.Conv2D(8, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax"),
        ]
    )


def test_a_lambda_of_a_keras_object(tmp_path: Path) -> None:
    shift = 0.25
    model = with_lambda(lambda x: x / 2 - shift)
    out, watcher = tmp_path / "out", Warnings()
    data = ((X, np.arange(4) % 3), (X, np.arange(4) % 3))

    def pruned(mode: str) -> Any:
        return reds_core.prune(
            model, data, {"macs": 0.5}, out, scorer="magnitude", finetune_epochs=1, mode=mode, watcher=watcher
        )

    plan = pruned("refuse")
    assert pruned("resume") == plan
    (told,) = (text for text in watcher.told if "code" in text)
    assert "layer 'code' of type Lambda calls a function that reds does not know" in told
    assert "safe_mode=False" in told
    files = plan.subnetworks[0].files
    assert {files["keras"], files["tflite"], files["tflite_int8"]} == {
        "subnet-50.keras",
        "subnet-50.tflite",
        "subnet-50-int8.tflite",
    }
    stock = keras.saving.load_model(out / "subnet-50.keras", safe_mode=False)
    framework = TensorFlowFramework()
    framework.users_code = UsersCode(model=model)
    mine = framework.load_model(out / "subnet-50.keras")
    np.testing.assert_allclose(np.asarray(mine(X)), np.asarray(stock(X)), atol=1e-6)


def test_a_lambda_inside_a_wrapper_is_the_one_in_memory(tmp_path: Path) -> None:
    shift, x = 0.25, X[..., 0]
    code = L.TimeDistributed(L.Lambda(lambda x: x - shift, name="code"), name="each")
    layers = [keras.Input((8, 8)), code, L.TimeDistributed(L.Dense(6, activation="relu")), L.Flatten(), L.Dense(3)]
    framework = TensorFlowFramework()
    framework.users_code = UsersCode(model=keras.Sequential(layers))
    model = framework.users_code.model
    framework.save_model(model, tmp_path / "m.keras")
    loaded = framework.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(np.asarray(loaded(x)), np.asarray(model(x)), atol=1e-6)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    with pytest.raises(UnsupportedError, match="is a Lambda, whose code in the file reds does not run"):
        TensorFlowFramework().load_model(tmp_path / "m.keras")


def test_a_lambda_in_a_file_is_never_run(my_layers: Path, tmp_path: Path) -> None:
    """Neither by an import, nor because the user has another Lambda of that name in memory."""
    ran = tmp_path / "ran"
    place = str(ran)
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"m{suffix}"
        with_lambda(lambda x: (open(place, "w", encoding="utf-8").close(), x)[1]).save(path)
        ran.unlink(missing_ok=True)
        framework = framework_that_imports(my_layers)
        framework.users_code = UsersCode((str(my_layers),), with_lambda(lambda x: x))
        with pytest.raises(
            UnsupportedError, match="layer 'code' is a Lambda, whose code in the file reds does not run"
        ):
            framework.load_model(path)
        assert not ran.exists()


def test_a_lambda_of_an_imported_function_loads(my_layers: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    framework = framework_that_imports(my_layers)
    model = with_lambda(framework.own_layers.objects["bent"])
    model.save(tmp_path / "m.keras")
    loaded = framework.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)), atol=1e-6)
    small = framework.extract(loaded, framework.inspect(loaded), {})
    framework.save_model(small, tmp_path / "again" / "m.keras")
    np.testing.assert_allclose(
        np.asarray(framework.load_model(tmp_path / "again" / "m.keras")(X)), np.asarray(model(X)), atol=1e-6
    )
    sys.modules.pop("layers_of_mine", None)
