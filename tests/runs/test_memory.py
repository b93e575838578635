"""The memory that data takes from reading it to the first training step, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
EXAMPLES, POSITIONS, FEATURES = 65_536, 64, 64
SIZE_BYTES = EXAMPLES * POSITIONS * FEATURES
OTHER_BYTES = 16 * 2**20
"""What modules and plugins take that are imported during the run, whatever the size of the data."""
SCRIPT = f"""
import resource, sys
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np
from toy_framework import ToyFramework, residual_model
from toy_plugins import toy_registry
from toy_runs import QUICK
from reds_core.runs.api import prune

def used():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def examples(count, seed):
    x = np.random.default_rng(seed).integers(0, 255, (count, {POSITIONS}, {FEATURES}), np.uint8)
    return x, np.arange(count) % 3

def batches():
    for seed in range({EXAMPLES} // 64):
        yield examples(64, seed)

class Stopping(ToyFramework):
    def finetune(self, family, training):
        print(used() - before)
        raise SystemExit

kind, folder = sys.argv[1:]
model = residual_model(features={FEATURES}, positions={POSITIONS})
before = used()
if kind == "arrays":
    data = examples({EXAMPLES}, 0), examples(300, 1)
elif kind == "npz":
    x, y = examples(64, 0)
    data = folder + "/data.npz"
else:
    data = batches, None
prune(model, data, {{"macs": 0.5}}, folder + "/out", scorer="magnitude", settings=QUICK,
      registry=toy_registry(framework=Stopping))
"""
WRITE = f"""
import sys
import numpy as np
x = np.random.default_rng(0).integers(0, 255, ({EXAMPLES}, {POSITIONS}, {FEATURES}), np.uint8)
y = np.arange({EXAMPLES}) % 3
np.savez(sys.argv[1] + "/data.npz", x_train=x, y_train=y, x_test=x[:300], y_test=y[:300])
"""


def peak_bytes(kind: str, folder: Path) -> int:
    if kind == "npz":
        subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(folder)], check=True, capture_output=True, text=True, timeout=300
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("kind", "most"), [("arrays", 2.0), ("npz", 1.25), ("stream", 0.1)])
def test_data_of_bytes_takes_at_most_twice_its_size_until_training_begins(
    kind: str, most: float, tmp_path: Path
) -> None:
    assert peak_bytes(kind, tmp_path) <= most * SIZE_BYTES + OTHER_BYTES
