"""Peak RAM as counted against the arena that TensorFlow Lite Micro plans for the exported file.

    python benchmarks/arena.py [MODEL ...] [--out docs/peak-ram.md]

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

import numpy as np

from reds_core import cost
from reds_core.axis import Kept
from reds_core.framework import Arrays, Framework, member_kept
from reds_core.registry import Registry

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets" / "models"
ARENA_BYTES = 16 * 2**20
SHARES = (1.0, 0.75, 0.5, 0.25)
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


def compare(framework: Framework, path: Path) -> list[Comparison]:
    """A model at all widths and element sizes."""
    model = framework.load_model(path)
    network = framework.inspect(model)
    shape = (8, *(n or 1 for n in framework.input_shape(model)))
    examples = Arrays(np.random.default_rng(0).normal(size=shape).astype(np.float32), np.zeros(8, np.int64))
    found = []
    for seed, share in enumerate(SHARES):
        widths = widths_at(dict(network.channels), share, seed)
        kept: Kept = member_kept(widths)
        small = framework.extract(model, network, kept)
        for size in (1, 4):
            counted = cost.usage(network, widths, cost.CostModel(size))["peak_ram"]
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "model.tflite")
                framework.export(small, file, examples if size == 1 else None, quantise=size == 1)
                head, remark = arena_head(file)
            found.append(Comparison(path.stem, share, size, counted, head, remark))
            print(found[-1], flush=True)
    return found


def page(comparisons: list[Comparison]) -> str:
    """The page as Markdown."""
    lines = [
        "# Peak RAM as counted, and as the device plans it",
        "",
        "`python benchmarks/arena.py --out docs/peak-ram.md` exports each model at several widths and lets TensorFlow",
        "Lite Micro plan its arena. *counted* is `peak_ram` of `reds inspect` and of plans; *arena head* is what the",
        "interpreter sets aside for activations and scratch, in bytes. Every tensor starts at a multiple of",
        "16 bytes, so up to 15 are lost at each tensor that lives at the peak, and its greedy planner may leave a",
        "hole between tensors; nothing else separates the two figures.",
        "",
        "| model | channels kept | type | counted | arena head | head - counted |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for c in comparisons:
        kind = "int8" if c.element_size == 1 else "float32"
        head, difference = (f"{c.head:,}", f"{c.head - c.counted:+,}") if c.head is not None else (c.remark, "")
        lines.append(f"| {c.model} | {100 * c.share:.0f} % | {kind} | {c.counted:,} | {head} | {difference} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    models = arguments.models or sorted(p for p in ASSETS.iterdir() if p.suffix in (".keras", ".h5"))
    framework = Registry().default_framework()
    text = page([c for m in models for c in compare(framework, m)])
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
