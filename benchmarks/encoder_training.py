"""Trainings in epochs, each of which resumes where it was killed and ends with the same weights."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.system import make_folder, write_text

EpochData = Callable[[np.random.Generator], tuple[npt.NDArray[Any], npt.NDArray[Any]]]
SEED = 0
WARM_UP = 0.1
"""The share of the training in which the learning rate rises."""


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        name: The name of its files.
        build: Returns the untrained network.
        loss: A Keras loss, or a function of (labels, outputs) that returns the loss of each example.
        epoch: Returns the examples and labels of an epoch in their order, given its source of randomness.
        examples: The number of examples in an epoch.
        batch: The number of examples in a batch.
        epochs: The epochs of the whole training.
        rate: The highest learning rate.
    """

    name: str
    build: Callable[[], Any]
    loss: Any
    epoch: EpochData
    examples: int
    batch: int
    epochs: int
    rate: float


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        model: The network.
        losses: The mean training loss of each epoch.
        seconds: The time of each epoch, in seconds, its data included.
    """

    model: Any
    losses: tuple[float, ...]
    seconds: tuple[float, ...]


def train(plan: Plan, out: Path) -> Trained:
    """Train a network, or go on after its last finished epoch.

    The weights are then the same, unless the network has randomness of its own, such as dropout.

    Args:
        plan: How it is trained.
        out: The folder in which its state is kept after each epoch.
    """
    import keras

    make_folder(out)
    state, log = out / f"{plan.name}-training.keras", out / f"{plan.name}-epochs.txt"
    if state.exists():
        own = {getattr(plan.loss, "__name__", plan.name): plan.loss}
        model = keras.models.load_model(state, custom_objects=own)
    else:
        log.unlink(missing_ok=True)
        model = plan.build()
        model.compile(keras.optimizers.AdamW(plan.rate, weight_decay=1e-4), plan.loss, jit_compile=False)
    steps = -(-plan.examples // plan.batch)
    rates = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: model.optimizer.learning_rate.assign(
            rate_at(int(model.optimizer.iterations.numpy()), steps * plan.epochs, plan.rate)
        )
    )
    for epoch in range(int(model.optimizer.iterations.numpy()) // steps, plan.epochs):
        began = time.perf_counter()
        keras.utils.set_random_seed(SEED + epoch)
        x, y = plan.epoch(np.random.default_rng((SEED, epoch)))
        loss = model.fit(x, y, plan.batch, 1, verbose=0, shuffle=False, callbacks=[rates]).history["loss"][0]
        spent = time.perf_counter() - began
        # first, so that a run that is killed here replaces the line when it repeats the epoch
        write_text(log, "\n".join([*_lines(log)[:epoch], f"{loss:.6f} {spent:.2f}"]) + "\n")
        _keep(model, state)
        _say(f"{plan.name}: epoch {epoch + 1} of {plan.epochs}, loss {loss:.4f}, {spent:.0f} s")
    figures = [tuple(map(float, line.split())) for line in _lines(log)]
    return Trained(model, tuple(loss for loss, _ in figures), tuple(seconds for _, seconds in figures))


def rate_at(step: int, steps: int, highest: float) -> float:
    """The learning rate of a step: a linear warm-up, and then half a cosine."""
    rising = max(int(WARM_UP * steps), 1)
    if step < rising:
        return highest * (step + 1) / rising
    return highest * 0.5 * (1 + float(np.cos(np.pi * (step - rising) / max(steps - rising, 1))))


def _keep(model: Any, path: Path) -> None:
    """Write the state of a training beside its file and rename it, so that a killed run leaves a whole one."""
    written = path.with_suffix(".new.keras")
    model.save(written)
    written.replace(path)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
