"""The script of docs/guide/python.md: by itself, inside a running event loop, and in two threads."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reds_core

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "python.md"
ACCURACY = re.compile(r"half of the MACs, ([\d.]+)% of the test data are recognised")


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The function of the script, which works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (script,) = [block for block in blocks if "import keras" in block]
    assert len([line for line in script.splitlines() if line]) <= 36
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(compile(script, "docs/guide/python.md", "exec"), namespace)
    found: Callable[[str], None] = namespace["main"]
    return found


def check(folder: str, printed: str) -> None:
    """Check that the run is complete, and that its table and its accuracy were printed."""
    plan = reds_core.load_plan(folder)
    accuracy = plan["50"].accuracy.after
    assert accuracy is not None
    assert f"{accuracy:.1%}".removesuffix("%") in ACCURACY.findall(printed)
    assert re.search(rf"^50 +{plan['50'].usage['macs']} ", printed, re.MULTILINE)


def test_the_script_runs(main: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    main("alone")
    check("alone", capsys.readouterr().out)


@pytest.mark.slow
def test_the_script_runs_inside_an_event_loop(main: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    async def both() -> int:
        main("blocking")
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.05)
                beats += 1

        beating = asyncio.create_task(beat())
        await asyncio.to_thread(main, "beside")
        beating.cancel()
        return beats

    assert asyncio.run(both()) > 5
    printed = capsys.readouterr().out
    check("blocking", printed)
    check("beside", printed)


@pytest.mark.slow
def test_the_script_runs_in_two_threads(main: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    before, names = (sys.stdout, sys.stderr), ("first", "second")
    threads = [threading.Thread(target=main, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sys.stdout, sys.stderr) == before
    printed = capsys.readouterr().out
    for name in names:
        check(name, printed)


PROGRAM = """
import sys, threading, time
import keras
import numpy as np
import reds_core

def data(seed):
    x = np.random.default_rng(seed).normal(size=(96, 8, 8, 1)).astype("float32")
    y = (x.mean((1, 2, 3)) > 0).astype("int64")
    return (x[:64], y[:64]), (x[64:], y[64:])

def network(seed):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(8, 3, activation="relu", name="first"),
        layers.Conv2D(8, 3, activation="relu", name="second"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(2, activation="softmax", name="classes"),
    ])

def prune(seed, folder):
    plans[folder] = reds_core.prune(models[seed], data(seed), 0.5, folder, finetune_epochs=2, verbose=0)

plans, models = {}, {seed: network(seed) for seed in (1, 2)}
for seed in models:
    prune(seed, f"alone-{seed}")
models = {seed: network(seed) for seed in (1, 2)}
threads = [threading.Thread(target=prune, args=(seed, f"together-{seed}")) for seed in models]
for thread in threads:
    thread.start()
count = 0
while any(thread.is_alive() for thread in threads):
    print("tick", count)
    print("tock", count, file=sys.stderr)
    count += 1
    time.sleep(0.1)
print("count", count)
for seed in models:
    alone, together = plans[f"alone-{seed}"], plans[f"together-{seed}"]
    for one, other in zip(alone, together, strict=True):
        assert (one.widths, one.kept, one.accuracy) == (other.widths, other.kept, other.accuracy)
    pairs = zip(alone["50"].load().get_weights(), together["50"].load().get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
"""


@pytest.mark.slow
def test_two_runs_in_two_threads_are_as_each_alone_and_all_prints_are_heard(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(PROGRAM)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    count = int(lines[-1].split()[1])
    assert count > 5
    assert lines == [*(f"tick {i}" for i in range(count)), f"count {count}"]
    assert [line for line in done.stderr.splitlines() if line.startswith("tock")] == [f"tock {i}" for i in range(count)]


LOGGING = """
import contextlib, io, logging, sys
sys.ps1 = ">>> "  # TensorFlow then logs more, to a stream without a file, as in a notebook
sys.stdout = printed = io.StringIO()
import keras
import numpy as np
import reds_core

x = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype("float32")
y = (x.mean((1, 2, 3)) > 0).astype("int64")
keras.utils.set_random_seed(1)
model = keras.Sequential(
    [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
)
errors = io.StringIO()
with contextlib.redirect_stderr(errors):
    for out in ("first", "second"):
        reds_core.prune(model, (x, y), 0.5, out, scorer="magnitude", finetune_epochs=0, verbose=0)
assert logging.root.handlers == [], logging.root.handlers
assert errors.getvalue() == "", errors.getvalue()
assert printed.getvalue() == "", printed.getvalue()
"""


@pytest.mark.slow
def test_a_run_in_an_interactive_session_can_show_nothing_and_leaves_the_root_logger_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOGGING)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
