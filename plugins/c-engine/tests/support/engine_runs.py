"""Runs for the C engine, and what has to agree in them: bytes of plan, file and engine, and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from engines import CompiledEngine
from int8_graphs import examples, tflite_micro_outputs
from reds_c_engine.engine_device import CEngine
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.reference import run
from reds_litert.graph import read_graph

import reds_core
from reds_core.plan import Plan


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Its folder.
        data: Its test data.
        plan: Its plan.
    """

    folder: Path
    data: Any
    plan: Plan

    @property
    def contents(self) -> list[tuple[str, bytes]]:
        """The name and the file of each member, the full network last."""
        files = [(member.name, str(member.files["c-engine"])) for member in self.plan.subnetworks]
        files.append(("full", self.plan.full.files["c-engine"]))
        return [(name, (self.folder / file).read_bytes()) for name, file in files]


def odd_network() -> tuple[Any, Any]:
    """A model of odd widths, whose rows do not fill whole bytes, and random data."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((10, 9, 3))
    x = layers.Conv2D(13, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", name="spread")(x)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(18, 1, name="mixed")(x)))
    x = layers.Conv2D(9, 3, padding="same", activation="relu", name="last")(x)
    x = layers.Dense(11, activation="relu", name="hidden")(layers.Flatten()(layers.AveragePooling2D(2)(x)))
    model = keras.Model(image, layers.Dense(5, name="classes")(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:  # files leave out biases of zeros
            layer.bias.assign(rng.normal(0, 0.3, layer.bias.shape))
    data = rng.normal(size=(96, 10, 9, 3)).astype(np.float32), rng.integers(0, 5, 96)
    return model, (data, data)


def pruned(model: Any, data: Any, budgets: Mapping[str, list[float]], folder: Path, transforms: Sequence[str],
           options: Mapping[str, Any]) -> Run:  # fmt: skip
    plan = reds_core.prune(model, data, budgets, out=folder, scorer="magnitude", transforms=transforms,
                           targets=["c-engine"], options=options, finetune_epochs=0, verbose=0)  # fmt: skip
    return Run(folder, data, plan)


def check_bytes(run: Run, engine: CompiledEngine) -> None:
    """Weights take the same in the plan, counted in the file, and as the engine states."""
    rows = [line for line in engine.engine.files["README.md"].splitlines() if line.startswith("| ")]
    for member, planned in zip(engine.engine.family.members, [*run.plan.subnetworks, run.plan.full], strict=True):
        counted = CEngine().usage(run.folder / str(planned.files["c-engine"]))["weight_bytes"]
        assert planned.usage["weight_bytes"] == counted == weight_bytes(member)
        assert any(f"| {member.name} |" in row and f"| {counted:,} |" in row for row in rows)


def check_values(run: Run, engine: CompiledEngine, count: int) -> None:
    """The engine on this machine, tflite-micro and the reference compute the same values."""
    x = examples(run.contents[0][1], count)
    for index, (_, content) in enumerate(run.contents):
        found, expected = engine.outputs(index, x), tflite_micro_outputs(content, x)
        assert len(np.unique(expected)) > 4
        assert np.array_equal(found, expected)
        assert np.array_equal(reference(content, x), expected)


def reference(content: bytes, x: np.ndarray) -> np.ndarray:
    return run(read_graph(content), x)
