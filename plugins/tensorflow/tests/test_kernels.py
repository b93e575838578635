"""The kernels with which TensorFlow computes, in processes of their own, since it reads the choice at import."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from reds_tensorflow.kernels import ONEDNN, use_onednn

L = keras.layers
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
PRUNING = """
import sys
import reds_core
from reds_core.errors import RedsError
try:
    settings = {"finetune_epochs": 0, "targets": "keras", "verbose": 0}
    reds_core.prune("model.keras", "data.npz", {"macs": 0.5}, out=sys.argv[1], **settings)
except RedsError as error:
    print(type(error).__name__, error)
else:
    print("done")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network whose layers have their channels first, and data for it."""
    folder, rng = tmp_path_factory.mktemp("channels-first"), np.random.default_rng(0)
    first = {"data_format": "channels_first"}
    inputs = keras.Input((3, 9, 8))
    x = L.GlobalAveragePooling2D(**first)(L.Conv2D(10, 3, activation="relu", **first)(inputs))
    keras.Model(inputs, L.Dense(3)(x)).save(folder / "model.keras")
    x, y = rng.normal(size=(80, 3, 9, 8)).astype(np.float32), rng.integers(0, 3, 80)
    np.savez(folder / "data.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    return folder


def pruned(place: Path, out: Path, **chosen: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN} | chosen
    run = subprocess.run(
        [sys.executable, "-c", PRUNING, str(out)],
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
        env=environment,
    )
    return run.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(not IS_X86, reason="oneDNN is chosen on x86-64 processors alone")
def test_channels_may_be_first_on_every_processor(place: Path, tmp_path: Path) -> None:
    assert pruned(place, tmp_path / "run") == "done"


@pytest.mark.skipif(not IS_X86, reason="other processors may have such kernels")
def test_a_model_without_kernels_is_refused(place: Path, tmp_path: Path) -> None:
    told = pruned(place, tmp_path / "run", TF_ENABLE_ONEDNN_OPTS="0")
    assert told.startswith("UnsupportedError TensorFlow cannot compute the model on this machine (The Conv2D op")
    assert "set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow is imported" in told


@pytest.mark.parametrize(
    ("machine", "given", "chosen"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "0"), ("aarch64", None, None)],
)
def test_the_environment_takes_precedence(
    machine: str, given: str | None, chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv(ONEDNN, given or "")
    if given is None:
        monkeypatch.delenv(ONEDNN)
    use_onednn()
    assert os.environ.get(ONEDNN) == chosen
