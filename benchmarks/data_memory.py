"""Measures the memory that data takes up to the first training step: `python benchmarks/data_memory.py`.

A data set of images of bytes is given in several forms to runs of a small Keras model, each in a process of its own.
The figures are the peak of the resident memory above that of a process that has finished a run on 64 images, in
multiples of the size S of the data set: when the data has been read and split, and at the first training step. With
--write, the table is written into docs/guide/data.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from end_to_end import with_part

from reds_core.system import this_machine, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "data.md"
EXAMPLES, SIDE, TESTED, BATCH = 100_000, 32, 300, 64
SIZE_BYTES = EXAMPLES * SIDE * SIDE * 3
FORMS = {"npz": "an `.npz` file", "arrays": "arrays", "function": "a function that returns an iterator"}


def images(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Random images (count, 32, 32, 3) and labels."""
    x = np.random.default_rng(seed).integers(0, 255, (count, SIDE, SIDE, 3), np.uint8)
    return x, np.arange(count, dtype=np.int64) % 3


def batches() -> Iterator[Any]:
    """As many images in batches, which are made one by one."""
    for seed in range(EXAMPLES // BATCH):
        yield images(BATCH, seed)


def used_bytes() -> int:
    """The peak of the resident memory of this process."""
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def small_model() -> Any:
    """A convolution, a batch norm and a dense layer."""
    import keras

    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=4)(layers.Rescaling(1 / 255)(inputs))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(inputs, layers.Dense(3)(x))


def measure(form: str, folder: Path) -> None:
    """Run on data in one form up to the first training step, and print both figures in multiples of S."""
    import reds_core

    def prune(data: Any, out: str, watcher: reds_core.Watcher) -> None:
        how = reds_core.RunSettings(finetune=reds_core.FinetuneSettings(epochs=1), int8=False)
        reds_core.prune(model, data, {"macs": 0.5}, folder / out, settings=how, watcher=watcher)

    model = small_model()
    prune((images(BATCH, 0), images(BATCH, 1)), "first", reds_core.Watcher())
    before = used_bytes()

    class Figures(reds_core.Watcher):
        """Prints the figures as the run reaches them."""

        def stage(self, text: str) -> None:
            if text.startswith("step 1"):
                print((used_bytes() - before) / SIZE_BYTES, flush=True)

        def epoch(self, progress: Any) -> None:
            print((used_bytes() - before) / SIZE_BYTES, flush=True)
            os._exit(0)

    given = {
        "npz": lambda: folder / "data.npz",
        "arrays": lambda: (images(EXAMPLES, 0), images(TESTED, 1)),
        "function": lambda: batches,
    }
    prune(given[form](), "second", Figures())


def figures(form: str) -> tuple[float, float]:
    """The figures of one form, measured in another process."""
    with tempfile.TemporaryDirectory() as folder:
        for task in ["write", form] if form == "npz" else [form]:
            command = [sys.executable, __file__, "--task", task, "--folder", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
    read, step = (float(line) for line in done.stdout.splitlines()[-2:])
    return read, step


def table() -> str:
    """The figures of all forms."""
    rows = []
    for form, name in FORMS.items():
        read, step = figures(form)
        rows.append(f"| {name} | {read:.2f} S | {step:.2f} S |")
    head = ["| data | read and split | first training step |", "| --- | --- | --- |"]
    size = (
        f"Peak of the memory for images of bytes with S = {SIZE_BYTES / 2**20:.0f} MiB in all, made by\n"
        f"`python benchmarks/data_memory.py --write` on {this_machine().cpu}. The first training step includes about\n"
        "25 MiB for the graph of the training:"
    )
    return "\n".join([size, "", *head, *rows])


def main() -> None:
    """Print the table, or do one of the tasks of which it is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into docs/guide/data.md")
    parser.add_argument("--task", choices=["write", *FORMS], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task == "write":
        (x, y), (x_test, y_test) = images(EXAMPLES, 0), images(TESTED, 1)
        np.savez(asked.folder / "data.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    elif asked.task:
        measure(asked.task, asked.folder)
    else:
        found = table()
        print(found)
        if asked.write:
            write_text(PAGE, with_part(PAGE.read_text(encoding="utf-8"), "memory", found))


if __name__ == "__main__":
    main()
