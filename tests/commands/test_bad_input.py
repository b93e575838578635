"""Bad input end to end: the real command line with the real plugins. Each has its exit status and its one line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from command_line import Outcome, write_problem

from reds_core import cli

pytest.importorskip("tensorflow", reason="models are Keras's")

COMMANDS = ("inspect", "formulate", "prune")


@pytest.fixture
def reds(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        status = cli.run([str(a) for a in arguments])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


def small_model(folder: Path, *extra: Any) -> Path:
    """3 classes of images of 8 x 8 x 1."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            *extra,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = folder / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model"))


def good_data() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(24, 8, 8, 1)).astype(np.float32),
        "y_train": np.arange(24) % 3,
        "x_test": rng.normal(size=(9, 8, 8, 1)).astype(np.float32),
        "y_test": np.arange(9) % 3,
    }


def save(folder: Path, **changes: Any) -> Path:
    path = folder / "data.npz"
    arrays = good_data() | changes
    np.savez(path, **{k: a for k, a in arrays.items() if a is not None})
    return path


def prune(reds: Callable[..., Outcome], folder: Path, *arguments: object) -> Outcome:
    out = folder / "out"
    outcome = reds("prune", *arguments, "--out", out)
    assert not out.exists() or not any(out.iterdir()), "a refused run leaves nothing behind"
    return outcome


def test_the_good_input_that_all_these_spoil(reds: Callable[..., Outcome], model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = reds(
        "prune", model, "--data", save(tmp_path), "--budget", "macs=0.5", "--finetune-epochs", 1, "--out", out
    )
    assert outcome.status == 0, outcome.err
    plan = json.loads((out / "plan.json").read_text())
    files = plan["subnetworks"][0]["files"]
    assert all((out / name).stat().st_size for name in files.values())
    for word in ("oneDNN", "cuda", "WARNING", "Saved artifact", "tensorflow/"):
        assert word not in outcome.out + outcome.err


# --- models ---------------------------------------------------------------------------------------------------------


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_json", ".json"), content)
    return buffer.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "does not exist; check the path"),
        (b"", "is not a Keras model file"),
        (b"hello, I am a text", "is not a Keras model file"),
        (b"PK\x03\x04 and then nothing", "is damaged"),
        (b"\x89HDF\r\n\x1a\n and then nothing", "is damaged"),
        (zipped(readme="hello"), "holds no Keras model"),
        (zipped(config_json="{"), "is damaged"),
        (zipped(config_json="{}"), "cannot be loaded|is damaged|holds no"),
    ],
)
def test_files_that_are_no_models(
    reds: Callable[..., Outcome], tmp_path: Path, command: str, content: bytes | None, why: str
) -> None:
    path = tmp_path / "m.keras"
    if content is not None:
        path.write_bytes(content)
    run_on(reds, tmp_path, command, path).check_error(2, why)


def run_on(reds: Callable[..., Outcome], folder: Path, command: str, model: Path, *more: str) -> Outcome:
    data = ["--data", save(folder)]
    if command == "inspect":
        return reds("inspect", model, *more)
    if command == "formulate":
        return reds("formulate", model, *data, "--budget", "macs=0.5", "--out", folder / "p.npz", *more)
    return prune(reds, folder, model, *data, *more)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_cut_model(reds: Callable[..., Outcome], model: Path, tmp_path: Path, share: float) -> None:
    content = model.read_bytes()
    path = tmp_path / "m.keras"
    path.write_bytes(content[: int(share * len(content))])
    for command in COMMANDS:
        run_on(reds, tmp_path, command, path).check_error(2, r"m.keras' is damaged")


