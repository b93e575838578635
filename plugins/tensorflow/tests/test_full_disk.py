"""Disks and temporary folders that are full, on a small file system of their own where one can be mounted."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from reds_tensorflow import export, loading

from reds_core import cli
from reds_core.errors import NoSpaceError

KIB = 1024


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 6 MiB: a run of this small network, and its report twice, fit in it."""
    folder = tmp_path_factory.mktemp("disk")
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounting, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def disk(small_disk: Path) -> Iterator[Path]:
    yield small_disk
    subprocess.run(["find", str(small_disk), "-mindepth", "1", "-delete"], check=True)


def fill(disk: Path, left: int) -> Path:
    """Leave about `left` bytes free."""
    stats = os.statvfs(disk)
    path = disk / "filling"
    path.write_bytes(bytes(max(stats.f_bavail * stats.f_frsize - left, 0)))
    return path


def network() -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture
def full_temporary_folder(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fill(disk, 4 * KIB)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    return disk


def test_a_model_is_not_called_damaged_where_the_temporary_folder_is_full(
    full_temporary_folder: Path, tmp_path: Path
) -> None:
    for name in ("m.keras", "m.h5"):
        network().save(tmp_path / name)
        with pytest.raises(NoSpaceError, match=r"the temporary folder '.*' cannot be written \(No space.*set TMPDIR"):
            loading.load_model(tmp_path / name)


def test_a_conversion_is_not_called_unsupported_where_the_temporary_folder_is_full(full_temporary_folder: Path) -> None:
    with pytest.raises(NoSpaceError, match=r"the temporary folder '.*' cannot be written \(No space.*set TMPDIR"):
        export.converted(network(), "float32", None)


@pytest.mark.parametrize("left", [0, 48, *(pytest.param(each, marks=pytest.mark.slow) for each in (24, 96, 1024))])
def test_a_run_on_a_disk_that_is_full_says_so_and_is_resumed(
    disk: Path, tmp_path: Path, left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path, arrays, out = tmp_path / "m.keras", tmp_path / "d.npz", disk / "out"
    network().save(path)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 8, 8, 1)).astype(np.float32), np.arange(24) % 3
    np.savez(arrays, x_train=x, y_train=y, x_test=x, y_test=y)
    arguments = ["prune", str(path), "--data", str(arrays), "--budget", "macs=0.5", "--out", str(out)]
    arguments += ["--finetune-epochs", "1"]
    filling = fill(disk, left * KIB)
    status = cli.run(arguments)
    err = capsys.readouterr().err
    assert status in (0, 2), err
    assert not list(disk.rglob(".*.partial*"))
    if status == 2:
        last = err.rstrip("\n").rpartition("\n")[2]
        assert "cannot be written (No space left on device); free some space" in last, err
        assert ("--resume" in last) == any(out.glob(".checkpoint/step-*"))
        filling.unlink()
        assert cli.run([*arguments, "--resume"]) == 0, capsys.readouterr().err
    assert (out / "plan.json").exists()
