"""Peak RAM and arena as counted, against the arena that TensorFlow Lite Micro sets aside for the exported file.

    python benchmarks/arena.py [MODEL ...] [--out docs/explanation/peak-ram.md]

Each model is taken at full width and at three choices of widths, as int8 and as float32. The head of the arena holds
the activations; its tail (tensor structs, quantisation data) is the interpreter's own.
Needs `pip install tflite-micro`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core import Registry
from reds_core.cost import CostModel, usage
from reds_core.framework import Arrays, ExportSource, Framework, Target, member_kept
from reds_core.network import Kept

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets" / "models"
ARENA_BYTES = 16 * 2**20
SHARES = (1.0, 0.75, 0.5, 0.25)
REMARKS = """\
Files in float32 have no memory plan. On the full VWW network, the greedy planner places the largest map (48 x 48 x 16)
first, and the map that it is computed from (48 x 48 x 8) after it. The space between the latter and the image
(96 x 96 x 3) is too small for the previous map, which is therefore placed at the end. The differences on the attention
block are such gaps as well.
"""
PLAN = """
import sys
from tflite_micro.python.tflite_micro import runtime
runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2])).print_allocations()
"""


@dataclass(frozen=True)
class Comparison:
    """Bytes of one exported file. head: of the arena; None where the interpreter lacks an operator."""

    model: str
    share: float
    element_size: int
    counted: int
    arena: int
    head: int | None
    remark: str = ""


def arena_head(path: Path) -> tuple[int | None, str]:
    """Bytes of the arena's head; in a process of its own, because the planner prints and ends the process on errors."""
    command = [sys.executable, "-c", PLAN, str(path), str(ARENA_BYTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Arena allocation head (\d+) bytes", done.stdout + done.stderr)
    if found:
        return int(found[1]), ""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return None, next((line for line in lines if "Didn't find op" in line or "not supported" in line), lines[-1])[:90]


def widths_at(channels: dict[str, int], share: float, seed: int) -> dict[str, int]:
    """About `share` of the channels of each group, uneven unless it is all of them."""
    random = np.random.default_rng(seed)
    factors = {g: 1.0 if share == 1 else share * random.uniform(0.6, 1.4) for g in channels}
    return {g: int(np.clip(round(f * channels[g]), 1, channels[g])) for g, f in factors.items()}


def attention_block() -> Any:
    """A transformer block over 16 steps of 12 features: 4 heads of 8, an MLP of 32."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((16, 12))
    x = layers.Dense(24)(x)
    x = layers.Add()([x, layers.MultiHeadAttention(4, 8)(x, x)])
    x = layers.Add()([x, layers.Dense(24)(layers.Dense(32, activation="relu")(x))])
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling1D()(x)))


def compare(framework: Framework, name: str, model: Any) -> list[Comparison]:
    """A model at all widths and element sizes."""
    network = framework.inspect(model)
    shape = (8, *(n or 1 for n in framework.input_shape(model)))
    examples = Arrays(np.random.default_rng(0).normal(size=shape).astype(np.float32), np.zeros(8, np.int64))
    found = []
    for seed, share in enumerate(SHARES):
        widths = widths_at(dict(network.channels), share, seed)
        kept: Kept = member_kept(widths)
        small = framework.extract(model, network, kept)
        for size in (1, 4):
            counted = usage(network, widths, CostModel(size, additional=("arena",)))
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "model.tflite")
                target = Registry().create(Target, "tflite-int8" if size == 1 else "tflite")
                target.export(ExportSource(framework, small, framework.inspect(small), calibration=examples), file)
                head, remark = arena_head(file)
            found.append(Comparison(name, share, size, counted["peak_ram"], counted["arena"], head, remark))
            print(found[-1], flush=True)
    return found


def page(comparisons: list[Comparison]) -> str:
    """The page as Markdown."""
    lines = [
        "# Peak RAM as counted, and as the device plans it",
        "",
        "`python benchmarks/arena.py --out docs/explanation/peak-ram.md` exports each model at several widths and lets",
        "TensorFlow Lite Micro set aside its memory arena. *peak_ram* and *arena* are counted as for budgets of these",
        "names ([budgets.md](../guide/budgets.md)); *arena head* is the memory that the interpreter allocates for "
        "activations",
        "and scratch, in bytes. Each tensor starts at a multiple of 16 bytes, which `arena` counts and `peak_ram` does",
        "not. int8 files carry a memory plan ([litert.md](../guide/litert.md#memory-for-activations)), by which the "
        "interpreter",
        "allocates what `arena` counts. For float32 files, its greedy planner may leave gaps between tensors. The two",
        "figures do not differ otherwise.",
        "",
        "| model | channels kept | type | peak_ram | arena | arena head | head - arena |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for c in comparisons:
        kind = "int8" if c.element_size == 1 else "float32"
        head, difference = (f"{c.head:,}", f"{c.head - c.arena:+,}") if c.head is not None else (c.remark, "")
        lines.append(
            f"| {c.model} | {100 * c.share:.0f} % | {kind} | {c.counted:,} | {c.arena:,} | {head} | {difference} |"
        )
    return "\n".join(lines) + "\n\n" + REMARKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    models = arguments.models or sorted(p for p in ASSETS.iterdir() if p.suffix in (".keras", ".h5"))
    framework = Registry().default_framework()
    named = {path.stem: framework.load_model(path) for path in models}
    if not arguments.models:
        named["attention_block"] = attention_block()
    text = page([c for name, model in named.items() for c in compare(framework, name, model)])
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
