"""A run of a real network, killed with SIGKILL at every step in turn: the same plan and weights as undisturbed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from toy_runs import without_times

from reds_core import Plan, load_plan

RUN = """
import os, signal, sys
import reds_core
from reds_core import Watcher

folder, pruner, killed_at = sys.argv[1], sys.argv[2], int(sys.argv[3])

class Killer(Watcher):
    '''Kills the process when a step has begun to train, or else as soon as it is over.'''

    step = 0

    def stage(self, text):
        if killed_at and self.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if text.startswith("step "):
            self.step = int(text.split()[1])

    def epoch(self, progress):
        if self.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

reds_core.prune(
    f"{folder}/model.keras", "digits", {"macs": [0.6, 0.4]}, f"{folder}/{sys.argv[4]}",
    pruner=pruner, finetune_epochs=4, mode="resume", watcher=Killer(),
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network, untrained: its weights are drawn from a seed."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 1))
    for filters in (6, 8):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    where = tmp_path_factory.mktemp("digits")
    model.save(where / "model.keras")
    return where


def run(folder: Path, pruner: str, *more: str, status: int = 0) -> None:
    command = [sys.executable, "-c", RUN, str(folder), pruner, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == status, done.stderr[-2000:]


def same_weights(one: Path, other: Path) -> bool:
    import keras

    weights = [keras.saving.load_model(path).get_weights() for path in (one, other)]
    return all((a == b).all() for a, b in zip(*weights, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["layerwise", "progressive", "oneshot"])
def test_killed_at_every_step_in_turn(folder: Path, pruner: str) -> None:
    place = folder / pruner
    place.mkdir()
    (place / "model.keras").write_bytes((folder / "model.keras").read_bytes())
    run(place, pruner, "0", "straight")
    straight: Plan = load_plan(place / "straight")
    for step in range(1, len(straight.steps) + 1):
        run(place, pruner, str(step), "killed", status=-signal.SIGKILL)
        assert not (place / "killed" / "plan.json").exists()
    run(place, pruner, "0", "killed")
    assert without_times(load_plan(place / "killed")) == without_times(straight)
    for file in ("nested.keras", "subnet-40.keras", "subnet-60.keras"):
        assert same_weights(place / "killed" / file, place / "straight" / file)
