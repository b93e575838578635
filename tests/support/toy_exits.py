"""Toy models with early exits, in memory and as files with integer outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_framework import ToyFile, ToyFramework
from toy_models import INPUT, ToyLayer, ToyModel, forward

from reds_core.framework.data import Arrays, Data, each
from reds_core.framework.exported import ExportedModel
from reds_core.network.description import Network

EXITS = ("exit_1", "exit_2", "head")
WIDTHS, FEATURES, POSITIONS, CLASSES = (5, 8, 20), 4, 3, 3
HEADS = tuple(CLASSES * width for width in WIDTHS)
TRUNK = tuple(POSITIONS * a * b for a, b in zip((FEATURES, *WIDTHS), WIDTHS, strict=False))
COSTS = tuple(sum(TRUNK[: i + 1]) + sum(HEADS[: i + 1]) for i in range(3))
"""The multiply-accumulates up to each exit with all earlier heads, counted by hand."""
ALONE = tuple(sum(TRUNK[: i + 1]) + HEADS[i] for i in range(3))
STEP = 1 / 16
"""The distance between neighbouring outputs of files."""


def exits_model(seed: int = 0) -> ToyModel:
    """dense - relu three times, with pool - dense after each; the heads are fitted to the labels of `exits_arrays`."""
    rng = np.random.default_rng(seed)
    layers, weights, previous, size = [], {}, INPUT, FEATURES
    for number, (width, head) in enumerate(zip(WIDTHS, EXITS, strict=True)):
        dense, relu, pool = (f"{kind}{number}" for kind in ("dense", "relu", "pool"))
        layers += [ToyLayer(dense, "dense", (previous,)), ToyLayer(relu, "relu", (dense,))]
        layers += [ToyLayer(pool, "pool", (relu,)), ToyLayer(head, "dense", (pool,))]
        weights[f"{dense}/kernel"] = rng.normal(0, size**-0.5, (size, width)).astype(np.float32)
        weights[f"{dense}/bias"] = rng.normal(0, 0.3, width).astype(np.float32)
        weights[f"{head}/kernel"] = np.zeros((width, CLASSES), np.float32)
        weights[f"{head}/bias"] = np.zeros(CLASSES, np.float32)
        previous, size = relu, width
    model = ToyModel("exits", (POSITIONS, FEATURES), tuple(layers), weights)
    x, y = _labelled(400, 9)
    found, wanted = forward(model, x), 6.0 * np.eye(CLASSES)[y]
    for number, head in enumerate(EXITS):
        features = np.concatenate([found[f"pool{number}"][:, 0], np.ones((len(x), 1))], axis=1)
        solution = np.linalg.lstsq(features, wanted, rcond=None)[0].astype(np.float32)
        weights[f"{head}/kernel"], weights[f"{head}/bias"] = solution[:-1], solution[-1]
    return model


def _labelled(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Examples whose class is decided by products of features, which a deeper network sees better."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (count, POSITIONS, FEATURES)).astype(np.float32)
    means = x.mean(axis=1)
    scores = np.stack([means[:, 0], np.abs(means[:, 1]) - 0.2, means[:, 2] * 2 - np.abs(means[:, 3])], axis=1)
    return x, scores.argmax(axis=1).astype(np.int64)


def exits_arrays(train: int = 300, test: int = 120, seed: int = 1) -> dict[str, npt.NDArray[Any]]:
    """A data set for `exits_model`."""
    x, y = _labelled(train + test, seed)
    return {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}


class ExitsFramework(ToyFramework):
    """The toy framework for models with exits, which have a layer exit_1."""

    def inspect(self, model: ToyModel) -> Network:
        network, made = super().inspect(model), {layer.name: place for place, layer in enumerate(model.layers, 1)}
        return replace(network, outputs=tuple(made[name] for name in outputs_of(model)))

    def predict(self, model: ToyModel, x: npt.NDArray[np.float32], batch_size: int = 256) -> Any:
        values = forward(model, x)
        found = tuple(np.asarray(values[name][:, 0], np.float32) for name in outputs_of(model))
        return found if len(found) > 1 else found[0]

    def load_exported(self, path: Path) -> ExportedModel:
        return ExitsFile(self, path)


def outputs_of(model: ToyModel) -> Sequence[str]:
    """The layers that compute outputs."""
    names = [layer.name for layer in model.layers]
    return EXITS if EXITS[0] in names else names[-1:]


@dataclass(frozen=True)
class ExitsFile(ToyFile):
    """A file whose outputs are multiples of a step."""

    def check_data(self, data: Data, what: str) -> Data:
        assert isinstance(data, Arrays)
        return data

    def outputs(self, x: Any) -> tuple[npt.NDArray[np.float32], ...]:
        found = self.framework.predict(self.model, x)
        rounded: tuple[npt.NDArray[np.float32], ...] = each(
            lambda out: np.clip(np.rint(out / STEP), -128, 127) * STEP, found
        )
        return rounded

    @property
    def output_steps(self) -> tuple[float | None, ...]:
        return (STEP,) * len(outputs_of(self.model))
