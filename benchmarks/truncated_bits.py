"""Measures what truncated codes of 4 bits cost beside codes that are rounded to 4 bits.

`python benchmarks/truncated_bits.py [--epochs 2] [--seeds 1] [--case ds-cnn-s] [--write]`. Kernels of all layers have 4
bits in one of several ways: rounded, to scales that clip or to the largest weight; the upper halves of codes of 8 bits,
in whose middle the truncated code lies; or as they are, without that half of a step. Batch norms are measured again
afterwards, or the network is trained with such weights. `--write` puts the table into docs/guide/quantization.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page_sections import put
from scorers import ASSETS, CASES

from reds_core import Registry, load_data
from reds_core.arrays import FloatArray
from reds_core.framework import Family, FinetuneSettings, Projection, Task, Training
from reds_core.network import WeightKind
from reds_core.transforms import TRUNCATION_STEP, TruncatedQuantiser, UniformQuantiser

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "quantization.md"
BATCH_SIZE, LEARNING_RATE = 64, 1e-3
Rounding = Callable[[FloatArray, tuple[int, ...]], FloatArray]


def largest_rounded(weight: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Round to 4 bits, with the scale by which the largest weight of each channel is the largest integer."""
    others = tuple(a for a in range(weight.ndim) if a not in {each % weight.ndim for each in axes})
    scales = np.maximum(np.abs(weight).max(others, keepdims=True) / 7, 1e-30)
    return np.rint(weight / scales) * scales


def cut(weight: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Leave out the lower halves of codes of 8 bits."""
    quantiser = UniformQuantiser(8)
    return (
        np.floor_divide(quantiser.integers(weight, axes), TRUNCATION_STEP)
        * TRUNCATION_STEP
        * quantiser.scales(weight, axes)
    )


WAYS: Mapping[str, Rounding] = {
    "8 bits": UniformQuantiser(8).quantised,
    "4 bits, rounded, scales that clip": UniformQuantiser(4).quantised,
    "4 bits, rounded, largest weight": largest_rounded,
    "truncated, with half a step": TruncatedQuantiser().quantised,
    "truncated, without it": cut,
}
QUANTISERS = {
    "4 bits, rounded, scales that clip": UniformQuantiser(4),
    "truncated, with half a step": TruncatedQuantiser(),
}
"""Those that networks are trained with."""


@dataclass(frozen=True)
class Subject:
    """A model and its data."""

    name: str
    path: Path
    data: Path

    def measured(self, epochs: int, seeds: int) -> dict[str, list[float | None]]:
        """Return for each way the mean squared error, accuracy without training, and accuracies after it."""
        framework = Registry().default_framework()
        model = framework.load_model(self.path)
        network = framework.inspect(model)
        data = load_data(str(self.data), framework, framework.input_shape(model), 0)
        train = framework.check_data(model, data.train, Task(), "training data")
        test = framework.check_data(model, data.test, Task(), "test data")
        plain = [np.asarray(weight) for weight in framework.weights(model, network)]
        kernels = [i for i, w in enumerate(network.weights) if w.kind is WeightKind.KERNEL and w.scales_along]

        def tuned(seed: int, count: int, projected: Mapping[int, Projection]) -> float:
            how = FinetuneSettings(epochs=count, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)
            training = Training(train, how, seed, lambda progress: None, teacher=None, projections=(projected,))
            framework.finetune(Family(model, (), ()), training)
            return 100 * float(framework.accuracy(model, test, Task()))

        found: dict[str, list[float | None]] = {}
        for name, rounded in WAYS.items():
            values, errors, sizes = list(plain), 0.0, 0.0
            for i in kernels:
                exact = plain[i].astype(np.float64)
                now = rounded(exact, network.weights[i].scales_along)
                errors, sizes = errors + ((now - exact) ** 2).sum(), sizes + (exact**2).sum()
                values[i] = now.astype(plain[i].dtype)
            framework.assign(model, network, values)
            found[name] = [100 * errors / sizes, tuned(0, 0, {})]
            for seed in range(seeds if epochs else 0):
                if name not in QUANTISERS:
                    found[name].append(None)
                    continue
                framework.assign(model, network, plain)
                each = {i: Projection.of(QUANTISERS[name], network.weights[i].scales_along) for i in kernels}
                found[name].append(tuned(seed, epochs, each))
            print(self.name, name, found[name], flush=True)
        return found


def rows_of(subject: Subject, epochs: int, seeds: int) -> list[str]:
    """Return the rows of the table of one model."""
    rows = []
    for name, (error, untrained, *trained) in subject.measured(epochs, seeds).items():
        known = [each for each in trained if each is not None]
        after = f"{np.mean(known):.1f} %" if known else "-"
        rows.append(f"| {subject.name} | {name} | {error:.2f} % | {untrained:.1f} % | {after} |")
    return rows


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--case", action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    chosen = [case for case in CASES if not given.case or case.name in given.case]
    subjects = [Subject(c.name, ASSETS / "models" / c.model, ASSETS / "data" / c.data) for c in chosen]
    lines = [
        "| model | weights | squared error, share of the squared weights | batch norms measured | trained |",
        "| --- | --- | ---: | ---: | ---: |",
        *(row for subject in subjects for row in rows_of(subject, given.epochs, given.seeds)),
    ]
    if given.write:
        put(PAGE, "truncated", "\n".join(lines))
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
