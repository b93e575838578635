"""The code blocks of the documentation that need TensorFlow run, on a small model and data."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

import reds_core

code_blocks = pytest.importorskip("code_blocks", reason="the documentation is not beside this package")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that pages name: a model, data, and finished runs."""
    folder = tmp_path_factory.mktemp("page")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(96, 16, 16, 1)).astype("float32")
    y = (x.mean(axis=(1, 2, 3)) > 0).astype("int64")
    np.savez(folder / "data.npz", x_train=x[:64], y_train=y[:64], x_test=x[64:], y_test=y[64:])
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(folder / "model.keras")
    plan = reds_core.prune(folder / "model.keras", folder / "data.npz", 0.5, folder / "run", finetune_epochs=0)
    assert plan.subnetworks
    return folder


BLOCKS = [block for block in code_blocks.all_blocks() if block.way is code_blocks.Way.TENSORFLOW]


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_blocks_run(page: str, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page in a folder of its own. A page that reads a finished run finds one under its name."""
    blocks = [block for block in BLOCKS if block.page == page]
    for name in ("model.keras", "data.npz"):
        shutil.copy(prepared / name, tmp_path / name)
    for name in ("slim", "reds-out"):
        if not any(f'out="{name}"' in block.code for block in blocks):
            shutil.copytree(prepared / "run", tmp_path / name)
    shutil.copy(prepared / "run" / "recipe.yaml", tmp_path / "r.yaml")
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    module.__dict__["reds_core"] = reds_core  # some pages import it in the text before
    monkeypatch.setitem(sys.modules, "page", module)
    for block in blocks:
        exec(compile("\n" * (block.line - 1) + block.code, page, "exec"), module.__dict__)
