"""Real runs that are stopped at random moments and resumed: the weights of the undisturbed run, bit by bit."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from stopped_runs import StoppableRun, check_end, moments
from toy_runs import without_times

from reds_core import load_plan

EPOCHS = 30


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoppableRun:
    """A small network with everything that has a state: batch norms, dropout, augmentation, distillation, Adam."""
    folder = tmp_path_factory.mktemp("stopped")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dropout(0.2, name="dropout"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="second"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="logits"),
        ]
    )
    model.save(folder / "model.keras")
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 500)
    x = (generator.normal(size=(500, 8, 8, 1)) + y.reshape(-1, 1, 1, 1)).astype(np.float32)
    np.savez(folder / "data.npz", x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:])
    arguments = ("model.keras", "--data", "data.npz", "--budget", "macs=0.6,0.3", "--finetune-epochs", str(EPOCHS))
    return StoppableRun(folder, (*arguments, "--dropout", "1", "--augment", "shift", "--batch-size", "20"))


@pytest.fixture(scope="module")
def whole(run: StoppableRun) -> tuple[Path, float]:
    """The undisturbed run, and how long it takes."""
    out = run.folder / "whole"
    began = time.monotonic()
    assert run.here(out) == 0
    seconds = time.monotonic() - began
    assert run.trained(out) == EPOCHS
    return out, seconds


def weights(folder: Path) -> dict[str, Any]:
    """Every array of every model of a run."""
    found = {}
    for path in sorted(folder.glob("*.keras")):
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(
                lambda name, item, path=path: (
                    found.__setitem__(f"{path.name}/{name}", item[()]) if isinstance(item, h5py.Dataset) else None
                )
            )
    assert len(found) > 20
    return found


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 40])
def test_runs_stopped_at_random_moments_end_as_the_undisturbed_one(
    run: StoppableRun, whole: tuple[Path, float], count: int
) -> None:
    straight, seconds = whole
    expected_weights, expected_plan = weights(straight), without_times(load_plan(straight))
    for i, (number, after_s) in enumerate(moments(count, seconds, seed=count)):
        out = run.folder / f"stopped-{count}-{i}"
        check_end(run.stopped(out, number, after_s), number, out)
        assert run.here(out, "--resume") == 0, f"stopped {after_s:.2f} s after its start"
        found = weights(out)
        assert found.keys() == expected_weights.keys()
        for name, array in expected_weights.items():
            np.testing.assert_array_equal(
                found[name], array, err_msg=f"{name}, stopped {after_s:.2f} s after its start"
            )
        assert without_times(load_plan(out)) == expected_plan
        assert EPOCHS <= run.trained(out) <= EPOCHS + 1
        print(f"{number.name} after {after_s:.1f} of {seconds:.1f} s: {run.trained(out)} epochs trained")
