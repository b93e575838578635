"""Times a batch norm in training mode by its number of channels: `python benchmarks/batch_norms.py`.

Three ways to compute it are compared: TensorFlow's fused kernel, means as products of matrices, and the operations of
which Keras composes it. Times are CPU milliseconds of outputs and gradients together, over all threads of the process.
Each is the minimum over rounds in which all cases take turns, so that other work on the machine affects all alike.
Numbers in brackets are ratios to the fused kernel, and the way that fine-tuning uses is in bold. With --write, the
table is written into docs/guide/finetuning.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from end_to_end import with_part

from reds_core.system import this_machine, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "finetuning.md"
WIDTHS = (32, 33, 34, 36, 40, 48, 49, 52, 57, 60, 64)
EPSILON = 1e-3
CALLS = 3
"""The number of calls that are timed together."""


def ways() -> dict[str, Callable[..., Any]]:
    """Functions from inputs, scale and offset to the outputs of a batch norm, by the heading of their column."""
    from reds_tensorflow.quiet import importing

    with importing():
        import tensorflow as tf
        from reds_tensorflow.fused import fused_norm, product_norm

    def composed(x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = tf.nn.moments(x, (0, 1, 2))
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, EPSILON)

    return {
        "fused": lambda *arguments: fused_norm(*arguments, EPSILON)[0],
        "products": lambda *arguments: product_norm(*arguments, EPSILON)[0],
        "Keras": composed,
    }


def step(way: Callable[..., Any], shape: Sequence[int]) -> Callable[[], Any]:
    """A function that computes the outputs and gradients for inputs of this shape, traced already."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    above, *given = (tf.constant(rng.normal(size=s), tf.float32) for s in (shape, shape, shape[-1:], shape[-1:]))

    def outputs_and_gradients(above: Any, *given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = way(*given)
        return outputs, tape.gradient(outputs, given, output_gradients=above)

    traced = tf.function(outputs_and_gradients, autograph=False)
    traced(above, *given)
    return lambda: traced(above, *given)


def measure(batch: int, side: int, rounds: int) -> dict[tuple[str, int], float]:
    """CPU ms by way and number of channels."""
    steps = {(name, c): step(way, (batch, side, side, c)) for c in WIDTHS for name, way in ways().items()}
    least = dict.fromkeys(steps, float("inf"))
    for _ in range(rounds):
        for key, call in steps.items():
            started = time.process_time()
            for _ in range(CALLS):
                call()
            least[key] = min(least[key], (time.process_time() - started) / CALLS * 1e3)
    return least


def table(least: dict[tuple[str, int], float]) -> str:
    """A row for each number of channels."""
    from reds_tensorflow.fused import fastest_norm

    names = list(dict.fromkeys(name for name, _ in least))
    lines = [f"| channels | {' | '.join(names)} |", "|---:|" + "---:|" * len(names)]
    for channels in WIDTHS:
        used = "fused" if fastest_norm(channels).__name__ == "fused_norm" else "products"
        cells = []
        for name in names:
            figure = f"{least[name, channels]:.2f}"
            figure += "" if name == "fused" else f" ({least[name, channels] / least['fused', channels]:.2f})"
            cells.append(f"**{figure}**" if name == used else figure)
        lines.append(f"| {channels} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=14, help="height and width of the maps")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write the table into docs/guide/finetuning.md")
    given = parser.parse_args()
    found = table(measure(given.batch, given.side, given.rounds))
    sys.stdout.write(found + "\n")
    if given.write:
        text = (
            f"CPU milliseconds of the outputs and gradients of one batch norm over {given.batch} maps of {given.side} "
            f"x {given.side}, and in brackets the ratio to the fused kernel, made by `python benchmarks/batch_norms.py "
            f"--write` on {this_machine().cpu}. The way that fine-tuning uses is in bold.\n\n{found}"
        )
        write_text(PAGE, with_part(PAGE.read_text(encoding="utf-8"), "batch norms", text))


if __name__ == "__main__":
    main()
