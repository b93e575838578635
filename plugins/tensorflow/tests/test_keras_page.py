"""The script of the page for Keras users: it runs, and ends with the same weights after it was killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "keras.md"
SECONDS = 600


def script() -> str:
    return str(re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[0])


def start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(script())
    return subprocess.Popen(
        [sys.executable, "script.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err[-3000:]
    return out


def epochs(folder: Path) -> list[str]:
    log = folder / "training.csv"
    return [line.split(",")[0] for line in log.read_text().splitlines()[1:]] if log.exists() else []


@pytest.mark.slow
def test_the_script_ends_with_the_same_weights_after_a_kill(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    printed = finish(start(whole))
    assert len(printed.splitlines()) == 2
    assert epochs(whole) == list("012345")
    killed.mkdir()
    (killed / "trained.keras").write_bytes((whole / "trained.keras").read_bytes())
    process = start(killed)
    deadline = time.monotonic() + SECONDS
    while len(epochs(killed)) < 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode != -signal.SIGKILL:
        pytest.fail("the script ended before it was killed")
    before = len(epochs(killed))
    assert finish(start(killed)) == printed
    assert before < 6
    assert epochs(killed)[-1] == "5"
    assert len(epochs(killed)) in (6, 7), "at most the epoch that was being saved is trained again"
    for name in ("nested.keras", "subnet-25.keras", "subnet-50.keras"):
        one, other = (keras.saving.load_model(folder / "slim" / name).get_weights() for folder in (whole, killed))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
