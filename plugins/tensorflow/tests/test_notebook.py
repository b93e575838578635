"""A run in a cell of a notebook: the bar is a widget, the family a table, and other cells keep their output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CELLS = (
    "import numpy as np\n"
    "import keras\n"
    "import reds_core\n"
    "x = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype('float32')\n"
    "y = (x.mean((1, 2, 3)) > 0).astype('int64')\n"
    "keras.utils.set_random_seed(1)\n"
    "layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]\n"
    "model = keras.Sequential([keras.Input((8, 8, 1)), *layers])",
    "import threading\n"
    "class Threads(keras.callbacks.Callback):\n"
    "    most = 0\n"
    "    def on_train_batch_end(self, batch, logs=None):\n"
    "        Threads.most = max(Threads.most, sum('Refresh' in type(t).__name__ for t in threading.enumerate()))\n"
    "plan = reds_core.prune(model, (x, y), 0.5, 'out', finetune_epochs=3, callbacks=[Threads()])",
    "print(Threads.most, 'threads draw')",
    "plan",
)


def test_a_run_in_a_notebook(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="running a notebook needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="running a notebook needs nbformat")
    pytest.importorskip("ipykernel", reason="running a notebook needs ipykernel")
    pytest.importorskip("ipywidgets", reason="bars in a notebook need ipywidgets")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    outputs: list[list[Any]] = [cell.outputs for cell in notebook.cells]
    assert [output.output_type for output in outputs[1]][:1] == ["display_data"]
    assert "application/vnd.jupyter.widget-view+json" in outputs[1][0].data
    # rich would draw from a thread of its own, whose output and that of the cell would end up in each other's place
    assert [output.text for output in outputs[2]] == ["0 threads draw\n"]
    assert "<caption>Plan in out" in outputs[3][0].data["text/html"]