def test_a_cut_hdf5_model(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    import keras

    source, path = tmp_path / "whole.h5", tmp_path / "m.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)]).save(source)
    content = source.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        run_on(reds, tmp_path, "prune", path).check_error(2, r"m.h5'")


def test_a_folder_is_no_model(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "saved_model"
    folder.mkdir()
    for command in COMMANDS:
        run_on(reds, tmp_path, command, folder).check_error(2, "is a folder; give a model saved as one")


def test_weights_alone_are_no_model(reds: Callable[..., Outcome], model: Path, tmp_path: Path) -> None:
    import keras

    path = tmp_path / "m.weights.h5"
    keras.models.load_model(model).save_weights(path)
    run_on(reds, tmp_path, "prune", path).check_error(2, "may hold weights, but holds no model")


def test_a_layer_that_is_not_supported_is_named(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    import keras

    path = small_model(tmp_path, keras.layers.UnitNormalization(name="odd_one"))
    for command in COMMANDS:
        run_on(reds, tmp_path, command, path, "--strict").check_error(2, "odd_one")
    assert "odd_one" in run_on(reds, tmp_path, "inspect", path).err


def test_code_in_a_model_is_not_run(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    import keras

    path = small_model(tmp_path, keras.layers.Lambda(lambda x: x * 2, name="odd_one"))
    for command in COMMANDS:
        run_on(reds, tmp_path, command, path).check_error(2, "'odd_one' is a Lambda.*does not run; replace it")


def test_a_model_with_nan(reds: Callable[..., Outcome], model: Path, tmp_path: Path) -> None:
    import keras

    loaded = keras.models.load_model(model)
    kernel, bias = loaded.layers[0].get_weights()
    kernel[0, 0, 0, 0] = np.nan
    loaded.layers[0].set_weights([kernel, bias])
    path = tmp_path / "m.keras"
    loaded.save(path)
    run_on(reds, tmp_path, "prune", path).check_error(2, "of the model holds NaN")
    run_on(reds, tmp_path, "formulate", path).check_error(2, "of the model holds NaN")


# --- data -----------------------------------------------------------------------------------------------------------


def with_nan() -> npt.NDArray[Any]:
    x = good_data()["x_train"].copy()
    x[3, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize("command", ["formulate", "prune"])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"x_test": None}, "lacks x_test; give an .npz with"),
        ({"x_train": None, "y_test": None}, "lacks x_train, y_test"),
        ({"y_train": np.array([{}] * 24, dtype=object)}, "holds pickled objects, which are never loaded"),
        ({"x_train": with_nan()}, "hold NaN or infinite numbers"),
        ({"x_train": np.full((24, 8, 8, 1), np.inf)}, "hold NaN or infinite numbers"),
        ({"x_train": np.full((24, 8, 8, 1), "a")}, "not numbers"),
        ({"x_train": np.zeros((24, 7, 8, 1)), "x_test": np.zeros((9, 7, 8, 1))}, "shape"),
        ({"x_train": np.zeros((24, 8, 8, 3)), "x_test": np.zeros((9, 8, 8, 3))}, "shape"),
        ({"x_train": np.zeros((24, 64)), "x_test": np.zeros((9, 64))}, "shape"),
        ({"x_test": np.zeros((9, 8, 8, 3))}, "different shapes"),
        ({"x_train": np.zeros((0, 8, 8, 1)), "y_train": np.zeros(0, int)}, "empty"),
        ({"y_train": np.arange(23) % 3}, "24 examples and 23 labels"),
        (
            {"y_train": np.arange(24) % 4},
            "from 0 to 3, but the model has 3 outputs; give class numbers from 0 to 2",
        ),
        ({"y_train": np.arange(24) % 3 - 1}, "from -1 to 1"),
        ({"y_train": np.arange(24) / 7}, "not whole numbers"),
        ({"y_train": np.eye(4)[np.arange(24) % 4], "y_test": np.eye(4)[np.arange(9) % 4]}, "labels"),
    ],
)
def test_data_of_no_use(
    reds: Callable[..., Outcome], model: Path, tmp_path: Path, command: str, changes: dict[str, Any], why: str
) -> None:
    data = save(tmp_path, **changes)
    if command == "formulate":
        outcome = reds("formulate", model, "--data", data, "--budget", "macs=0.5", "--out", tmp_path / "p.npz")
    else:
        outcome = prune(reds, tmp_path, model, "--data", data)
    outcome.check_error(2, why)


def test_test_data_is_checked_before_anything_is_trained(
    reds: Callable[..., Outcome], model: Path, tmp_path: Path
) -> None:
    data = save(tmp_path, y_test=np.arange(9) % 4)
    prune(reds, tmp_path, model, "--data", data).check_error(2, "test data.* 0 to 3, but the model has 3 outputs")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_data(reds: Callable[..., Outcome], model: Path, tmp_path: Path, share: float) -> None:
    path = save(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    prune(reds, tmp_path, model, "--data", path).check_error(
        2, r"data.npz' cannot be read .*; give an .npz with x_train"
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("missing.npz", "data 'missing.npz' does not exist; give digits, a named data set, an .npz or a folder"),
        ("folder/missing", "does not exist"),
        ("emnist", "emnist"),
        ("digit", "digit"),
    ],
)
def test_data_that_is_not_there(
    reds: Callable[..., Outcome], model: Path, tmp_path: Path, source: str, why: str
) -> None:
    prune(reds, tmp_path, model, "--data", source).check_error(2, why)


def test_an_array_and_a_text_are_no_data(reds: Callable[..., Outcome], model: Path, tmp_path: Path) -> None:
    array, text = tmp_path / "x.npy", tmp_path / "x.csv"
    np.save(array, np.zeros(3))
    text.write_text("1,2,3")
    prune(reds, tmp_path, model, "--data", array).check_error(2, "single array")
    prune(reds, tmp_path, model, "--data", text).check_error(2, "cannot be read")


def test_a_folder_without_images_is_no_data(reds: Callable[..., Outcome], model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "cat").mkdir(parents=True)
    prune(reds, tmp_path, model, "--data", folder).check_error(2, "images")
    (folder / "cat" / "a.png").write_bytes(b"no image")
    (folder / "dog").mkdir()
    (folder / "dog" / "b.png").write_bytes(b"no image")
    prune(reds, tmp_path, model, "--data", folder).check_error(2, r"a\.png|b\.png")


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--solver", "baron"], 2, "unknown solver 'baron'; .*installed: "),
        (["--scorer", "tailor"], 2, "unknown scorer 'tailor'; did you mean 'taylor'"),
        (["--pruner", "nestled"], 2, "unknown pruner 'nestled'; did you mean 'nested'"),
        (["--budget", "flops=0.5"], 2, "unknown resource 'flops'; did you mean 'macs'"),
        (["--budget", "macs"], 2, "budget 'macs' is malformed"),
        (["--budget", "macs=lots"], 2, "budget macs=lots is malformed"),
        (["--budget", "macs=-0.5"], 2, "is malformed"),
        (["--budget", "macs=0"], 2, "is not above 0"),
        (
            ["--budget", "macs=64KiB"],
            2,
            "which is not one of macs; write a share such as 0.5 or 50%, or an amount in k, M, G, T, MAC, ",
        ),
        (["--budget", "macs=0.5,0.25", "--budget", "params=0.25,0.5"], 2, "not ordered alike"),
        (
            ["--budget", "macs=0.0001"],
            3,
            r"the least that can be reached is \d+; raise the budget to \d+, or to 0\.\d+ of the network",
        ),
        (["--budget", "peak_ram=2"], 3, r"the least that can be reached is \d+"),
        (["--align", "0"], 2, "'0' is not a number of channels; give --align auto, or a number of 1 or more"),
        (["--align", "four"], 2, "'four' is not a number of channels"),
        (["--loss", "surprise"], 2, "loss 'surprise' cannot be used; give the name of a Keras loss"),
        (["--metric", "surprise"], 2, "metric 'surprise' cannot be used"),
        (["--option", "taylor.batch_size=0"], 2, "taylor.batch_size is 0"),
    ],
)
def test_options_of_no_use(
    reds: Callable[..., Outcome], model: Path, tmp_path: Path, arguments: list[str], status: int, why: str
) -> None:
    prune(reds, tmp_path, model, "--data", save(tmp_path), *arguments).check_error(status, why)


