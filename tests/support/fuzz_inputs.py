"""The small, valid inputs that the fuzzer starts from, built once and copied for every trial."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reds_core import cli

INPUTS = ("m.keras", "m.h5", "e.keras", "d.npz", "p.npz", "t.json", "done", "unfinished", "recipe.yaml", "images")
"""Names of the files and folders that `build` makes."""


def build(folder: Path) -> None:
    """Make one small input of each kind in `folder`. Needs TensorFlow."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
    exit_ = layers.Dense(3, activation="softmax", name="exit_1")(
        layers.GlobalAveragePooling2D()(model.layers[0].output)
    )
    deep = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="deep")(model.layers[0].output))
    last = layers.Dense(3, activation="softmax", name="last")(deep)
    keras.Model(model.inputs, [exit_, last]).save(folder / "e.keras")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(18, 6, 6, 1)).astype(np.float32), np.arange(18) % 3
    np.savez(folder / "d.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    with inside(folder):
        done = ["prune", "m.keras", "--data", "d.npz", "--budget", "macs=0.5", "--scorer", "magnitude"]
        done += ["--finetune-epochs", "0", "--out"]
        succeed([*done, "done"])
        shutil.copy("done/recipe.yaml", "recipe.yaml")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("reds_core.runs.run.finish", _interrupt)
            assert cli.run([*done, "unfinished"]) == 130
        problem = ["--data", "d.npz", "--budget", "macs=0.5", "--out", "p.npz"]
        succeed(["formulate", "m.keras", *problem])
        succeed(["latency", "m.keras", "--out", "t.json", "--repeats", "10", "--points", "2", "--checks", "1"])
    _draw_images(folder / "images")


def _interrupt(*arguments: Any, **named: Any) -> None:
    raise KeyboardInterrupt


def _draw_images(folder: Path) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((6, 6), 40 * i, np.uint8)).save(folder / name / f"{i}.png")


def succeed(arguments: list[str]) -> None:
    """Run a command line that must succeed."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = cli.run(arguments)
    assert status == 0, err.getvalue()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Change the working directory to `folder` inside the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def spread(pristine: Path, work: Path) -> None:
    """Fill the empty folder `work` with copies of the inputs and with paths that are odd in other ways."""
    for name in INPUTS:
        source = pristine / name
        if source.is_dir():
            shutil.copytree(source, work / name)
        else:
            shutil.copy(source, work / name)
    # a run stores absolute paths of its inputs
    for notes in ("unfinished/.checkpoint/run.json", "done/plan.json", "recipe.yaml", "done/recipe.yaml"):
        text = (work / notes).read_text()
        (work / notes).write_text(text.replace(str(pristine), str(work)))
    (work / "folder").mkdir()
    (work / "loop").symlink_to(work / "loop")
    (work / "empty").write_bytes(b"")
    (work / "text").write_text("hello: [1, 2\n")