@pytest.mark.parametrize("below", ["file", "file/out", "/proc/out", "/dev/null/out"])
def test_a_folder_that_cannot_be_written(reds: Callable[..., Outcome], model: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / below
    outcome = reds("prune", model, "--data", save(tmp_path), "--out", out)
    outcome.check_error(2, "cannot be written")
    assert (tmp_path / "file").read_text() == "in the way"


# --- problems -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "does not exist; check the path"),
        (b"", "is not a readable .npz"),
        (b"hello", "is not a readable .npz"),
        (b"PK\x03\x04", "is not a readable .npz"),
    ],
)
def test_files_that_are_no_problems(
    reds: Callable[..., Outcome], tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "p.npz"
    if content is not None:
        path.write_bytes(content)
    reds("solve", path).check_error(2, why)


def test_a_cut_problem(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    path = write_problem(tmp_path / "p.npz", 7)
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        reds("solve", path, "--json").check_error(2, "is not a readable .npz")


def test_data_is_no_problem(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    reds("solve", save(tmp_path)).check_error(2, "has no header string")


def test_an_infeasible_problem(reds: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = reds("solve", write_problem(tmp_path / "p.npz", 4), "--json")
    outcome.check_error(3, r"the least that can be reached: macs 5\); raise the budget of macs")
    assert outcome.json["status"] == "infeasible"
